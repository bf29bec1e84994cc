/**
 * The custom section "name" in, names for people out. It is debugging information that tools write
 * carelessly, so nothing in it is an error: a malformed part is as if it were not there.
 *
 * @module
 */

import { type Fail, Reader } from "../bytes/reader.ts";
import { ValidationError } from "../error.ts";
import type { WasmModule } from "./module.ts";

/** Names from the "name" section. */
export interface Names {
  /** Name of the module. */
  readonly moduleName: string | undefined;
  /** Names of functions by Wasm function index, imports included. */
  readonly functions: Map<number, string>;
}

const fail: Fail = (code, reason, offset) => {
  throw new ValidationError(code, `Cannot read names: ${reason}`, { offset });
};

/** Reads a subsection, or says that it is malformed with undefined. */
function lenient<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof ValidationError) return undefined;
    throw error;
  }
}

function functionNames(reader: Reader, functions: number): Map<number, string> {
  const names = new Map<number, string>();
  for (let count = reader.varU32(); count > 0; count--) {
    const index = reader.varU32();
    const name = reader.name();
    if (index < functions) names.set(index, name);
  }
  return names;
}

/** Reads the first "name" section of a module; empty when there is none or it is malformed. */
export function readNames(module: WasmModule): Names {
  let moduleName: string | undefined;
  let functions = new Map<number, string>();
  const section = module.customs.find((custom) => custom.name === "name");
  if (section === undefined) return { moduleName, functions };
  const sections = new Reader(module.bytes, fail, section.bytes.start, section.bytes.end);
  lenient(() => {
    while (!sections.atEnd) {
      const id = sections.u8();
      const length = sections.varU32();
      const start = sections.skip(length);
      const reader = new Reader(module.bytes, fail, start, start + length);
      if (id === 0) moduleName = lenient(() => reader.name());
      else if (id === 1) {
        functions = lenient(() => functionNames(reader, module.functions.length)) ?? functions;
      }
    }
  });
  return { moduleName, functions };
}
