/**
 * Generated modules in both loops: the exports that a plan calls, on one instance, compared at every
 * stop. Fuel is without bound, or stops at every charge.
 *
 * @module
 */

import { compile, ImportLinker, RwasmModule, type Value } from "../../mod.ts";
import { verify } from "../../lib/isa/verify.ts";
import { Program } from "../../lib/interpreter/program.ts";
import { type Plan, planOf, typeOfFunction } from "../differential/plan.ts";
import { Host, HostEnd } from "../differential/host.ts";
import { type GeneratedModule, IMPORTED_GLOBAL } from "../generate/generate.ts";
import type { ModuleSource } from "../generate/module.ts";
import { type TwinEnding, type TwinOptions, Twins } from "./twins.ts";

/** What a run of a plan shows. */
export interface GeneratedRun {
  /** How the initialization and each call ended. */
  readonly endings: readonly TwinEnding[];
  /** The lowered code. */
  readonly program: Program;
}

/** How a plan is run. */
export interface GeneratedOptions {
  /** Fuel: none, an amount, or "step" to stop at every charge. */
  readonly fuel?: bigint | "step" | undefined;
  /** Whether there are charges at all. */
  readonly metered?: boolean;
  /** Whether the code is lowered to the form that counts what it does not charge for. */
  readonly counts?: boolean;
  /** Whether the code is that of a file: nothing says that it does without charges on purpose. */
  readonly decoded?: boolean;
  /** Jumps and calls without a charge after which a run ends. */
  readonly mostUncharged?: number | undefined;
  /** What makes the loop function. */
  readonly instantiate?: TwinOptions<Host>["instantiate"];
}

/** Ways to run a plan, each of which shows something that the others do not. */
export const MANNERS: readonly GeneratedOptions[] = [
  {},
  { fuel: "step" },
  { fuel: 300n },
  { metered: false },
  { counts: true },
  { counts: true, fuel: "step" },
  { metered: false, decoded: true, fuel: 1n, mostUncharged: 50 },
];

/** Runs a module's plan in both loops; throws where they differ. */
export function runGenerated(generated: GeneratedModule, options: GeneratedOptions = {}): GeneratedRun {
  return runPlan(generated.source, generated.wasm, planOf(generated), options);
}

/** Runs a plan in both loops; throws where they differ. */
export function runPlan(
  source: ModuleSource,
  wasm: Uint8Array,
  plan: Plan,
  options: GeneratedOptions = {},
): GeneratedRun {
  const { fuel, metered = true, counts = false, decoded = false, mostUncharged, instantiate } = options;
  const linker = new ImportLinker<Host>();
  source.imports.forEach(({ module, name, type }, index) => {
    const { params, results } = source.types[type];
    linker.define(module, name, { index, params, results }, (caller, ...args: Value[]) => {
      try {
        const values = caller.data.function(name, source.types[type])(args);
        return results.length === 0 ? undefined : results.length === 1 ? values[0] : values;
      } catch (error) {
        if (!(error instanceof HostEnd)) throw error;
        return error.how === "halt" ? caller.halt() : caller.trap("IllegalOpcode");
      }
    });
  });
  const imported = source.globals.some((global) => global.imported !== undefined);
  const module = compile(wasm, {
    linker,
    consumeFuel: metered,
    ...(imported ? { defaultImportedGlobalValue: IMPORTED_GLOBAL } : {}),
  });
  const code = decoded ? RwasmModule.decode(module.encode()) : module;
  const verified = verify(code, (index) => linker.bySyscall(index));
  const twins = new Twins<Host>(verified, {
    linker,
    data: () => new Host(),
    fuel,
    mostStops: 3000,
    program: new Program(verified, counts),
    ...(instantiate && { instantiate }),
  });
  for (const { machine, store } of twins.sides) {
    store.data.memory = () => store.memory.view();
    if (mostUncharged !== undefined) machine.mostUncharged = mostUncharged;
  }
  const endings = [twins.run(0)];
  if (endings[0] !== "done") return { endings, program: twins.program };
  const { functionStarts } = module.info!;
  const budget = source.exports.find(({ name }) => name === "budget");
  for (const { name, args } of plan.calls) {
    const found = source.exports.find((entry) => entry.kind === "function" && entry.name === name);
    if (found === undefined) continue; // the module has been made smaller
    const { index } = found;
    if (budget !== undefined) {
      for (const { machine } of twins.sides) machine.setGlobalWord(2 * budget.index, plan.budget);
    }
    const values = args.map(({ type, value }) =>
      type === "funcref" && value !== null ? functionStarts[value as number] : value
    );
    const ending = twins.run(functionStarts[index], typeOfFunction(source, index).params, values);
    endings.push(ending);
    if (ending === "cut") break;
  }
  return { endings, program: twins.program };
}
