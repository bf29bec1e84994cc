/**
 * A run that the plain loop has begun goes on in the fast loop, from anywhere in it, and the other
 * way around: with the same end as in the plain loop alone.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { compile } from "../../mod.ts";
import { trapName } from "../../lib/error.ts";
import type { RwasmModule } from "../../lib/isa/module.ts";
import { type VerifiedModule, verify } from "../../lib/isa/verify.ts";
import { Program } from "../../lib/interpreter/program.ts";
import { FastMachine } from "../../lib/interpreter/run.ts";
import { FuelMeter } from "../../lib/vm/fuel.ts";
import { Machine } from "../../lib/vm/machine.ts";
import { Exit, run } from "../../lib/vm/step.ts";
import { RwasmStore } from "../../lib/vm/store.ts";
import { performSyscall } from "../../lib/vm/syscall.ts";
import { Failures, Random } from "../harness.ts";
import { constant, encodeWasm, type FunctionSource, get, I32, I64, loop, set, tee } from "../wasm_encoder.ts";
import { writeValues } from "../../lib/vm/values.ts";

/** A recursive function on i64, calls through a table, divisions in loops, memory: something on the call stack at most times. */
const FUNCTIONS: readonly FunctionSource[] = [
  {
    name: "run",
    params: [I32, I64],
    results: [I64],
    locals: [I64],
    // deno-fmt-ignore
    body: [
      ...loop(
        // The division is the last thing before a jump back, and the first at the target of one.
        get(1), constant(977n), [0x80], get(2), [0x7c], set(2),
        get(1), get(2), [0x10, 1], set(1),
        get(1), constant(7n), [0x83, 0xa7], constant(1), [0x71, 0x11, 2, 0], get(2), [0x85], set(2),
        get(0), constant(1), [0x6b], tee(0),
      ),
      ...get(2), ...get(1), 0x82,
    ],
  },
  {
    params: [I64, I64],
    results: [I64],
    // deno-fmt-ignore
    body: [
      ...get(0), ...constant(3n), 0x54, 0x04, I64, ...get(1), ...constant(1n), 0x84, 0x05,
      ...constant(64), ...get(0), 0x37, 3, 0,
      ...get(0), ...constant(2n), 0x80, ...get(1), ...constant(64), 0x29, 3, 0, 0x7e, 0x10, 1, 0x0b,
    ],
  },
  { params: [], results: [I64], body: [...constant(12n)] },
  { params: [], results: [I64], body: [...constant(64), 0x29, 3, 0, ...constant(3n), 0x7f] },
];

const MODULE = encodeWasm({ functions: FUNCTIONS, pages: 1, table: [2, 3] });

/** What a run leaves behind. */
interface End {
  readonly how: string;
  readonly result: readonly number[];
  readonly fuel: bigint;
  readonly memory: number;
}

/** A machine at the beginning of `run`. */
function begin(verified: VerifiedModule, start: number): { machine: Machine; store: RwasmStore } {
  const fuel = new FuelMeter(undefined);
  const store = new RwasmStore({ limits: verified.limits, fuel });
  const machine = store.machine = new Machine(verified.module, verified.limits, fuel);
  machine.start(0);
  assertEquals(go(machine, () => run(machine), store), "done");
  machine.start(start);
  machine.growStack(8);
  machine.sp += writeValues(machine.stack, 0, ["i32", "i64"], [3, 0x1234_5678_9abcn]);
  return { machine, store };
}

/** Drives a machine to its end with a loop. */
function go(machine: Machine, next: () => Exit, store: RwasmStore): string {
  for (;;) {
    switch (next()) {
      case Exit.Done:
        return "done";
      case Exit.Trap:
        return trapName(machine.trap);
      case Exit.Uncharged:
        machine.fuel.uncharged = 0;
        break;
      case Exit.Syscall:
        assertEquals(performSyscall(machine, store), undefined);
        break;
      default:
        throw new Error("stops");
    }
  }
}

function endOf(how: string, machine: Machine): End {
  return {
    how,
    result: [...machine.stack.subarray(0, machine.sp)],
    fuel: machine.fuel.consumed(),
    memory: machine.memory.bytes.reduce((sum, byte) => Math.imul(sum, 31) + byte | 0, 0),
  };
}

/** Instructions a run takes in all. */
function lengthOf(verified: VerifiedModule, start: number): number {
  const { machine } = begin(verified, start);
  let steps = 0;
  while (run(machine, machine.pc, 1) === Exit.Left) steps++;
  return steps;
}

const CONFIGS = {
  "with charges": {},
  "with charges in hidden functions": { builtinsConsumeFuel: true },
  "without charges": { consumeFuel: false },
} as const;

for (const [what, config] of Object.entries(CONFIGS)) {
  Deno.test(`a run begun in the plain loop ends well in the fast one, from anywhere in it, ${what}`, () => {
    const module: RwasmModule = compile(MODULE, config);
    const verified = verify(module, () => undefined), start = module.info!.functionStarts[0];
    const steps = lengthOf(verified, start), failures = new Failures();
    const alone = begin(verified, start);
    const expected = endOf(go(alone.machine, () => run(alone.machine), alone.store), alone.machine);
    assert(expected.how === "done" && steps > 2000, `${expected.how} after ${steps} instructions`);
    // New code lowers what it meets in another order.
    const lowered = new Program(verified), random = new Random(7), stride = Math.ceil(steps / 150) | 1;
    for (let k = 0; k <= steps; k += k < 400 ? 3 : stride) {
      const { machine, store } = begin(verified, start);
      for (let n = 0; n < k; n++) run(machine, machine.pc, 1);
      const fast = FastMachine.attach(machine, k % 5 === 0 ? new Program(verified) : lowered)!;
      try {
        const how = go(machine, () => fast.run(), store);
        assertEquals(endOf(how, machine), expected);
      } catch (error) {
        failures.add(`after ${k} instructions: ${(error as Error).message}`);
      }
      if (k % 7 !== 0) continue;
      // There and back: the fast loop stops when a small slice is spent, the plain one goes a few steps.
      const again = begin(verified, start), other = FastMachine.attach(again.machine, lowered)!;
      try {
        const how = go(again.machine, () => {
          const { machine } = again,
            { fuel } = machine,
            kept = Math.max(0, fuel.slice - 1 - random.below(40));
          fuel.slice -= kept;
          machine.mostUncharged = 1 + random.below(9);
          const exit = other.run();
          fuel.slice += kept;
          machine.mostUncharged = 1e6;
          if (exit !== Exit.Fuel && exit !== Exit.Uncharged) return exit;
          for (let n = 0; n < 1 + random.below(30); n++) {
            const one = run(machine, machine.pc, 1);
            if (one !== Exit.Left) return one;
          }
          other.forget();
          return Exit.Uncharged;
        }, again.store);
        assertEquals(endOf(how, again.machine), expected);
      } catch (error) {
        failures.add(`there and back ${k}: ${(error as Error).message}`);
      }
    }
    failures.report();
  });
}
