/**
 * Runs the modules of the official suite twice, as the scripts call them: plain and with a tracer.
 * Modules that import what needs another module are left out.
 *
 * @module
 */

import {
  compile,
  ImportLinker,
  type Outcome,
  RwasmExecutor,
  RwasmStore,
  type Value,
  type ValueType,
} from "../../mod.ts";
import { Tracer, type TracerOptions } from "../../lib/trace/tracer.ts";
import type { Machine } from "../../lib/vm/machine.ts";
import { fromBase64, isFragileNan, toValue } from "../harness.ts";
import type { Script } from "../spec/script.ts";

const PRINTS: Record<string, readonly ValueType[]> = {
  print: [],
  print_i32: ["i32"],
  print_i64: ["i64"],
  print_f32: ["f32"],
  print_f64: ["f64"],
  print_i32_f32: ["i32", "f32"],
  print_f64_f64: ["f64", "f64"],
};

function spectest(): ImportLinker<undefined> {
  const linker = new ImportLinker<undefined>();
  Object.entries(PRINTS).forEach(([name, params], index) => {
    linker.define("spectest", name, { index, params, results: [] }, () => undefined);
  });
  return linker;
}

/** More than any script needs. */
const FUEL = 1_000_000_000n;

/** An instance and all calls that a script made on it. */
export interface SpecRun {
  /** Script and line. */
  readonly label: string;
  readonly tracer: Tracer;
  readonly machine: Machine;
  readonly store: RwasmStore;
  /** How a traced call ended differently; undefined when none did. */
  readonly difference: string | undefined;
  /** Calls that were made. */
  readonly calls: number;
}

const text = (outcome: Outcome): string =>
  outcome.status === "done"
    ? `done ${outcome.results.map((value) => Object.is(value, -0) ? "-0" : String(value)).join()}`
    : outcome.status === "trap"
    ? `trap ${outcome.trap.code} at ${outcome.trap.pc}`
    : outcome.status;

/** Runs every module of a script that can run alone. */
export function* runSpecModules(
  name: string,
  { commands }: Script,
  options: () => TracerOptions = () => ({}),
): Generator<SpecRun> {
  for (let at = 0; at < commands.length; at++) {
    const command = commands[at];
    if (command.type !== "module") continue;
    const wasm = fromBase64(command.wasm!);
    const imports = WebAssembly.Module.imports(new WebAssembly.Module(wasm.slice()));
    if (!imports.every(({ module, kind }) => module === "spectest" && kind === "function")) continue;
    const linker = spectest(), module = compile(wasm, { linker }), tracer = new Tracer(options());
    const plain = new RwasmStore({ linker, fuelLimit: FUEL });
    const store = new RwasmStore({ linker, fuelLimit: FUEL });
    const untraced = new RwasmExecutor(plain, module), traced = new RwasmExecutor(store, module, { tracer });
    let difference: string | undefined, calls = 1;
    const compare = (what: string, run: (executor: RwasmExecutor) => Outcome) => {
      const expected = text(run(untraced)), found = text(run(traced));
      calls++;
      if (found !== expected) difference ??= `${what}: ${found} instead of ${expected}`;
      if (store.consumedFuel() !== plain.consumedFuel()) {
        difference ??= `${what}: fuel ${store.consumedFuel()} instead of ${plain.consumedFuel()}`;
      }
    };
    compare("instantiate", (executor) => executor.instantiate());
    if (store.machine === undefined) continue;
    for (let next = at + 1; next < commands.length && commands[next].type !== "module"; next++) {
      const { action, line } = commands[next];
      if (action?.type !== "invoke" || action.module !== undefined || action.args!.some(isFragileNan)) {
        continue;
      }
      const args: Value[] = action.args!.map(toValue);
      compare(`${action.field} at ${line}`, (executor) => executor.call(action.field, args));
    }
    yield { label: `${name}:${command.line}`, tracer, machine: store.machine, store, difference, calls };
  }
}
