/**
 * Runs one script of the official WebAssembly suite, in wast2json form, through the public API:
 * every `module` command gets an executor, every assertion is checked. What it cannot run it lists
 * with a reason. Functions of registered modules are forwarded through host functions; memories, tables
 * and globals are not shared between modules.
 *
 * @module
 */

import {
  compile,
  CompileError,
  ImportLinker,
  LinkError,
  type RwasmError,
  RwasmExecutor,
  RwasmModule,
  RwasmStore,
  Trap,
  ValidationError,
} from "../../mod.ts";
import type { Caller, Outcome, Value, ValueType } from "../../mod.ts";
import {
  type Failures,
  fromBase64,
  isFragileNan,
  type JsonValue,
  type LeftOut,
  matches,
  rawType,
  show,
  toRawValue,
  toValue,
  trapOfText,
} from "../harness.ts";

/** An `action` of a command. */
interface Action {
  readonly type: "invoke" | "get";
  readonly module?: string;
  readonly field: string;
  readonly args?: readonly JsonValue[];
}

/** A command of a script; which fields are there depends on the type. */
export interface Command {
  readonly type: string;
  readonly line: number;
  readonly name?: string;
  readonly as?: string;
  readonly wasm?: string;
  readonly text?: string;
  readonly action?: Action;
  readonly expected?: readonly JsonValue[];
}

/** A script. */
export interface Script {
  readonly commands: readonly Command[];
}

/** What a script run counted. */
export interface Tally {
  /** Commands checked on live instances or by compiling. */
  checked: number;
  /** Assertions checked again on a module that went through `.rwasm` bytes. */
  decoded: number;
}

/** More than any script needs; it ends a run that a defect would make endless. */
const FUEL = 1_000_000_000n;

const PRINTS: Record<string, readonly ValueType[]> = {
  print: [],
  print_i32: ["i32"],
  print_i64: ["i64"],
  print_f32: ["f32"],
  print_f64: ["f64"],
  print_i32_f32: ["i32", "f32"],
  print_f64_f64: ["f64", "f64"],
};

/** Modules by the name under which a script registered them. */
type Registry = Map<string, Instance>;

/** The functions of the suite's `spectest` host module, and those of registered modules: each is forwarded to its instance. */
function link(registry: Registry): ImportLinker<undefined> {
  const linker = new ImportLinker<undefined>();
  let index = 0;
  for (const [name, params] of Object.entries(PRINTS)) {
    linker.define("spectest", name, { index: index++, params, results: [] }, () => undefined);
  }
  for (const [as, { executor, module }] of registry) {
    for (const { name, params, results } of module.exports) {
      linker.define(as, name, { index: index++, params, results }, (caller: Caller, ...args: Value[]) => {
        const outcome = executor.call(name, args);
        if (outcome.status === "trap") caller.trap(outcome.trap.code);
        if (outcome.status !== "done") throw new Error(`${as}.${name} ended as ${outcome.status}`);
        return outcome.results.length > 1 ? outcome.results : outcome.results[0];
      });
    }
  }
  return linker;
}

/** Every global of `spectest` that has an integer type is 666. */
const SPECTEST_GLOBAL = 666n;

/** Why a module is outside of what this runtime links, or undefined. */
function whyLeftOut(wasm: Uint8Array, registry: Registry): string | undefined {
  for (const { module, name, kind } of WebAssembly.Module.imports(new WebAssembly.Module(wasm.slice()))) {
    if (kind === "memory" || kind === "table") return "imported memory or table";
    if (kind === "function" && module !== "spectest" && !registry.has(module)) {
      return "function of a module that is left out";
    }
    if (kind === "global" && (module !== "spectest" || !/^global_i(32|64)$/.test(name))) {
      return "imported global that is not 666, the one default value given";
    }
  }
  return undefined;
}

/** Marks the instances whose state a left-out module would share, and those that forward calls to them. */
function disturb(wasm: Uint8Array, registry: Registry, instances: readonly Instance[]): void {
  const imported = (bytes: Uint8Array) => WebAssembly.Module.imports(new WebAssembly.Module(bytes.slice()));
  for (const { module, kind } of imported(wasm)) {
    const owner = registry.get(module);
    if (owner !== undefined && kind !== "function") owner.disturbed = true;
  }
  for (const instance of instances) {
    if (imported(instance.wasm).some(({ module }) => registry.get(module)?.disturbed)) {
      instance.disturbed = true;
    }
  }
}

const HAS_STATE = new Set([2, 4, 5, 6, 8]); // import, table, memory, global, start sections

/** Whether calls of a module cannot influence each other. */
function isStateless(wasm: Uint8Array): boolean {
  for (let at = 8; at < wasm.length;) {
    if (HAS_STATE.has(wasm[at++])) return false;
    let size = 0;
    for (let shift = 0;; shift += 7) {
      const byte = wasm[at++];
      size += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    at += size;
  }
  return true;
}

interface Instance {
  readonly wasm: Uint8Array;
  readonly executor: RwasmExecutor<undefined>;
  readonly module: RwasmModule;
  readonly linker: ImportLinker<undefined>;
  /** A module that is left out shares its memory, tables or globals: what they hold is unknown. */
  disturbed: boolean;
  /** Assertions on this instance, to be repeated on decoded modules. */
  readonly asserted: Command[];
}

/** How an outcome differs from an expected trap, or undefined. */
function differsFromTrap(outcome: Outcome, text: string): string | undefined {
  const trap = trapOfText(text);
  if (outcome.status !== "trap") return `${outcome.status} instead of ${trap} ("${text}")`;
  if (!(outcome.trap instanceof Trap)) return "the trap is not a Trap";
  return outcome.trap.code === trap ? undefined : `${outcome.trap.code} instead of ${trap} ("${text}")`;
}

/** How results differ from the expected ones, or undefined. */
function differsFromResults(
  results: readonly Value[],
  expected: readonly JsonValue[],
  raw: boolean,
): string | undefined {
  const equal = results.length === expected.length &&
    expected.every((json, i) => matches(json, results[i], { raw }));
  return equal
    ? undefined
    : `(${results.map(show)}) instead of (${expected.map((json) => `${json.type} ${json.value}`)})`;
}

/** Runs every command of a script. */
export function runScript(name: string, { commands }: Script, failures: Failures, leftOut: LeftOut): Tally {
  const tally: Tally = { checked: 0, decoded: 0 };
  const named = new Map<string, Instance | undefined>();
  const registry: Registry = new Map();
  const instances: Instance[] = [];
  let current: Instance | undefined;

  const fails = (command: Command, what: string) =>
    failures.add(`${name}:${command.line} ${command.type}: ${what}`);

  const instantiate = (wasm: Uint8Array): { instance: Instance; outcome: Outcome } => {
    const linker = link(registry);
    const module = compile(wasm, { linker, defaultImportedGlobalValue: SPECTEST_GLOBAL });
    const store = new RwasmStore({ linker, fuelLimit: FUEL });
    const executor = new RwasmExecutor(store, module);
    return {
      instance: { wasm, executor, module, linker, disturbed: false, asserted: [] },
      outcome: executor.instantiate(),
    };
  };

  const perform = (instance: Instance, action: Action): Outcome =>
    action.type === "get"
      ? { status: "done", results: [instance.executor.global(action.field)] }
      : instance.executor.call(action.field, action.args!.map(toValue));

  const refuses = (command: Command, classes: readonly (typeof RwasmError)[], config: object) => {
    try {
      compile(fromBase64(command.wasm!), config);
    } catch (error) {
      if (!classes.some((type) => error instanceof type)) fails(command, `threw ${error}`);
      return;
    }
    fails(command, `was accepted; expected "${command.text}"`);
  };

  const run = (command: Command): void => {
    switch (command.type) {
      case "module": {
        const wasm = fromBase64(command.wasm!);
        current = undefined;
        const why = whyLeftOut(wasm, registry);
        if (why === undefined) {
          const { instance, outcome } = instantiate(wasm);
          if (outcome.status === "done") instances.push(current = instance);
          else fails(command, `instantiation ended as ${outcome.status}`);
        } else {
          leftOut.add(`module: ${why}`, name);
          disturb(wasm, registry, instances);
        }
        if (command.name !== undefined) named.set(command.name, current);
        if (why === undefined) tally.checked++;
        return;
      }
      case "register": {
        const instance = command.name === undefined ? current : named.get(command.name);
        if (instance === undefined) return leftOut.add("register: its module is left out", name);
        registry.set(command.as!, instance);
        tally.checked++;
        return;
      }
      case "assert_invalid":
      case "assert_malformed":
        refuses(command, [ValidationError], {});
        tally.checked++;
        return;
      case "assert_unlinkable":
        refuses(command, [LinkError, CompileError], { linker: link(registry) });
        tally.checked++;
        return;
      case "assert_uninstantiable": {
        const wasm = fromBase64(command.wasm!);
        const why = whyLeftOut(wasm, registry);
        if (why !== undefined) {
          leftOut.add(`${command.type}: ${why}`, name);
          return disturb(wasm, registry, instances);
        }
        const difference = differsFromTrap(instantiate(wasm).outcome, command.text!);
        if (difference !== undefined) fails(command, difference);
        tally.checked++;
        return;
      }
    }
    const action = command.action!;
    const instance = action.module === undefined ? current : named.get(action.module);
    if (instance === undefined) return leftOut.add(`${command.type}: its module is left out`, name);
    if (instance.disturbed) {
      return leftOut.add(`${command.type}: its module shares state with one that is left out`, name);
    }
    instance.asserted.push(command);
    // Such an argument is passed as bits below, where types do not matter.
    if (action.args?.some(isFragileNan)) return;
    const outcome = perform(instance, action);
    tally.checked++;
    switch (command.type) {
      case "action":
      case "assert_return": {
        const difference = outcome.status === "done"
          ? differsFromResults(outcome.results, command.expected ?? [], false)
          : outcome.status === "trap"
          ? `trap ${outcome.trap.code}`
          : outcome.status;
        if (difference !== undefined) fails(command, `${action.field}: ${difference}`);
        return;
      }
      case "assert_trap":
      case "assert_exhaustion": {
        const difference = differsFromTrap(outcome, command.text!);
        if (difference !== undefined) fails(command, `${action.field}: ${difference}`);
        return;
      }
      default:
        fails(command, "is not a known command");
    }
  };

  for (const command of commands) {
    try {
      run(command);
    } catch (error) {
      fails(command, `threw ${error instanceof Error ? error.stack : error}`);
    }
  }
  for (const instance of instances) {
    try {
      tally.decoded += runDecoded(name, instance, failures);
    } catch (error) {
      failures.add(`${name}, decoded: threw ${error instanceof Error ? error.stack : error}`);
    }
  }
  return tally;
}

/**
 * Repeats the assertions of an instance on modules that went through `.rwasm` bytes, one per entry
 * point, with floats as bits in integer slots. Where calls depend on each other through several
 * exports that is not the same experiment: then only the calls with NaN bits are made, which had no
 * other way, each on a fresh instance.
 */
function runDecoded(name: string, instance: Instance, failures: Failures): number {
  const { wasm, asserted, linker, module } = instance;
  const calls = asserted.filter(({ action }) => action!.type === "invoke");
  const entries = Map.groupBy(calls, ({ action }) => action!.field);
  const independent = isStateless(wasm);
  const whole = calls.length === asserted.length && (entries.size === 1 || independent);
  let checked = 0;
  for (const [entry, all] of entries) {
    const commands = whole ? all : all.filter(({ action }) => action!.args!.some(isFragileNan));
    if (commands.length === 0) continue;
    const bytes = compile(wasm, { linker, entrypoint: entry, defaultImportedGlobalValue: SPECTEST_GLOBAL })
      .encode();
    const type = module.exports.find((item) => item.name === entry)!;
    const types = { params: type.params.map(rawType), results: type.results.map(rawType) };
    const fresh = () =>
      new RwasmExecutor(new RwasmStore({ linker, fuelLimit: FUEL }), RwasmModule.decode(bytes));
    const shared = fresh();
    for (const command of commands) {
      const outcome = (whole ? shared : fresh()).execute(command.action!.args!.map(toRawValue), types);
      const difference = command.text !== undefined
        ? differsFromTrap(outcome, command.text)
        : outcome.status === "done"
        ? differsFromResults(outcome.results, command.expected ?? [], true)
        : outcome.status;
      if (difference !== undefined) {
        failures.add(`${name}:${command.line} ${command.type} ${entry}, decoded: ${difference}`);
      }
      checked++;
    }
  }
  return checked;
}
