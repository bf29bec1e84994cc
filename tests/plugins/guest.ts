/**
 * Runs programs in WebAssembly text on plugins, for the tests of this folder.
 *
 * @module
 */

import {
  compile,
  ImportLinker,
  type Outcome,
  RwasmExecutor,
  RwasmStore,
  type SyscallPlugin,
  type Value,
} from "../../mod.ts";
import { assembleWat } from "../compile/wat.ts";

/** A program on a store of its own. */
export interface Guest {
  /** The store. */
  readonly store: RwasmStore<undefined>;
  /** Calls an export. */
  call(name: string, ...params: Value[]): Outcome;
}

/** Compiles a program, from text or bytes, with the plugins it needs. */
export function guest(program: string | Uint8Array, ...plugins: readonly SyscallPlugin[]): Guest {
  const linker = new ImportLinker<undefined>();
  for (const plugin of plugins) linker.use(plugin);
  const wasm = typeof program === "string" ? assembleWat(program) : program;
  const store = new RwasmStore<undefined>({ linker });
  const executor = new RwasmExecutor(store, compile(wasm, { linker }));
  return { store, call: (name, ...params) => executor.call(name, params) };
}
