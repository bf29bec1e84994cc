/**
 * Speed of compiled code beside V8 running the same Wasm, and beside the fast loop: with fuel and
 * without charges, interleaved in one process, on fresh instances of modules that are warm. Results
 * and final memory must be equal. `deno run -A bench/native.ts [program…]`; `--cold` has the first runs.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { compile, REFERENCE_LIMITS, RwasmModule } from "../mod.ts";
import { FastMachine } from "../lib/interpreter/run.ts";
import { Program as Lowered } from "../lib/interpreter/program.ts";
import { type VerifiedModule, verify } from "../lib/isa/verify.ts";
import { NativeCode } from "../lib/native/code.ts";
import { NativeMachine } from "../lib/native/machine.ts";
import { FuelMeter } from "../lib/vm/fuel.ts";
import type { Loop } from "../lib/vm/loop.ts";
import { Machine } from "../lib/vm/machine.ts";
import { Exit } from "../lib/vm/step.ts";
import { ensureCells } from "../lib/vm/syscall.ts";
import { fnv1a64 } from "../tests/harness.ts";
import { format, interleaved, type Row, type Table } from "./measure.ts";
import { type Program, programs } from "./peers/programs.ts";

/** What must hold: time as a share of V8's, with fuel and without. */
const REACH = { metered: 1.25, unmetered: 1.1, slowest: 2 } as const;

/** A module as every loop needs it. */
interface Ready {
  readonly verified: VerifiedModule;
  readonly lowered: Lowered;
  readonly entry: number;
}

function ready(program: Program, consumeFuel: boolean, decoded = false): Ready {
  const compiled = compile(program.wasm, {
    entrypoint: program.entry,
    limits: REFERENCE_LIMITS,
    floats: program.floats ? "deterministic" : "trap",
    consumeFuel,
  });
  const module = decoded ? RwasmModule.decode(compiled.encode()) : compiled;
  const verified = verify(module, () => undefined, { limits: REFERENCE_LIMITS });
  return { verified, lowered: new Lowered(verified), entry: module.sourcePc };
}

/** A fresh, initialized instance; the run, which gives bits of results, fuel and memory. */
function prepare({ verified, lowered, entry }: Ready, argument: number, native: boolean): () => Machine {
  const machine = new Machine(verified.module, verified.limits, new FuelMeter(undefined));
  const compiled = native ? NativeMachine.attach(machine, lowered) : undefined;
  const loop: Loop | undefined = native ? compiled : FastMachine.attach(machine, lowered);
  if (loop === undefined) throw new Error("the module does not fit");
  machine.start(0);
  finish(loop, machine);
  machine.fuel.reset(undefined);
  compiled?.prepare(entry);
  return () => {
    machine.start(entry);
    if (!machine.reserve(1) || !ensureCells(machine, 1)) throw new Error("no room");
    machine.stack[machine.sp++] = argument;
    finish(loop, machine);
    return machine;
  };
}

function finish(loop: Loop, machine: Machine): void {
  for (;;) {
    switch (loop.run()) {
      case Exit.Done:
        return;
      case Exit.Uncharged:
        machine.fuel.uncharged = 0;
        continue;
      case Exit.Fuel:
        if (!machine.fuel.tryCharge(BigInt(machine.module.immediates[machine.pc]))) throw new Error("fuel");
        machine.pc++;
        continue;
      default:
        throw new Error(`stopped at ${machine.pc} with trap ${machine.trap}`);
    }
  }
}

const geometricMean = (values: readonly number[]): number =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);

/** One row per program, and one with the geometric means. */
export function benchNative(
  { names = [], rounds = 5, scale = 1, decoded = false }: {
    readonly names?: readonly string[];
    readonly rounds?: number;
    readonly scale?: number;
    readonly decoded?: boolean;
  } = {},
): Table {
  const rows: Row[] = [], missed: string[] = [];
  let emitted = 0, instructions = 0, emission = 0;
  for (const program of programs(names)) {
    const { name, wasm, entry, short, long } = program, argument = scale === 1 ? short : long;
    const metered = ready(program, true, decoded), unmetered = ready(program, false, decoded);
    const raw = new WebAssembly.Module(wasm);
    const before = performance.now();
    prepare(metered, 1, true);
    emission += performance.now() - before;
    const code = NativeCode.of(metered.lowered);
    emitted += code.emittedBytes;
    instructions += code.translatedInstructions;
    const kept: Record<string, Machine> = {};
    let memory: Uint8Array | undefined;
    const times = interleaved({
      metered: () => {
        const run = prepare(metered, argument, true);
        return () => void (kept.metered = run());
      },
      unmetered: () => {
        const run = prepare(unmetered, argument, true);
        return () => void (kept.unmetered = run());
      },
      v8: () => {
        const { exports } = new WebAssembly.Instance(raw);
        const run = exports[entry] as (argument: number) => unknown;
        memory = exports.memory === undefined
          ? undefined
          : new Uint8Array((exports.memory as WebAssembly.Memory).buffer);
        return () => void run(argument);
      },
      fast: () => {
        const run = prepare(metered, argument, false);
        return () => void (kept.fast = run());
      },
    }, rounds);
    if (memory !== undefined) {
      for (const [which, { memory: { bytes } }] of Object.entries(kept)) {
        if (fnv1a64(bytes) !== fnv1a64(memory)) throw new Error(`${name}: the memory of ${which} differs`);
      }
    }
    if (kept.metered.fuel.consumed() !== kept.fast.fuel.consumed()) throw new Error(`${name}: fuel differs`);
    const share = times.metered / times.v8, unmeteredShare = times.unmetered / times.v8;
    rows.push({
      name,
      figures: {
        "metered ms": times.metered,
        "unmetered ms": times.unmetered,
        "V8 ms": times.v8,
        "fast ms": times.fast,
        "÷ V8": share,
        "unmetered ÷ V8": unmeteredShare,
        "fast ÷ native": times.fast / times.metered,
      },
    });
    if (share > REACH.slowest) missed.push(`${name}: ${share.toFixed(2)} × V8, at most ${REACH.slowest}`);
  }
  const mean = (figure: string) => geometricMean(rows.map(({ figures }) => figures[figure]));
  const means = Object.fromEntries(
    ["÷ V8", "unmetered ÷ V8", "fast ÷ native"].map((figure) => [figure, mean(figure)]),
  );
  rows.push({ name: "geometric mean", figures: means });
  if (means["÷ V8"] > REACH.metered) {
    missed.push(`with fuel ${means["÷ V8"].toFixed(2)} × V8, at most ${REACH.metered}`);
  }
  if (means["unmetered ÷ V8"] > REACH.unmetered) {
    missed.push(`without fuel ${means["unmetered ÷ V8"].toFixed(2)} × V8, at most ${REACH.unmetered}`);
  }
  return {
    title: "compiled code",
    note: `fastest of interleaved rounds; ${instructions} instructions became ${emitted} bytes in ${
      emission.toFixed(0)
    } ms with their compilation`,
    rows,
    missed,
  };
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    options: {
      rounds: { type: "string", default: "5" },
      long: { type: "boolean", default: false },
      decoded: { type: "boolean", default: false },
    },
    allowPositionals: true,
  });
  const { rounds, long, decoded } = values;
  const table = benchNative({ names: positionals, rounds: Number(rounds), scale: long ? 2 : 1, decoded });
  console.log(format(table));
  for (const what of table.missed) console.log(what);
}
