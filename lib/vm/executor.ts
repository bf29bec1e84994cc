/**
 * The executor: runs one module on a store. It checks what callers hand over, starts, ends and
 * resumes runs, and turns endings into outcomes. What a run does in between is `drive.ts`.
 *
 * @module
 */

import { Trap, UsageError, VerifyError } from "../error.ts";
import {
  type FunctionType,
  type GlobalExport,
  type ModuleInfo,
  RwasmModule,
  slotsOfAll,
  type ValueType,
} from "../isa/module.ts";
import { nearest, quoteName } from "../isa/nearest.ts";
import { type Limits, MAX_NESTED_RUNS, STACK_HEADROOM } from "../limits.ts";
import { checkImports } from "../plugin/linker.ts";
import type { Value } from "../plugin/plugin.ts";
import { checkTypes, checkValues, guessTypes } from "./arguments.ts";
import { drive } from "./drive.ts";
import { type TrapCause, trapOf } from "./explain.ts";
import { exportsOf } from "./exports.ts";
import type { Ending } from "./host_call.ts";
import { Machine } from "./machine.ts";
import type { Outcome } from "./outcome.ts";
import { RwasmStore } from "./store.ts";
import { ensureCells } from "./syscall.ts";
import { expectedText, foundText, isValueOf, readValues, writeValues, zeroValues } from "./values.ts";

/** How an executor runs. */
export interface ExecutorOptions {
  /** Which engine runs the code; default "auto". There is one engine, so all three mean the interpreter. */
  readonly engine?: "interpreter" | "native" | "auto" | undefined;
  /** @internal Called with the state of a new instance before its code runs, to put host objects into it. */
  readonly prepare?: ((machine: Machine) => void) | undefined;
}

const ENGINES: readonly unknown[] = ["interpreter", "native", "auto"];

/** Where a run starts and with what. */
interface Entry {
  readonly pc: number;
  readonly params: readonly Value[];
  readonly type: FunctionType;
}

/** A run under way. */
interface Run {
  readonly machine: Machine;
  /** Types of what the stack must hold at the end. */
  readonly results: readonly ValueType[];
  /** Whether it makes the instance: then a trap undoes it. */
  readonly initializing: boolean;
  /** The machine the store returns to when an instantiation fails. */
  readonly previous: Machine | undefined;
  /** What runs after the instantiation that it implied. */
  readonly then: Entry | undefined;
}

/** A paused run, as the store keeps it. */
export interface ParkedRun {
  /** The executor that may resume it. */
  // deno-lint-ignore no-explicit-any -- an executor of any host context
  readonly owner: RwasmExecutor<any>;
  /** The run. */
  readonly run: Run;
  /** Types that `resume` must supply; undefined when nothing is known. */
  readonly results: readonly ValueType[] | undefined;
}

const NO_TYPES: FunctionType = { params: [], results: [] };

/**
 * Runs a module on a store. Making one runs no guest code; the first run instantiates the module.
 *
 * @typeParam T host context of the store.
 *
 * @example
 * ```ts
 * import { assemble, RwasmExecutor, RwasmStore } from "./mod.ts";
 * const executor = new RwasmExecutor(new RwasmStore(), assemble("LocalGet 1\nI32Add\nReturn"));
 * console.log(executor.execute([21], { params: ["i32"], results: ["i32"] })); // done, 42
 * ```
 */
export class RwasmExecutor<T = undefined> {
  /** The module it runs. */
  readonly module: RwasmModule;
  /** The store it runs on. */
  readonly store: RwasmStore<T>;
  /** What the options say about new instances. */
  readonly #prepare: ((machine: Machine) => void) | undefined;
  /** State of the instance; undefined before it exists. */
  #machine: Machine | undefined = undefined;

  /**
   * Binds a module to a store.
   *
   * @throws {UsageError} when an argument is not what it should be.
   * @throws {VerifyError} when the code is longer than the store's limits allow.
   * @throws {LinkError} when the linker of the store does not offer what a compiled module imports.
   */
  constructor(store: RwasmStore<T>, module: RwasmModule, options: ExecutorOptions = {}) {
    if (!(store instanceof RwasmStore)) {
      refuse("InvalidStore", `store is ${foundText(store)}, not an RwasmStore`);
    }
    if (!(module instanceof RwasmModule)) {
      refuse(
        "InvalidModule",
        `module is ${foundText(module)}, not an RwasmModule`,
        "compile() makes one from Wasm, RwasmModule.decode() from .rwasm bytes",
      );
    }
    if (typeof options !== "object" || options === null) {
      refuse("InvalidOptions", `options are ${foundText(options)}, not an object`);
    }
    checkEngine(options.engine);
    if (module.opcodes.length !== module.immediates.length) {
      throw new VerifyError("InvalidCode", "Cannot run the module: it has not one immediate per opcode");
    }
    if (module.length > store.limits.codeLength) {
      throw new VerifyError(
        "CodeTooLong",
        `Cannot run the module: it has ${module.length} instructions`,
        { hint: `limits.codeLength is ${store.limits.codeLength}; raise it if the module is trusted` },
      );
    }
    if (module.info !== undefined) checkLinks(module.info, store);
    this.store = store;
    this.module = module;
    this.#prepare = options.prepare;
  }

  /**
   * Makes the instance: memory, tables, globals, segments and the start function. The first run does
   * it by itself. On success the instance takes the place of the one the store had; otherwise that
   * one stays.
   *
   * @throws {UsageError} `Paused`, `Reentrant`, `StaleInstance`, or `AlreadyInstantiated`.
   */
  instantiate(): Outcome {
    this.#ready(() => "instantiate");
    if (this.#machine !== undefined) {
      throw new UsageError("AlreadyInstantiated", "Cannot instantiate: this executor has its instance", {
        hint: "make a new executor for a fresh instance",
      });
    }
    return this.#instantiate(undefined);
  }

  /**
   * Runs the entry point of the module. The types of a compiled module are known; those of a decoded
   * one must be given when it has parameters or results.
   *
   * @throws {UsageError} wrong arguments, no entry point, or a store that cannot run now.
   */
  execute(
    params: readonly Value[] = [],
    types?: { readonly params: readonly ValueType[]; readonly results: readonly ValueType[] },
  ): Outcome {
    const doing = () => "execute";
    this.#ready(doing);
    const type = this.#entryType(types);
    const checked = checkValues(doing, "parameter", type.params, params, type);
    // Looking at the parameters may have run code of theirs.
    this.#ready(doing);
    return this.#enter({ pc: this.module.sourcePc, params: checked, type });
  }

  /**
   * Runs an exported function of a compiled module.
   *
   * @throws {UsageError} unknown export, wrong arguments, or a store that cannot run now.
   */
  call(name: string, params: readonly Value[] = []): Outcome {
    const doing = () => `call ${exportText(name)}`;
    this.#ready(doing);
    const info = this.module.info;
    if (info === undefined) {
      throw new UsageError("NoExports", `Cannot ${doing()}: a decoded module has no export table`, {
        hint: "execute() runs its entry point; compile() keeps the exports",
      });
    }
    const found = exportsOf(info).functions.get(name);
    if (found === undefined) {
      throw unknownExport(doing(), "function", name, info.functionExports.map((entry) => entry.name));
    }
    const checked = checkValues(doing, "parameter", found.params, params, found);
    // Looking at the parameters may have run code of theirs.
    this.#ready(doing);
    return this.#enter({ pc: info.functionStarts[found.index]!, params: checked, type: found });
  }

  /**
   * @internal Runs any function of a compiled and instantiated module by its Wasm index, with values
   * that fit its type. Host functions may call it: the run they interrupt then waits on stacks of its
   * own. Nothing in it may pause.
   */
  callFunction(index: number, params: readonly Value[]): Outcome {
    const { store } = this, info = this.module.info!, machine = store.machine!;
    const entry = { pc: info.functionStarts[index]!, params, type: info.types[info.functionTypes[index]!]! };
    if (!store.running) return this.#start(machine, entry);
    if (store.nesting >= MAX_NESTED_RUNS) {
      const detail = `${store.nesting} calls of host functions wait for calls of the guest`;
      return { status: "trap", trap: new Trap("StackOverflow", machine.pc >>> 0, { detail }) };
    }
    const outer = machine.suspendOuter(), hostCall = store.hostCall;
    store.nesting++;
    try {
      return this.#start(machine, entry);
    } finally {
      store.nesting--;
      store.running = true;
      store.hostCall = hostCall;
      machine.resumeOuter(outer);
    }
  }

  /**
   * Goes on with the run that a host function paused, with the results that function still owes.
   *
   * @throws {UsageError} `NotPaused`, or values that do not fit, in which case the run stays paused.
   */
  resume(results: readonly Value[] = []): Outcome {
    const { store } = this;
    if (store.running) throw reentrant("resume");
    const parked = store.parked;
    if (parked === undefined || parked.owner !== this) {
      throw notPaused(
        parked === undefined ? undefined : "the paused run belongs to another executor of this store",
      );
    }
    const types = parked.results ?? guessTypes(results, mostValues(store.limits));
    const checked = checkValues(() => "resume", "result", types, results);
    // Looking at the results may have run code of theirs.
    if (store.running) throw reentrant("resume");
    if (store.parked !== parked) throw notPaused(undefined);
    store.parked = undefined;
    if (!push(parked.run.machine, types, checked)) {
      return this.#end(parked.run, {
        kind: "trap",
        cause: { code: "StackOverflow", detail: `no room for ${slotsOfAll(types)} result slots` },
      });
    }
    return this.#go(parked.run);
  }

  /**
   * Value of an exported global.
   *
   * @throws {UsageError} unknown export, or no live instance.
   */
  global(name: string): Value {
    const { machine, global } = this.#global(`read global`, name);
    return readValues(globalCells(machine, global), 0, [global.type])[0]!;
  }

  /**
   * Sets an exported mutable global.
   *
   * @throws {UsageError} unknown export, immutable global, wrong value, or no live instance.
   */
  setGlobal(name: string, value: Value): void {
    const { machine, global, what } = this.#global(`set global`, name);
    if (!global.mutable) throw new UsageError("ImmutableGlobal", `Cannot ${what}: it is not mutable`);
    if (!isValueOf(global.type, value)) {
      throw new UsageError(
        "InvalidValue",
        `Cannot ${what}: the value must be ${expectedText(global.type)}, not ${foundText(value)}`,
      );
    }
    const cells = new Int32Array(2);
    const slots = writeValues(cells, 0, [global.type], [value]);
    // The high half is in the even word: see GlobalExport.
    machine.setGlobalWord(2 * global.index, cells[slots - 1]!);
    if (slots === 2) machine.setGlobalWord(2 * global.index + 1, cells[0]!);
  }

  #global(doing: string, name: string): { machine: Machine; global: GlobalExport; what: string } {
    const what = `${doing} ${exportText(name)}`, info = this.module.info;
    const global = info && exportsOf(info).globals.get(name);
    if (global === undefined) {
      const names = info?.globalExports.map((entry) => entry.name) ?? [];
      throw unknownExport(what, "global", name, names);
    }
    const machine = this.#machine;
    if (machine === undefined) {
      throw new UsageError("NotInstantiated", `Cannot ${what}: the module is not instantiated`, {
        hint: "call instantiate() first",
      });
    }
    if (machine !== this.store.machine) throw stale(what);
    return { machine, global, what };
  }

  /** Refuses a run that cannot start now; `doing` names it. */
  #ready(doing: () => string): void {
    const { store } = this;
    if (store.running) throw reentrant(doing());
    if (store.parked !== undefined) {
      throw new UsageError("Paused", `Cannot ${doing()}: a run of this store is paused`, {
        hint: "resume() it, or give it up with store.reset()",
      });
    }
    if (this.#machine !== undefined && this.#machine !== store.machine) throw stale(doing());
  }

  #entryType(types: FunctionType | undefined): FunctionType {
    if (types !== undefined) return checkTypes(types, mostValues(this.store.limits));
    const info = this.module.info;
    if (info === undefined || info.hasRouter) return info?.entrypoint ?? NO_TYPES;
    if (info.entrypoint !== undefined) return info.entrypoint;
    throw new UsageError("NoEntrypoint", "Cannot execute: the module was compiled without an entry point", {
      hint: "set entrypoint in the compilation config, or call() an export",
    });
  }

  #instantiate(then: Entry | undefined): Outcome {
    const { store, module } = this;
    const machine = new Machine(module, store.limits, store.fuel);
    this.#prepare?.(machine);
    const previous = store.machine;
    store.machine = machine;
    const run: Run = { machine, results: [], initializing: true, previous, then };
    // Modules of old releases have their initialization in the entry point.
    if (module.sourcePc === 0) return this.#end(run, { kind: "done" });
    this.#begin(machine, 0);
    return this.#go(run);
  }

  #enter(entry: Entry): Outcome {
    return this.#machine === undefined ? this.#instantiate(entry) : this.#start(this.#machine, entry);
  }

  #start(machine: Machine, { pc, params, type }: Entry): Outcome {
    const run: Run = {
      machine,
      results: type.results,
      initializing: false,
      previous: undefined,
      then: undefined,
    };
    this.#begin(machine, pc);
    if (pc < this.module.length && !push(machine, type.params, params)) {
      const detail = `no room for ${slotsOfAll(type.params)} parameter slots`;
      const hint = `limits.stackSlots is ${this.store.limits.stackSlots}`;
      return this.#end(run, { kind: "trap", cause: { code: "StackOverflow", detail, hint } });
    }
    return this.#go(run);
  }

  /** Sets a machine to the start of a run. */
  #begin(machine: Machine, pc: number): void {
    machine.start(pc);
    // A run that a host function starts is part of the one that waits for it.
    if (this.store.nesting === 0) this.store.fuel.uncharged = 0;
  }

  #go(run: Run): Outcome {
    const { store } = this;
    store.running = true;
    let ending: Ending;
    try {
      ending = drive(run.machine, store);
    } finally {
      store.running = false;
    }
    return this.#end(run, ending);
  }

  #end(run: Run, ending: Ending): Outcome {
    const { machine, results } = run;
    switch (ending.kind) {
      case "pause":
        this.store.parked = { owner: this, run, results: ending.results };
        return { status: "paused", reason: "syscall", payload: ending.payload };
      case "trap":
        return this.#trapped(run, ending.cause);
      case "halt":
        if (run.initializing) return this.#trapped(run, { code: "ExecutionHalted" });
        machine.start(machine.pc);
        return { status: "done", results: zeroValues(results) };
      case "done": {
        const slots = slotsOfAll(results);
        if (machine.sp !== slots) {
          const detail = `the stack holds ${machine.sp} slots at the end, the results take ${slots}`;
          return this.#trapped(run, { code: "IllegalOpcode", detail });
        }
        const values = readValues(machine.stack, 0, results);
        if (!run.initializing) return { status: "done", results: values };
        this.#machine = machine;
        return run.then === undefined ? { status: "done", results: values } : this.#enter(run.then);
      }
    }
  }

  #trapped(run: Run, cause: TrapCause): Outcome {
    const { machine } = run;
    const trap = trapOf(machine, cause, run.initializing);
    machine.signaturePending = false;
    machine.start(machine.pc);
    if (run.initializing) this.store.machine = run.previous;
    return { status: "trap", trap };
  }
}

/** One more than the stack can take, so that what is too much is a StackOverflow, but bounded. */
function mostValues({ stackSlots }: Limits): number {
  return stackSlots + STACK_HEADROOM + 1;
}

/**
 * Checks the name of an engine; undefined is the default one.
 *
 * @throws {UsageError} `UnknownEngine`.
 */
export function checkEngine(engine: unknown): void {
  if (engine === undefined || ENGINES.includes(engine)) return;
  refuse(
    "UnknownEngine",
    `engine is ${foundText(engine)}`,
    'the engines are "interpreter", "native" and "auto"',
  );
}

function refuse(code: string, why: string, hint?: string): never {
  throw new UsageError(code, `Cannot make an executor: ${why}`, { hint });
}

function reentrant(what: string): UsageError {
  return new UsageError(
    "Reentrant",
    `Cannot ${what}: the store is running, and this is one of its host functions`,
    {
      hint: "pause the run with caller.pause() and go on outside, or use another store",
    },
  );
}

function notPaused(hint: string | undefined): UsageError {
  return new UsageError("NotPaused", "Cannot resume: no run of this executor is paused", { hint });
}

function exportText(name: unknown): string {
  return typeof name === "string" ? quoteName(name) : foundText(name);
}

function stale(what: string): UsageError {
  return new UsageError("StaleInstance", `Cannot ${what}: another instance has taken the place of this one`, {
    hint: "a store has one active instance; use one store per instance",
  });
}

function unknownExport(what: string, kind: string, name: unknown, names: readonly string[]): UsageError {
  const near = typeof name === "string" ? nearest(name, names) : undefined;
  const listed = names.slice(0, 20).map(quoteName).join(", ") + (names.length > 20 ? ", …" : "");
  return new UsageError(
    "UnknownExport",
    `Cannot ${what}: the module exports no such ${kind}${
      near === undefined ? "" : `; did you mean ${quoteName(near)}?`
    }`,
    { hint: names.length === 0 ? `the module exports no ${kind}` : `exported ${kind}s: ${listed}` },
  );
}

/** Compares the imports that the code still calls with the linker: names, types, and the index the code uses. */
function checkLinks<T>(info: ModuleInfo, store: RwasmStore<T>): void {
  const wanted = info.functionImports.filter((entry) => entry.syscall >= 0);
  if (wanted.length === 0) return;
  checkImports(wanted, store.linker, info.moduleName === undefined ? "module" : quoteName(info.moduleName));
}

/** Reserves room for values and pushes them; false when there is none. */
function push(machine: Machine, types: readonly ValueType[], values: readonly Value[]): boolean {
  const slots = slotsOfAll(types);
  if (!machine.reserve(slots) || !ensureCells(machine, machine.sp + slots)) return false;
  machine.sp += writeValues(machine.stack, machine.sp, types, values);
  return true;
}

/** The cells of a global's value, low word first. */
function globalCells(machine: Machine, { index, type }: GlobalExport): Int32Array {
  const even = machine.globalWord(2 * index);
  if (type !== "i64" && type !== "f64") return Int32Array.of(even);
  return Int32Array.of(machine.globalWord(2 * index + 1), even);
}
