/**
 * The campaign: generated modules, each run by this library and by V8, and by this library again:
 * under fuel limits that are just enough, with one unit less, from `.rwasm` bytes, and in both loops
 * in step. Nothing may differ but where a stack runs out, and that is counted.
 *
 * @module
 */

import type { ExecutorOptions } from "../../mod.ts";
import type { GenerateOptions } from "../generate/context.ts";
import { type GeneratedModule, generateModule } from "../generate/generate.ts";
import { encodeModule, type ModuleSource } from "../generate/module.ts";
import { MANNERS, runPlan } from "../interpreter/generated.ts";
import { compare, type Comparison, type Difference, endingText, type Observation } from "./observation.ts";
import { entryCall, observeEntry, observeOurs } from "./ours.ts";
import { type Plan, planOf } from "./plan.ts";
import { type Reduced, shrink } from "./shrink.ts";
import { observeV8 } from "./v8.ts";

/** A module that showed a difference. */
export interface Finding {
  readonly module: GeneratedModule;
  readonly plan: Plan;
  /** Which two ways of running it differ. */
  readonly check: Check;
  readonly difference: Difference;
}

/** What a campaign did and found. */
export interface Report {
  readonly modules: number;
  /** Runs of exports and start functions that were compared. */
  readonly runs: number;
  /** Modules in which a run trapped. */
  readonly trapped: number;
  /** Host calls that were compared. */
  readonly hostCalls: number;
  /** Fuel of all runs. */
  readonly fuel: bigint;
  /** Allowed differences: modules that a stack ran out in. */
  readonly exhausted: number;
  readonly findings: readonly Finding[];
}

/** How a module is run and what that must show. */
export interface Engines {
  /** Options of our first run, which is compared with everything else. */
  readonly options?: ExecutorOptions | undefined;
  /** Options of our other runs: another engine, say. */
  readonly again?: ExecutorOptions | undefined;
}

/**
 * Ways of running a module that must show the same as the first one.
 *
 * - v8: in V8
 * - enough: here again, each run with a limit of exactly the fuel it took the first time
 * - starved: the same, but one run has a unit less, and must end out of fuel
 * - decoded: an entry point, compiled and from `.rwasm` bytes
 * - loops: in the plain and the fast loop, in step
 */
export const CHECKS = ["v8", "enough", "starved", "decoded", "loops"] as const;

/** One of {@link CHECKS}. */
export type Check = typeof CHECKS[number];

const SAME: Comparison = { difference: undefined, exhausted: false };

/** What happened when the library threw: not one of the ways a run may end. */
function failed(error: unknown): Comparison {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { difference: { kind: "error", text }, exhausted: false };
}

/** One run with less fuel than it needs ends out of fuel, and everything before it is as it was. */
function starve(
  first: Observation,
  source: ModuleSource,
  wasm: Uint8Array,
  plan: Plan,
  options?: ExecutorOptions,
): Comparison {
  const costly = first.calls.flatMap(({ fuel }, i) => fuel! > 0n ? [i] : []);
  if (costly.length === 0 || first.calls.some(({ ending }) => ending.kind === "exhausted")) return SAME;
  // Which run it is follows from the module, so that a smaller module decides for itself.
  const victim = costly[wasm.length % costly.length];
  const needed = first.calls[victim].fuel!;
  const limit = (run: number) => run === victim ? needed - 1n : first.calls[run]?.fuel;
  const { calls } = observeOurs(source, wasm, plan, { options, limit });
  const before = (calls: Observation["calls"]) => ({
    calls: calls.slice(0, victim),
    globals: new Map<string, string>(),
    memory: new Uint8Array(0),
  });
  const earlier = compare(before(first.calls), before(calls));
  if (earlier.difference !== undefined) return earlier;
  const { what, ending, fuel } = calls[victim];
  if (ending.kind === "trap" && ending.trap === "fuel" && fuel! < needed) return SAME;
  const text = `${what}: needs ${needed} fuel, got one less, and ended with ${
    endingText(ending)
  } after ${fuel}`;
  return { difference: { kind: "fuel", text }, exhausted: false };
}

/** Both loops, once without a stop and once in another manner. */
function walk(source: ModuleSource, wasm: Uint8Array, plan: Plan): Comparison {
  // Which one follows from the module, so that a smaller module decides for itself.
  for (const manner of [MANNERS[0], MANNERS[1 + wasm.length % (MANNERS.length - 1)]]) {
    try {
      runPlan(source, wasm, plan, manner);
    } catch (error) {
      const text = `${(error as Error).message} (manner ${MANNERS.indexOf(manner)})`;
      return { difference: { kind: "loops", text }, exhausted: false };
    }
  }
  return SAME;
}

/** One check of a module; an exception of ours is a difference. `known` is our first run, if it is known. */
export function check(
  kind: Check,
  source: ModuleSource,
  wasm: Uint8Array<ArrayBuffer>,
  plan: Plan,
  { options, again = options }: Engines = {},
  known?: Observation,
): Comparison {
  try {
    if (kind === "loops") return walk(source, wasm, plan);
    if (kind === "decoded") {
      const call = entryCall(source, plan);
      if (call === undefined) return SAME;
      const compiled = observeEntry(source, wasm, call, "compiled", options);
      return compare(compiled, observeEntry(source, wasm, call, "decoded", again));
    }
    const first = known ?? observeOurs(source, wasm, plan, { options });
    if (kind === "v8") return compare(first, observeV8(source, wasm, plan));
    if (kind === "starved") return starve(first, source, wasm, plan, again);
    const limit = (run: number) => first.calls[run]?.fuel;
    return compare(first, observeOurs(source, wasm, plan, { options: again, limit }));
  } catch (error) {
    return failed(error);
  }
}

/** Runs the modules of some seeds. */
export function campaign(
  { first, count, generate = {}, engines = {}, onModule = () => {} }: {
    readonly first: number;
    readonly count: number;
    readonly generate?: Partial<GenerateOptions>;
    readonly engines?: Engines;
    /** Told after each module. */
    readonly onModule?: (done: number) => void;
  },
): Report {
  let runs = 0, trapped = 0, hostCalls = 0, fuel = 0n, exhausted = 0;
  const findings: Finding[] = [];
  for (let seed = first; seed < first + count; seed++) {
    const module = generateModule(seed, generate);
    const plan = planOf(module);
    const add = (kind: Check, { difference, exhausted: ranOut }: Comparison) => {
      if (difference !== undefined) findings.push({ module, plan, check: kind, difference });
      if (ranOut && kind === "v8") exhausted++;
    };
    let ours: Observation | undefined;
    try {
      ours = observeOurs(module.source, module.wasm, plan, engines);
    } catch (error) {
      add("v8", failed(error));
    }
    if (ours !== undefined) {
      runs += ours.calls.length;
      if (ours.calls.some(({ ending }) => ending.kind === "trap")) trapped++;
      for (const call of ours.calls) {
        hostCalls += call.log.length;
        fuel += call.fuel ?? 0n;
      }
      for (const kind of CHECKS) add(kind, check(kind, module.source, module.wasm, plan, engines, ours));
    }
    onModule(seed - first + 1);
  }
  return { modules: count, runs, trapped, hostCalls, fuel, exhausted, findings };
}

/** Fuel after which a module that is made smaller counts as one that does not end. */
const ENDLESS = 2_000_000n;

/** Whether every run ends soon, here at least: without its countdown a module may loop for ever. */
function ends(source: ModuleSource, wasm: Uint8Array, plan: Plan): boolean {
  try {
    const config = { consumeFuelForBulkOps: false };
    const { calls } = observeOurs(source, wasm, plan, { config, limit: () => ENDLESS });
    return calls.every(({ ending }) => ending.kind !== "trap" || ending.trap !== "fuel");
  } catch {
    return true; // it does not run at all
  }
}

/** Makes the module and the plan of a finding smaller, as long as they show the same kind of difference. */
export function minimize(finding: Finding, engines: Engines = {}): Reduced {
  const { module, plan, check: kind, difference: { kind: wanted } } = finding;
  return shrink({ source: module.source, plan }, ({ source, plan }) => {
    const wasm = encodeModule(source);
    if (!ends(source, wasm, plan)) return false;
    return check(kind, source, wasm, plan, engines).difference?.kind === wanted;
  });
}
