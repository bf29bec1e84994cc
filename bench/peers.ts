/**
 * Speed beside other engines: this library, the reference's machine (crate rwasm 0.7.2), wasmi 2 and
 * V8, each program in all of them in turn, fuel on wherever there is fuel. Results, final memory and
 * the reference's fuel must be equal. `deno task bench:peers [--engine name] [program…]` prints a
 * table and writes `bench/results/peers.json`; where the Rust runner cannot be built it says why and
 * goes on without it.
 *
 * @module
 */

import { parseArgs } from "node:util";
import {
  compile,
  type ExecutorOptions,
  REFERENCE_LIMITS,
  RwasmExecutor,
  RwasmStore,
  type Value,
} from "../mod.ts";
import { fnv1a64 } from "../tests/harness.ts";
import { format, inProcess, type Row, type Table } from "./measure.ts";
import { type Program, programs } from "./peers/programs.ts";
import { bitsText, Peers } from "./peers/runner.ts";

/** What must hold (issue "The fast machine"): times of ours as a share of theirs. */
const REACH = { reference: 0.15, slowest: 0.5, wasmi: 1.5, cold: 0.5 } as const;

/** Milliseconds per engine, and what all of them agreed on. */
interface Timing {
  readonly name: string;
  readonly ours: number;
  readonly cold: number;
  readonly coldReference: number;
  readonly rwasm: number;
  readonly wasmi: number;
  readonly v8: number;
  readonly fuel: number;
}

/** What a run gives that must be the same everywhere. */
interface Result {
  readonly milliseconds: number;
  readonly results: readonly string[];
  readonly fuel?: string;
  /** Hash of the final memory. */
  readonly memory?: string;
}

/** Engine of ours; undefined for the default one. */
type Engine = ExecutorOptions["engine"];

/** A compiled program, and how it runs once here, on a fresh instance that is not timed. */
function prepareOurs(
  { wasm, entry, results, floats }: Program,
  engine: Engine,
): (argument: number) => Result {
  const module = compile(wasm, {
    entrypoint: entry,
    limits: REFERENCE_LIMITS,
    floats: floats ? "deterministic" : "trap",
  });
  return (argument) => {
    const store = new RwasmStore({ limits: REFERENCE_LIMITS });
    const executor = new RwasmExecutor(store, module, { engine });
    executor.instantiate();
    store.resetFuel(2n ** 64n - 1n);
    const start = performance.now();
    const outcome = executor.execute([argument]);
    const milliseconds = performance.now() - start;
    if (outcome.status !== "done") {
      throw new Error(outcome.status === "trap" ? outcome.trap.message : outcome.status);
    }
    return {
      milliseconds,
      results: outcome.results.map((value, i) => bitsText(results[i], value)),
      fuel: String(store.consumedFuel()),
      memory: fnv1a64(store.memory.view()),
    };
  };
}

/** The same in V8. */
function prepareV8({ wasm, entry, results }: Program): (argument: number) => Result {
  const module = new WebAssembly.Module(wasm);
  return (argument) => {
    const { exports } = new WebAssembly.Instance(module);
    const run = exports[entry] as (argument: number) => Value;
    const start = performance.now();
    const value = run(argument);
    const milliseconds = performance.now() - start;
    const memory = exports.memory as WebAssembly.Memory | undefined;
    return {
      milliseconds,
      results: [bitsText(results[0], value)],
      ...(memory === undefined ? {} : { memory: fnv1a64(new Uint8Array(memory.buffer)) }),
    };
  };
}

/** Says which engine disagrees with us about what. */
function requireEqual(program: string, engine: string, ours: Result, theirs: Result): void {
  const parts: (keyof Result)[] = engine === "rwasm" ? ["results", "memory", "fuel"] : ["results", "memory"];
  for (const part of parts) {
    if (theirs[part] === undefined || String(ours[part]) === String(theirs[part])) continue;
    throw new Error(`${program}: ${part} here ${ours[part]}, in ${engine} ${theirs[part]}`);
  }
}

async function runPeer(peers: Peers, engine: "rwasm" | "wasmi", program: Program, argument: number) {
  const run = await peers.run(engine, program.name, [["i32", argument]], program.results);
  // Without an exported memory wasmi has none to show, and an empty one has this hash.
  const shown = engine === "rwasm" || run.memory !== fnv1a64(new Uint8Array(0));
  const { results, fuel } = run;
  return { milliseconds: run.nanoseconds / 1e6, results, fuel, ...(shown ? { memory: run.memory } : {}) };
}

/** Runs a program in every engine in turn; the first round warms up, of the others the fastest counts. */
async function measure(
  program: Program,
  peers: Peers | undefined,
  rounds: number,
  engine: Engine,
): Promise<Timing> {
  const ours = prepareOurs(program, engine), v8 = prepareV8(program);
  const names = ["rwasm", "wasmi"] as const;
  for (const engine of names) await peers?.load(engine, program.name, program.wasm, program.entry);
  const best = { ours: Infinity, rwasm: Infinity, wasmi: Infinity, v8: Infinity };
  let fuel = NaN;
  for (let round = 0; round <= rounds; round++) {
    const here = ours(program.short);
    const others: Record<string, Result> = { v8: v8(program.short) };
    if (peers !== undefined) {
      for (const engine of names) others[engine] = await runPeer(peers, engine, program, program.short);
    }
    fuel = Number(here.fuel);
    for (const [engine, result] of Object.entries({ ours: here, ...others })) {
      requireEqual(program.name, engine, here, result);
      const name = engine as keyof typeof best;
      if (round > 0) best[name] = Math.min(best[name], result.milliseconds);
    }
  }
  const { ms: cold } = await inProcess<{ ms: number }>("./peers.ts", [
    ...(engine === undefined ? [] : ["--engine", engine]),
    "--cold",
    program.name,
  ]);
  const coldReference = peers === undefined
    ? NaN
    : (await runPeer(peers, "rwasm", program, program.long)).milliseconds;
  const known = (ms: number) => ms === Infinity ? NaN : ms;
  return {
    name: program.name,
    ours: best.ours,
    cold,
    coldReference,
    rwasm: known(best.rwasm),
    wasmi: known(best.wasmi),
    v8: best.v8,
    fuel,
  };
}

const geometricMean = (values: readonly number[]): number =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);

/** One row per program, and one with the geometric means of the ratios. */
export async function benchPeers(
  { names = [], rounds = 4, engine }: {
    readonly names?: readonly string[];
    readonly rounds?: number;
    readonly engine?: Engine;
  } = {},
): Promise<Table> {
  const runners = new Map<boolean, Peers | string>();
  const timings: Timing[] = [];
  const reasons = new Set<string>();
  try {
    for (const program of programs(names)) {
      const { floats } = program;
      if (!runners.has(floats)) runners.set(floats, await Peers.start(floats));
      const peers = runners.get(floats)!;
      if (typeof peers === "string") reasons.add(peers);
      timings.push(await measure(program, typeof peers === "string" ? undefined : peers, rounds, engine));
    }
  } finally {
    for (const peers of runners.values()) if (typeof peers !== "string") await peers.stop();
  }

  const rows: Row[] = timings.map(({ name, ours, cold, coldReference, rwasm, wasmi, v8, fuel }) => ({
    name,
    figures: {
      "ours ms": ours,
      "rwasm ms": rwasm,
      "wasmi ms": wasmi,
      "V8 ms": v8,
      "÷ rwasm": ours / rwasm,
      "÷ wasmi": ours / wasmi,
      "÷ V8": ours / v8,
      "cold ms": cold,
      "cold ÷ rwasm": cold / coldReference,
      "M fuel": fuel / 1e6,
    },
  }));
  const ratios = ["÷ rwasm", "÷ wasmi", "÷ V8", "cold ÷ rwasm"];
  const means = Object.fromEntries(
    ratios.map((ratio) => [ratio, geometricMean(rows.map(({ figures }) => figures[ratio]))]),
  );
  rows.push({ name: "geometric mean", figures: means });

  const missed: string[] = [...reasons].map((reason) => `no peers: ${reason}`);
  const reach = (what: string, most: number, values: readonly (readonly [name: string, value: number])[]) => {
    const above = values.filter(([, value]) => value > most).map(([name, value]) =>
      `${name} ${value.toFixed(2)}`
    );
    if (above.length > 0) missed.push(`${what} at most ${most}, but ${above.join(", ")}`);
  };
  reach("time as a share of rwasm's:", REACH.reference, [["the mean is", means["÷ rwasm"]]]);
  reach("time as a share of wasmi's:", REACH.wasmi, [["the mean is", means["÷ wasmi"]]]);
  reach("a program's share of rwasm's time:", REACH.slowest, timings.map((t) => [t.name, t.ours / t.rwasm]));
  reach("a first run's share:", REACH.cold, timings.map((t) => [t.name, t.cold / t.coldReference]));
  return {
    title: "beside other engines",
    note: "milliseconds per run, fastest of the rounds; the same programs interleaved in one run; " +
      "cold: first run in a process of its own, of a longer input",
    rows,
    missed,
  };
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    options: { engine: { type: "string" }, cold: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  const engine = values.engine as Engine;
  if (values.cold) { // the first run in this process; compiling is not timed
    const [program] = programs(positionals);
    console.log(JSON.stringify({ ms: prepareOurs(program, engine)(program.long).milliseconds }));
    Deno.exit();
  }
  const table = await benchPeers({ names: positionals, engine });
  console.log(format(table));
  const results = new URL("results/", import.meta.url);
  await Deno.mkdir(results, { recursive: true });
  const { os, arch } = Deno.build;
  const machine = { os, arch, cores: navigator.hardwareConcurrency, ...Deno.version };
  const data = { date: new Date().toISOString(), machine, tables: [table] };
  await Deno.writeTextFile(new URL("peers.json", results), `${JSON.stringify(data, null, 2)}\n`);
  if (table.missed.length > 0) Deno.exitCode = 1;
}
