/**
 * What a compiled module was: its Wasm, read back from the hint it carries. It is for tools that show
 * a module; nothing that runs depends on it.
 *
 * @module
 */

import { ValidationError } from "../error.ts";
import type { RwasmModule } from "../isa/module.ts";
import type { ValidWasm } from "../wasm/module.ts";
import { parse } from "../wasm/parse.ts";
import { validate } from "../wasm/validate.ts";

const known = new WeakMap<RwasmModule, ValidWasm | undefined>();

/** The Wasm a module was compiled from; undefined when its hint is something else. */
export function wasmOf(module: RwasmModule): ValidWasm | undefined {
  if (known.has(module)) return known.get(module);
  const wasm = read(module.hint);
  known.set(module, wasm);
  return wasm;
}

function read(hint: Uint8Array): ValidWasm | undefined {
  if (hint.length < 8 || hint[0] !== 0 || hint[1] !== 0x61) return undefined;
  try {
    return validate(parse(hint));
  } catch (error) {
    if (error instanceof ValidationError) return undefined;
    throw error;
  }
}
