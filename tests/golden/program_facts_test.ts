/**
 * Facts of the reference about programs (`../shared/golden/programs`): each with a scripted host,
 * under several configurations, through `execute`, through `call`, after encode and decode, and with
 * the module the reference itself compiled.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { compile, RwasmModule } from "../../mod.ts";
import { Failures, fromBase64, lettersToTypes, listShared, readShared, sharedTest } from "../harness.ts";
import {
  differs,
  type Expected,
  type Import,
  type Input,
  type JsonConfig,
  rawTypes,
  scriptedLinker,
  toConfig,
  type Way,
} from "./fact.ts";

/** Runs of one entry point under one configuration. */
interface Case {
  readonly entry: string;
  readonly config: JsonConfig;
  readonly inputs: readonly Input[];
  readonly expected: readonly Expected[];
  /** The module the reference compiled, base64. */
  readonly rwasm: string;
}

/** A file of `golden/programs`: one entry point with variants, or cases with a scripted host. */
interface Program {
  readonly wasm: string;
  /** Whether the reference was built with floats. */
  readonly fpu: boolean;
  readonly config?: JsonConfig;
  readonly imports?: readonly Import[];
  readonly cases?: readonly (Omit<Case, "config"> & { readonly compileError: string | null })[];
  readonly entry?: string;
  readonly inputs?: readonly Input[];
  readonly expected?: readonly Expected[];
  readonly rwasm?: string;
  readonly variants?: readonly (Omit<Case, "entry" | "expected"> & { readonly runs: readonly Expected[] })[];
}

/** Runs in the files, each checked in four ways. */
const RUNS = 3_271;

const names = listShared("golden/programs");
let files = 0;
let runs = 0;

function casesOf({ cases, config = {}, entry, inputs, expected, rwasm, variants = [] }: Program): Case[] {
  if (cases !== undefined) return cases.map((item) => ({ ...item, config }));
  return [
    { entry: entry!, config, inputs: inputs!, expected: expected!, rwasm: rwasm! },
    ...variants.map((variant) => ({ ...variant, entry: entry!, expected: variant.runs })),
  ];
}

for (const name of names) {
  sharedTest(`facts of the reference: programs/${name}`, () => {
    const failures = new Failures();
    const program = readShared<Program>(`golden/programs/${name}.json`);
    const wasm = fromBase64(program.wasm);
    const linker = scriptedLinker(program.imports ?? []);
    for (const { entry, config, inputs, expected, rwasm } of casesOf(program)) {
      const label = `${name}:${entry} ${JSON.stringify(config)}`;
      const compiled = compile(wasm, {
        ...toConfig(config, entry, program.fpu ? "deterministic" : "trap"),
        linker,
      });
      const decoded = RwasmModule.decode(compiled.encode());
      const reference = RwasmModule.decode(fromBase64(rwasm));
      inputs.forEach((input, i) => {
        const types = rawTypes(input.args, lettersToTypes(input.results))!;
        const ways: Way[] = [
          { name: "reference's module", module: reference, types },
          { name: "decoded", module: decoded, types },
          { name: "execute", module: compiled },
          { name: "call", module: compiled, call: entry },
        ];
        runs++;
        for (const way of ways) {
          try {
            const difference = differs(way, linker, input, expected[i]);
            if (difference !== undefined) failures.add(`${label} input ${i} ${way.name}: ${difference}`);
          } catch (error) {
            failures.add(
              `${label} input ${i} ${way.name}: threw ${error instanceof Error ? error.stack : error}`,
            );
          }
        }
      });
    }
    files++;
    failures.report();
  });
}

sharedTest("facts of the reference: all of the programs' are covered", () => {
  if (files < names.length) return; // a filter chose some of the files
  assertEquals(runs, RUNS);
});
