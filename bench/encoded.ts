/**
 * `.rwasm` bytes to measure with: real modules compiled here, without their Wasm in the hint section,
 * which would only be copied.
 *
 * @module
 */

import { compile, RwasmModule } from "../mod.ts";
import { anyImports } from "./compile.ts";
import { REAL_MODULES, realModule } from "./measure.ts";

/** A module as bytes. */
export interface EncodedModule {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Real modules as `.rwasm` bytes; those that npm does not give are missing. */
export async function encodedModules(): Promise<EncodedModule[]> {
  const modules: EncodedModule[] = [];
  for (const real of REAL_MODULES) {
    const wasm = await realModule(real);
    if (wasm === undefined) continue;
    const { opcodes, immediates, data, elements, sourcePc } = compile(wasm, { linker: anyImports(wasm) });
    const module = new RwasmModule({ opcodes, immediates, data, elements, sourcePc, hint: new Uint8Array() });
    modules.push({ name: real.name, bytes: module.encode() });
  }
  return modules;
}
