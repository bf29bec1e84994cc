/**
 * Generated modules in compiled code and in the plain loop: the exports that a plan calls, on one
 * instance, compared at every stop.
 *
 * @module
 */

import { compile, ImportLinker, RwasmModule, type Value } from "../../mod.ts";
import { verify } from "../../lib/isa/verify.ts";
import { Program } from "../../lib/interpreter/program.ts";
import { planOf, typeOfFunction } from "../differential/plan.ts";
import { Host, HostEnd } from "../differential/host.ts";
import { type GeneratedModule, IMPORTED_GLOBAL } from "../generate/generate.ts";
import { type TwinEnding, Twins } from "./twins.ts";

/** What a run of a plan shows. */
export interface GeneratedRun {
  /** How the initialization and each call ended. */
  readonly endings: readonly TwinEnding[];
  /** The lowered code that the compiled one belongs to. */
  readonly program: Program;
}

/** How a plan is run. */
export interface GeneratedOptions {
  /** Fuel: none, an amount, or "step" to stop at every charge. */
  readonly fuel?: bigint | "step" | undefined;
  /** Whether there are charges at all. */
  readonly metered?: boolean;
  /** Whether the code is that of a file: nothing says that it does without charges on purpose. */
  readonly decoded?: boolean;
  /** Jumps and calls without a charge after which a run ends. */
  readonly mostUncharged?: number | undefined;
  /** Most fuel that is handed out at once. */
  readonly slice?: number | undefined;
  /** Whether compiled code calls host functions without leaving. */
  readonly callsHost?: boolean;
}

/** Runs a module's plan both ways; throws where they differ. */
export function runGenerated(generated: GeneratedModule, options: GeneratedOptions = {}): GeneratedRun {
  const { fuel, metered = true, decoded = false, mostUncharged, slice, callsHost = false } = options;
  const { source, wasm } = generated, plan = planOf(generated);
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
    slice,
    callsHost,
    program: new Program(verified),
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
    const { index } = source.exports.find((entry) => entry.kind === "function" && entry.name === name)!;
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
