/**
 * Compiled code and the plain loop over the modules of the official suite (`../shared/spec`): every call that a script
 * makes, on one instance per module, compared at every charge, and again on instances without a
 * fuel limit, some of them compiled without charges.
 *
 * @module
 */

import { assert } from "@std/assert";
import { compile, ImportLinker, RwasmError, type RwasmModule, type Value } from "../../mod.ts";
import { verify } from "../../lib/isa/verify.ts";
import { namedFunctionType } from "../../lib/wasm/module.ts";
import { parse } from "../../lib/wasm/parse.ts";
import { Failures, fromBase64, listShared, readShared, sharedTest, toValue } from "../harness.ts";
import type { Command, Script } from "../spec/script.ts";
import { Twins } from "./twins.ts";

/** Most stops of one run. */
const MOST_STOPS = 60;

/** Most calls of one module. */
const MOST_CALLS = 12;

/** A linker with whatever functions a module imports: they give zeros. */
function linkerFor(wasm: Uint8Array): ImportLinker<undefined> {
  const module = parse(wasm), linker = new ImportLinker<undefined>();
  for (const [index, { kind, module: from, name, index: number }] of module.imports.entries()) {
    if (kind !== "function" || linker.resolve(from, name) !== undefined) continue;
    const type = namedFunctionType(module.types[module.functions[number]]);
    const zeros = type.results.map((result): Value =>
      result.endsWith("ref") ? null : result === "i64" ? 0n : 0
    );
    linker.define(
      from,
      name,
      { index, ...type },
      () => zeros.length === 1 ? zeros[0] : zeros.length === 0 ? undefined : zeros,
    );
  }
  return linker;
}

/** How a module is compiled and run. */
const MANNERS = [
  { fuel: "step", config: {} },
  { fuel: undefined, config: { builtinsConsumeFuel: true } },
  { fuel: undefined, config: { consumeFuel: false } },
] as const;

/** Of many modules in one script, which differ in little, these are run. */
const EVERY = 4;

let calls = 0, stops = 0, modules = 0;

for (const name of listShared("spec")) {
  sharedTest(`compiled code and the plain loop walk in step: official suite, ${name}`, () => {
    const failures = new Failures();
    const { commands } = readShared<Script>(`spec/${name}.json`);
    let modulesSeen = 0;
    for (let at = 0; at < commands.length; at++) {
      const { type, line, wasm } = commands[at];
      if (type !== "module" || wasm === undefined || (modulesSeen++ >= 12 && modulesSeen % EVERY !== 0)) {
        continue;
      }
      const end = commands.findIndex((command, k) => k > at && command.type === "module");
      const actions = commands.slice(at + 1, end < 0 ? undefined : end);
      for (const manner of MANNERS) {
        let tally;
        try {
          tally = walk(fromBase64(wasm), actions, manner);
        } catch (error) {
          failures.add(`${name}:${line} ${JSON.stringify(manner)}: ${error}`);
          continue;
        }
        if (tally === undefined) continue;
        modules++;
        calls += tally.calls;
        stops += tally.stops;
      }
    }
    failures.report();
  });
}

sharedTest("compiled code and the plain loop walk in step: the official suite takes them far enough", () => {
  assert(
    modules > 900 && calls > 3000 && stops > 5000,
    `${modules} modules, ${calls} calls, ${stops} stops`,
  );
});

/** Runs what a script does with one module; undefined when it cannot be compiled or is refused. */
function walk(
  wasm: Uint8Array,
  commands: readonly Command[],
  { fuel, config }: typeof MANNERS[number],
): { calls: number; stops: number } | undefined {
  let module: RwasmModule, twins: Twins<undefined>;
  try {
    const linker = linkerFor(wasm);
    module = compile(wasm, { ...config, linker, defaultImportedGlobalValue: 666n });
    const verified = verify(module, (index) => linker.bySyscall(index));
    twins = new Twins(verified, { linker, fuel, mostStops: MOST_STOPS });
  } catch (error) {
    if (error instanceof RwasmError) return undefined;
    throw error;
  }
  const { functionExports, functionStarts } = module.info!;
  let calls = 1;
  if (twins.run(0) !== "done") return { calls, stops: twins.stops };
  for (const { action, type, line } of commands) {
    if (action?.type !== "invoke" || action.module !== undefined || calls > MOST_CALLS) continue;
    const found = functionExports.find((entry) => entry.name === action.field);
    if (found === undefined) continue;
    const args = (action.args ?? []).map(toValue);
    // In the suite, references to functions are only ever null.
    if (args.length !== found.params.length) continue;
    calls++;
    try {
      const ending = twins.run(functionStarts[found.index], found.params, args);
      if (ending === "cut") break;
    } catch (error) {
      throw new Error(`${type} ${action.field} of line ${line}: ${(error as Error).message}`);
    }
  }
  return { calls, stops: twins.stops };
}
