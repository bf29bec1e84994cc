/**
 * The executor: runs one module on a store. It checks what callers hand over and leaves the runs to
 * `session.ts`.
 *
 * @module
 */

import { UsageError, VerifyError } from "../error.ts";
import {
  type FunctionType,
  type GlobalExport,
  type ModuleInfo,
  RwasmModule,
  type ValueType,
} from "../isa/module.ts";
import { quoteName } from "../isa/nearest.ts";
import { checkImports } from "../plugin/linker.ts";
import type { Value } from "../plugin/plugin.ts";
import { type StepEvent, stepEvents } from "../trace/debug.ts";
import { checkTypes, checkValues } from "../vm/arguments.ts";
import { exportsOf } from "../vm/exports.ts";
import type { LoopMaker } from "../vm/loop.ts";
import type { Machine } from "../vm/machine.ts";
import type { Breakpoint, BreakpointPlace, Outcome, Paused } from "../vm/outcome.ts";
import { RwasmStore } from "../vm/store.ts";
import { expectedText, foundText, isValueOf, readValues, writeValues } from "../vm/values.ts";
import { Control } from "./control.ts";
import { MachineView } from "./machine_view.ts";
import type { Turn } from "./paused_run.ts";
import { prepare } from "./prepared.ts";
import { exportText, stale, unknownExport } from "./refusal.ts";
import { type AsyncRunOptions, checkRunOptions, type RunOptions } from "./run_options.ts";
import { mostValues, Session } from "./session.ts";
import {
  checkRestoreOptions,
  copyCaptured,
  type ForkOptions,
  openRestorable,
  type RestoreOptions,
  type SnapshotOptions,
  writeSnapshot,
} from "./snapshot.ts";
import { adopt, capture } from "./snapshot_session.ts";

/** How an executor runs. */
export interface ExecutorOptions {
  /**
   * Which engine runs the code: "interpreter"; "native", which compiles it to WebAssembly before it
   * runs; or "auto", the default, which starts in the interpreter and compiles what runs for long.
   * Results, traps, fuel and pauses are the same. Code that the native engine cannot take is interpreted.
   */
  readonly engine?: "interpreter" | "native" | "auto" | undefined;
  /**
   * What happens at a charge that the fuel limit forbids: "trap", the default, ends the run with
   * OutOfFuel; "pause" pauses it before the charge, wherever in the code that is. A run that a host
   * function waits for cannot pause and traps; so does a charge within a host function that has
   * already used more than its arguments (see `Caller.consumeFuel`).
   */
  readonly onOutOfFuel?: "trap" | "pause" | undefined;
  /** Records the runs (`Tracer`) or attributes their fuel (`Profiler`); they end and cost the same. */
  readonly tracer?: LoopMaker | undefined;
  /** @internal Called with the state of a new instance before its code runs, to put host objects into it. */
  readonly prepare?: ((machine: Machine) => void) | undefined;
}

const ENGINES: readonly unknown[] = ["interpreter", "native", "auto"];

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
  /** The instance and its runs. */
  readonly #session: Session<T>;
  /** What it was made with, for copies of it. */
  readonly #options: ExecutorOptions;

  /**
   * Binds a module to a store.
   *
   * @throws {UsageError} when an argument is not what it should be.
   * @throws {VerifyError} when the code is longer than the store's limits allow, or it is decoded and
   * cannot be proved sound.
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
    const { engine, onOutOfFuel, tracer, prepare: prepareMachine } = options;
    checkEngine(engine);
    if (onOutOfFuel !== undefined && onOutOfFuel !== "trap" && onOutOfFuel !== "pause") {
      refuse("InvalidOptions", `onOutOfFuel is ${foundText(onOutOfFuel)}, neither "trap" nor "pause"`);
    }
    if (tracer !== undefined && typeof tracer?.loopFor !== "function") {
      refuse("InvalidOptions", `tracer is ${foundText(tracer)}, neither a Tracer nor a Profiler`);
    }
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
    // A tracer follows one run; a copy that shall have one is given its own.
    this.#options = { engine, onOutOfFuel, prepare: prepareMachine };
    const prepared = prepare(module, (index) => store.linker?.bySyscall(index), store.limits);
    prepared.check();
    this.#session = new Session<T>(this, store, module, prepared, {
      pausesForFuel: onOutOfFuel === "pause",
      engine: engine ?? "auto",
      prepare: prepareMachine,
      tracer,
    });
  }

  /**
   * Makes the instance: memory, tables, globals, segments and the start function. The first run does
   * it by itself. On success the instance takes the place of the one the store had; otherwise that
   * one stays.
   *
   * @throws {UsageError} `Paused`, `Running`, `Reentrant`, `StaleInstance`, `Disposed`,
   * `AlreadyInstantiated` or `InvalidOptions`.
   */
  instantiate(options?: RunOptions): Outcome {
    const doing = () => "instantiate";
    return this.#instantiateOnce(doing, controlOf(doing, options)) as Outcome;
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
    options?: RunOptions,
  ): Outcome {
    const doing = () => "execute";
    return this.#execute(doing, params, types, controlOf(doing, options)) as Outcome;
  }

  /**
   * Runs an exported function of a compiled module.
   *
   * @throws {UsageError} unknown export, wrong arguments, or a store that cannot run now.
   *
   * @example A bound on time
   * ```ts
   * import { compile, RwasmExecutor, RwasmStore } from "./mod.ts";
   * // (module (func (export "spin") (loop $again (br $again))))
   * const wasm = Uint8Array.fromBase64("AGFzbQEAAAABBAFgAAADAgEABwgBBHNwaW4AAAoJAQcAA0AMAAsL");
   * const executor = new RwasmExecutor(new RwasmStore(), compile(wasm));
   * const outcome = executor.call("spin", [], { timeoutMs: 20 });
   * console.log(outcome.status === "paused" && outcome.reason); // deadline
   * ```
   */
  call(name: string, params: readonly Value[] = [], options?: RunOptions): Outcome {
    const doing = () => `call ${exportText(name)}`;
    return this.#call(doing, name, params, controlOf(doing, options)) as Outcome;
  }

  /**
   * {@link RwasmExecutor.instantiate}, as {@link RwasmExecutor.callAsync} runs.
   *
   * @throws {UsageError | PausedError}
   */
  async instantiateAsync(options: AsyncRunOptions = {}): Promise<Outcome> {
    const doing = () => "instantiate", control = this.#asyncControl(doing, options);
    return await this.#session.inTurns(doing, this.#instantiateOnce(doing, control), control);
  }

  /**
   * {@link RwasmExecutor.execute}, as {@link RwasmExecutor.callAsync} runs.
   *
   * @throws {UsageError | PausedError}
   */
  async executeAsync(
    params: readonly Value[] = [],
    types?: { readonly params: readonly ValueType[]; readonly results: readonly ValueType[] },
    options: AsyncRunOptions = {},
  ): Promise<Outcome> {
    const doing = () => "execute", control = this.#asyncControl(doing, options);
    return await this.#session.inTurns(doing, this.#execute(doing, params, types, control), control);
  }

  /**
   * Runs an exported function in slices of a few milliseconds, between which timers, events and other
   * runs have their turn, and awaits asynchronous host functions. Runs of several executors share the
   * processor. Ends as {@link RwasmExecutor.call} does, but an abort and a deadline are errors. Until
   * then the store refuses other runs; fuel can be added, memory read, breakpoints set.
   *
   * @throws {UsageError} unknown export, wrong arguments, or a store that cannot run now; `RunGivenUp`
   * when the store is reset or disposed of meanwhile.
   * @throws {PausedError} `Aborted` or `DeadlineExceeded`; the run is paused and can go on.
   *
   * @example
   * ```ts
   * import { compile, ImportLinker, RwasmExecutor, RwasmStore } from "./mod.ts";
   * // (module (import "env" "ask" (func $ask (param i32) (result i32)))
   * //   (func (export "main") (result i32) i32.const 20 call $ask))
   * const wasm = Uint8Array.fromBase64(
   *   "AGFzbQEAAAABCgJgAX8Bf2AAAX8CCwEDZW52A2FzawAAAwIBAQcIAQRtYWluAAEKCAEGAEEUEAAL",
   * );
   * const linker = new ImportLinker().define(
   *   "env",
   *   "ask",
   *   { index: 1, params: ["i32"], results: ["i32"], async: true },
   *   async (_caller, x: number) => await Promise.resolve(x + 22),
   * );
   * const executor = new RwasmExecutor(new RwasmStore({ linker }), compile(wasm, { linker }));
   * const outcome = await executor.callAsync("main", [], { timeoutMs: 5000 });
   * if (outcome.status === "done") console.log(outcome.results); // [ 42 ]
   * ```
   */
  async callAsync(
    name: string,
    params: readonly Value[] = [],
    options: AsyncRunOptions = {},
  ): Promise<Outcome> {
    const doing = () => `call ${exportText(name)}`, control = this.#asyncControl(doing, options);
    return await this.#session.inTurns(doing, this.#call(doing, name, params, control), control);
  }

  /**
   * @internal Runs any function of a compiled and instantiated module by its Wasm index, with values
   * that fit its type. Host functions may call it: the run they interrupt then waits on stacks of its
   * own. Such a run cannot pause, because the host function above it cannot: it traps instead.
   */
  callFunction(index: number, params: readonly Value[]): Outcome {
    const info = this.module.info!, type = info.types[info.functionTypes[index]!]!;
    const entry = { pc: info.functionStarts[index]!, params, type };
    return this.#session.callNested(this.store.machine!, entry);
  }

  /**
   * Goes on with a paused run. One that a host function paused needs the results which that function
   * still owes; for all other reasons there are none.
   *
   * @throws {UsageError} `NotPaused`, `Running`, `Reentrant`, `Disposed`, `InvalidOptions`, or values
   * that do not fit; the run stays paused.
   */
  resume(results: readonly Value[] = [], options?: RunOptions): Outcome {
    const doing = () => "resume";
    return this.#session.resume(doing, results, controlOf(doing, options)) as Outcome;
  }

  /**
   * Goes on with a paused run as {@link RwasmExecutor.callAsync} does. A run that stopped at an
   * asynchronous host function waits for it, unless results are given.
   *
   * @throws {UsageError | PausedError}
   */
  async resumeAsync(results?: readonly Value[], options: AsyncRunOptions = {}): Promise<Outcome> {
    const doing = () => "resume", control = this.#asyncControl(doing, options);
    const { pending, outcome } = this.#session.parked(doing);
    const waits = pending !== undefined && results === undefined;
    return await this.#session.inTurns(
      doing,
      waits ? outcome : this.#session.resume(doing, results ?? [], control),
      control,
    );
  }

  /**
   * Makes exactly one rWasm instruction of a paused run: pauses with the reason "step" behind it, or
   * ends as the instruction does. A host function that is called counts as one; breakpoints do not
   * stop it. Start with `call(name, params, { step: true })`.
   *
   * @throws {UsageError} `NotPaused`, `AwaitsResults` when a host function owes results, or a store
   * that cannot run now.
   *
   * @example
   * ```ts
   * import { assemble, RwasmExecutor, RwasmStore } from "./mod.ts";
   * const executor = new RwasmExecutor(new RwasmStore(), assemble("I32Const 1\nDrop\nReturn"));
   * let outcome = executor.execute([], undefined, { step: true }), steps = 0;
   * for (; outcome.status === "paused"; steps++) outcome = executor.step();
   * console.log(steps); // 3
   * ```
   */
  step(): Outcome {
    const doing = () => "step";
    const control = new Control(checkRunOptions(doing, {}, false));
    control.steps = 1;
    return this.#session.goOn(this.#session.steppable(doing), control);
  }

  /**
   * Runs an exported function instruction by instruction: gives each before it runs. Leaving the loop
   * leaves the run paused there; `resume()` goes on with it. The generator returns how the run ended.
   *
   * @throws {UsageError} as {@link RwasmExecutor.call} and {@link RwasmExecutor.step} do.
   *
   * @example
   * ```ts
   * import { compile, RwasmExecutor, RwasmStore } from "./mod.ts";
   * const executor = new RwasmExecutor(new RwasmStore(), compile(await Deno.readFile("examples/fib/fib.wasm")));
   * for (const event of executor.trace("fib", [3])) {
   *   console.log(event.pc, event.opcode, event.stackTop, event.fuel);
   * }
   * ```
   */
  *trace(name: string, params: readonly Value[] = []): Generator<StepEvent, Outcome, undefined> {
    return yield* stepEvents(this, () => this.call(name, params, { step: true }));
  }

  /**
   * Runs a paused run one instruction at a time until a predicate says so after one of them, and
   * pauses there with the reason "step"; also at a breakpoint, a deadline or an abort. What the
   * predicate throws comes out of here, the run paused.
   *
   * @throws {UsageError} as {@link RwasmExecutor.step}.
   *
   * @example Stop at the first division
   * ```ts
   * import { assemble, RwasmExecutor, RwasmStore } from "./mod.ts";
   * const module = assemble("I32Const 7\nI32Const 2\nI32DivU\nDrop\nReturn");
   * const executor = new RwasmExecutor(new RwasmStore(), module);
   * executor.execute([], undefined, { step: true });
   * const outcome = executor.runUntil(({ op }) => op === "I32DivU");
   * if (outcome.status === "paused" && outcome.reason === "step") console.log(outcome.pc); // 2
   * ```
   */
  runUntil(
    predicate: (view: MachineView) => boolean,
    options: Omit<RunOptions, "step"> = {},
  ): Outcome {
    const doing = () => "run until a predicate says so";
    if (typeof predicate !== "function") {
      throw new UsageError("InvalidPredicate", `Cannot ${doing()}: it is ${foundText(predicate)}`, {
        hint: "a predicate is a function such as ({ pc }) => pc === 12",
      });
    }
    const control = new Control(checkRunOptions(doing, options, false));
    control.steps = Infinity;
    let thrown: { readonly error: unknown } | undefined;
    const parked = this.#session.steppable(doing);
    // The instance of an implied instantiation goes on with the same machine.
    const view = new MachineView(parked.run.machine);
    control.until = () => {
      try {
        return predicate(view) === true;
      } catch (error) {
        thrown = { error };
        return true;
      }
    };
    const outcome = this.#session.goOn(parked, control);
    if (thrown !== undefined) throw thrown.error;
    return outcome;
  }

  /** How the run of this executor that is paused came to be so; undefined when none is, or it goes on by itself. */
  get paused(): Paused | undefined {
    const parked = this.#session.ownParked();
    return parked === undefined || parked.busy ? undefined : parked.outcome as Paused;
  }

  /**
   * Makes all runs pause before an instruction, with the reason "breakpoint". While there are
   * breakpoints, code runs in the plain loop. A run that is paused at the place goes on from there.
   *
   * @throws {UsageError} `InvalidBreakpoint` when there is no such place, or a decoded module does not
   * tell.
   *
   * @example
   * ```ts
   * import { assemble, RwasmExecutor, RwasmStore } from "./mod.ts";
   * const executor = new RwasmExecutor(new RwasmStore(), assemble("I32Const 1\nDrop\nReturn"));
   * const breakpoint = executor.addBreakpoint({ pc: 1 });
   * const outcome = executor.execute();
   * if (outcome.status === "paused" && outcome.reason === "breakpoint") console.log(outcome.pc); // 1
   * executor.removeBreakpoint(breakpoint);
   * console.log(executor.resume().status); // done
   * ```
   */
  addBreakpoint(place: BreakpointPlace): Breakpoint {
    return this.#session.breakpoints.add(place);
  }

  /** Removes a breakpoint that {@link RwasmExecutor.addBreakpoint} gave; false when it is not there. */
  removeBreakpoint(breakpoint: Breakpoint): boolean {
    return this.#session.breakpoints.remove(breakpoint);
  }

  /** The breakpoints, in the order they were added. */
  get breakpoints(): readonly Breakpoint[] {
    return this.#session.breakpoints.list();
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
    const machine = this.#session.machine;
    this.#session.refuseDisposed(() => what);
    if (machine === undefined) {
      throw new UsageError("NotInstantiated", `Cannot ${what}: the module is not instantiated`, {
        hint: "call instantiate() first",
      });
    }
    if (machine !== this.store.machine) throw stale(what);
    return { machine, global, what };
  }

  /**
   * Everything the instance and its paused run are, as bytes: memory, globals, tables, stacks, fuel,
   * limits, and what plugins keep. {@link RwasmExecutor.restore} goes on from there, in this process
   * or another one, as if nothing had happened. Nothing changes here. Not held are the host context
   * (see `SnapshotOptions.attachment`), the payload of a pause, breakpoints, and the promise of an
   * asynchronous host function, whose results are then for `resume` to give.
   *
   * @throws {UsageError} `Reentrant`, `Disposed`, `StaleInstance` or `Paused`.
   * @throws {SnapshotError} when `since` cannot be used.
   * @throws {PluginError} `StateNotSaved`.
   *
   * @example
   * ```ts
   * import { assemble, RwasmExecutor, RwasmStore } from "./mod.ts";
   * const module = assemble("ConsumeFuel 8\nReturn");
   * const executor = new RwasmExecutor(new RwasmStore({ fuelLimit: 5 }), module, { onOutOfFuel: "pause" });
   * executor.execute();
   * const bytes = executor.snapshot();
   *
   * const other = RwasmExecutor.restore(bytes, { module });
   * other.store.addFuel(3);
   * console.log(other.resume().status, other.store.consumedFuel()); // done 8n
   * ```
   */
  snapshot(options: SnapshotOptions = {}): Uint8Array<ArrayBuffer> {
    return writeSnapshot(this.module, this.store, capture(this.#session, "take a snapshot"), options);
  }

  /**
   * Makes a store and an executor that go on where a snapshot was taken. A paused run is paused again:
   * see {@link RwasmExecutor.paused}. Bytes may come from anybody: what is not a state of the module
   * under the limits is refused, in bounded time and memory.
   *
   * @throws {SnapshotError} `NotASnapshot`, `WrongVersion`, `Truncated`, `Corrupt`, `WrongModule`,
   * `WrongLinker`, `LimitTooSmall`, `BaseMissing`, `WrongBase`, `InvalidState` or `OutOfHostMemory`.
   * @throws {PluginError} `StateNotRestored`.
   * @throws {UsageError | VerifyError | LinkError} as the constructor does.
   */
  static restore<T = undefined>(
    bytes: Uint8Array,
    options: RestoreOptions<T> & ExecutorOptions,
  ): RwasmExecutor<T> {
    checkRestoreOptions(options);
    const { module, linker, data } = options;
    const saved = openRestorable(bytes, options), { limits, fuelLimit } = saved;
    const store = new RwasmStore<T>({ linker, data: data as T, limits, fuelLimit });
    const executor = new RwasmExecutor<T>(store, module, options);
    const prepared = prepare(module, (index) => linker?.bySyscall(index), limits);
    adopt(executor.#session, executor, saved.read(store, prepared));
    return executor;
  }

  /**
   * A copy of the instance and its paused run on a store of its own; both go on without each other.
   * Plugins that keep something outside of the store share it with the copy, unless the copy gets a
   * linker of its own.
   *
   * @throws {UsageError | SnapshotError | PluginError} as {@link RwasmExecutor.snapshot} and
   * {@link RwasmExecutor.restore} do.
   */
  fork(options: ForkOptions<T> & ExecutorOptions = {}): RwasmExecutor<T> {
    const what = "fork", { linker, data } = this.store, captured = capture(this.#session, what);
    if (typeof options !== "object" || options === null) {
      throw new UsageError(
        "InvalidOptions",
        `Cannot ${what}: options are ${foundText(options)}, not an object`,
      );
    }
    const { limits, fuel } = this.store;
    const store = new RwasmStore<T>({
      linker: options.linker ?? linker,
      data: "data" in options ? options.data as T : data,
      limits,
      fuelLimit: fuel.limit,
    });
    const executor = new RwasmExecutor<T>(store, this.module, { ...this.#options, ...options });
    adopt(executor.#session, executor, copyCaptured(captured, this.store, store));
    return executor;
  }

  /**
   * Gives up the paused run of this executor and lets go of its instance; the store can then serve
   * another one. Running anything is a `UsageError` afterwards. Done by `using`.
   *
   * @throws {UsageError} `Reentrant` when called by a host function.
   */
  [Symbol.dispose](): void {
    this.#session.dispose();
  }

  #asyncControl(doing: () => string, options: unknown): Control {
    const control = new Control(checkRunOptions(doing, options, true), true);
    control.beginTurn(this.store.fuel);
    return control;
  }

  #instantiateOnce(doing: () => string, control: Control | undefined): Outcome | Turn {
    this.#session.ready(doing);
    if (this.#session.machine !== undefined) {
      throw new UsageError("AlreadyInstantiated", "Cannot instantiate: this executor has its instance", {
        hint: "make a new executor for a fresh instance",
      });
    }
    return this.#session.instantiate(undefined, control);
  }

  #execute(
    doing: () => string,
    params: readonly Value[],
    types: FunctionType | undefined,
    control: Control | undefined,
  ): Outcome | Turn {
    this.#session.ready(doing);
    const type = this.#entryType(types);
    const checked = checkValues(doing, "parameter", type.params, params, type);
    // Looking at the parameters may have run code of theirs.
    this.#session.ready(doing);
    return this.#session.enter({ pc: this.module.sourcePc, params: checked, type }, control);
  }

  #call(
    doing: () => string,
    name: string,
    params: readonly Value[],
    control: Control | undefined,
  ): Outcome | Turn {
    this.#session.ready(doing);
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
    this.#session.ready(doing);
    return this.#session.enter(
      { pc: info.functionStarts[found.index]!, params: checked, type: found },
      control,
    );
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
}

/** The bounds that options ask for; undefined when there are no options. */
function controlOf(doing: () => string, options: unknown): Control | undefined {
  return options === undefined ? undefined : new Control(checkRunOptions(doing, options, false));
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

/** Compares the imports that the code still calls with the linker: names, types, and the index the code uses. */
function checkLinks<T>(info: ModuleInfo, store: RwasmStore<T>): void {
  const wanted = info.functionImports.filter((entry) => entry.syscall >= 0);
  if (wanted.length === 0) return;
  checkImports(wanted, store.linker, info.moduleName === undefined ? "module" : quoteName(info.moduleName));
}

/** The cells of a global's value, low word first. */
function globalCells(machine: Machine, { index, type }: GlobalExport): Int32Array {
  const even = machine.globalWord(2 * index);
  if (type !== "i64" && type !== "f64") return Int32Array.of(even);
  return Int32Array.of(machine.globalWord(2 * index + 1), even);
}
