/**
 * A module whose functions have names that are trouble for files, terminals and browsers.
 *
 * @module
 */

import { type Profile, Profiler, RwasmExecutor, RwasmModule, RwasmStore } from "../../mod.ts";
import { compileWat } from "../compile/wat.ts";

/** Names that are trouble for one format or another. */
export const HOSTILE: readonly string[] = [
  "<script>alert(1)</script>",
  "]]>\"'&</style>",
  "a;b c\n\r\t\0\u202e\u2028",
  "\\u{3b}",
  "\ud800 half",
  "𝒻".repeat(300),
  " ",
  "\u007f",
];

/** A module whose functions have hostile names, after one that is called from all sides. */
export function hostileModule(): RwasmModule {
  const calls = HOSTILE.map((_, n) => `(call $f${n}) (call $f${n})`).join(" ");
  const bodies = HOSTILE.map((_, n) => `(func $f${n} (call $leaf))`).join(" ");
  const module = compileWat(
    `(module (func $leaf nop nop) ${bodies} (func (export "main") ${calls} (call $leaf)))`,
  );
  const functionNames = new Map([[0, "leaf"], ...HOSTILE.map((name, n): [number, string] => [n + 1, name])]);
  return new RwasmModule({ ...module, info: { ...module.info!, functionNames } });
}

/** A profile of its one export. */
export function profileOf(module: RwasmModule, runs = 1): Profile {
  const profiler = new Profiler();
  for (let n = 0; n < runs; n++) {
    new RwasmExecutor(new RwasmStore(), module, { tracer: profiler }).call("main");
  }
  return profiler.profile();
}
