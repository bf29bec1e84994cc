/**
 * Facts of the reference about the modules of the official suite (`../shared/golden/spec`), each run
 * through `execute`, through `call`, and after encode and decode.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { compile, RwasmError, RwasmModule } from "../../mod.ts";
import {
  Failures,
  fromBase64,
  isFragileNan,
  type JsonValue,
  LeftOut,
  listShared,
  readShared,
  sharedTest,
} from "../harness.ts";
import type { Script } from "../spec/script.ts";
import { differs, type Expected, rawTypes, scriptedLinker, toConfig, type Way } from "./fact.ts";

/** Facts about one entry point of one module. */
interface Group {
  /** Index of the module command in the script. */
  readonly module: number;
  readonly entry: string;
  readonly compileError?: string;
  readonly runs?: readonly (Expected & { readonly command: number; readonly panic?: boolean })[];
}

/** Fuel limit of all runs. */
const FUEL_LIMIT = "1000000000";

/** Why these four differ: the reference's answer depends on how it was built, ours is that of WebAssembly. */
const ZEROS = "min or max of zeros of opposite sign";

/** Facts that ours differ from, by "script:module:entry:command", with the reason. */
const DIFFERENT: Record<string, string> = {
  "f32:0:min:1603": ZEROS,
  "f32:0:max:2003": ZEROS,
  "f64:0:min:1603": ZEROS,
  "f64:0:max:2003": ZEROS,
};

const AS_BITS = "NaN bits in an argument: passed in integer slots only, after encode and decode";

/** How often a fact is not met, or not in all ways, by reason. */
const LEFT_OUT: Record<string, number> = { [AS_BITS]: 2_919, [ZEROS]: 4 };

/** Facts in the files: runs, runs in which the reference crashed, refusals to compile. */
const TOTAL = { runs: 22_327, panics: 18, compileErrors: 171 };

const names = listShared("golden/spec");
const leftOut = new LeftOut();
const total = { runs: 0, panics: 0, compileErrors: 0 };
let files = 0;

for (const name of names) {
  sharedTest(`facts of the reference: spec/${name}`, () => {
    const failures = new Failures();
    const script = readShared<Script>(`spec/${name}.json`);
    for (const group of readShared<Group[]>(`golden/spec/${name}.json`)) {
      const label = `${name}:${group.module}:${group.entry}`;
      try {
        checkGroup(script, group, label, name, failures);
      } catch (error) {
        failures.add(`${label}: threw ${error instanceof Error ? error.stack : error}`);
      }
    }
    files++;
    failures.report();
  });
}

function checkGroup(script: Script, group: Group, label: string, name: string, failures: Failures): void {
  const { module: index, entry, compileError, runs } = group;
  const wasm = fromBase64(script.commands[index].wasm!);
  const config = toConfig({}, entry, "deterministic");
  if (compileError !== undefined) {
    total.compileErrors++;
    try {
      compile(wasm, config);
      failures.add(`${label}: compiled; the reference says ${compileError}`);
    } catch (error) {
      if (!(error instanceof RwasmError && error.code === compileError)) {
        failures.add(`${label}: ${error} instead of ${compileError}`);
      }
    }
    return;
  }
  const linker = scriptedLinker([]);
  const compiled = compile(wasm, config);
  const decoded = RwasmModule.decode(compiled.encode());
  const type = compiled.exports.find((item) => item.name === entry)!;
  for (const fact of runs!) {
    const args: readonly JsonValue[] = script.commands[fact.command].action!.args!;
    const fragile = args.some(isFragileNan);
    if (fragile) leftOut.add(AS_BITS, name);
    const types = rawTypes(args, type.results);
    assert(types !== undefined);
    const ways: Way[] = [{ name: "decoded", module: decoded, types }];
    if (!fragile) {
      ways.push({ name: "execute", module: compiled }, { name: "call", module: compiled, call: entry });
    }
    const different = DIFFERENT[`${label}:${fact.command}`];
    if (different !== undefined) leftOut.add(different, name);
    if (fact.panic) total.panics++;
    else total.runs++;
    for (const way of ways) {
      const run = () => differs(way, linker, { args, results: "", fuelLimit: FUEL_LIMIT }, fact);
      if (fact.panic) {
        // The reference crashed: any outcome or typed error will do; the suite itself checks results.
        try {
          run();
        } catch (error) {
          if (!(error instanceof RwasmError)) {
            failures.add(`${label}:${fact.command} ${way.name}: threw ${error}`);
          }
        }
        continue;
      }
      const difference = run();
      if (different !== undefined) {
        // It would be wrong to list a fact that is met.
        if (difference === undefined) failures.add(`${label}:${fact.command} ${way.name}: does not differ`);
      } else if (difference !== undefined) {
        failures.add(`${label}:${fact.command} ${way.name}: ${difference}`);
      }
    }
  }
}

sharedTest("facts of the reference: all of the suite's are covered", () => {
  if (files < names.length) return; // a filter chose some of the files
  console.log(`facts about the suite's modules met in part of the ways:\n${leftOut}`);
  assertEquals(leftOut.counts(), LEFT_OUT);
  assertEquals(total, TOTAL);
});
