/**
 * The tracer: given to an executor, it records what its module does, to the last change. It decides what
 * is kept and for whom; the recording itself is `boundary.ts` and `recorder.ts`.
 *
 * @module
 */

import { type TrapName, UsageError } from "../error.ts";
import type { RwasmModule } from "../isa/module.ts";
import type { Loop, LoopMaker, SyscallType } from "../vm/loop.ts";
import type { Machine } from "../vm/machine.ts";
import { RecordedLoop } from "./boundary.ts";
import type { TraceChunk } from "./chunk.ts";
import { codeOf, type TraceCode } from "./code.ts";
import { EventKind } from "./event.ts";
import { checkFilter, filterFor, type FilterOptions, leavesOut } from "./filter.ts";
import { type Checkpoint, TraceLog, type TraceSink } from "./log.ts";
import type { Trace } from "./rebuild.ts";
import { eventView, type TracerEvent, type TracerInstrState, viewInstructions } from "./views.ts";

/** Most instructions a tracer keeps when its options do not say it; about 400 MB. */
export const DEFAULT_MOST_KEPT = 2 ** 24;

/** Instructions between two calls of `progress`. */
const PROGRESS_INTERVAL = 2 ** 20;

/** Longest countdown: one that stays a small integer. */
const MOST_COUNTDOWN = 2 ** 30;

/** What a tracer records and keeps. */
export interface TracerOptions extends FilterOptions {
  /**
   * Most instructions to record: then recording stops and the run goes on. Without a sink and `last`
   * the default is {@link DEFAULT_MOST_KEPT}.
   */
  readonly most?: number | undefined;
  /** Keep only the last instructions, at least so many: what led to a trap. */
  readonly last?: number | undefined;
  /** Gets the trace piece by piece, so that it needs no memory; call {@link Tracer.finish} at the end. */
  readonly sink?: TraceSink | undefined;
  /** Called about every million instructions with how many have run. */
  readonly progress?: ((instructions: number) => void) | undefined;
  /** Whether to hash what is recorded; default true. */
  readonly hash?: boolean | undefined;
  /** @internal Instructions after which the machine is compared with the trace, ascending; see `unexplained`. */
  readonly verifyAt?: readonly number[] | undefined;
  /** @internal Records only instructions from the first number on and before the second one. */
  readonly window?: readonly [from: number, to: number] | undefined;
  /** @internal Kinds of events that are not recorded, to test that each of them is needed. */
  readonly omit?: ReadonlySet<EventKind> | undefined;
  /** @internal Called before the n-th instruction, for tests that disturb a run. */
  readonly disturb?: { readonly at: number; readonly act: (machine: Machine) => void } | undefined;
}

/**
 * Records every instruction and every change of memory, tables, globals, segments and fuel of one
 * executor's runs. Results, fuel and traps are those of a run without it.
 *
 * @example
 * ```ts
 * import { assemble, RwasmExecutor, RwasmStore, Tracer } from "./mod.ts";
 * const tracer = new Tracer();
 * const module = assemble("LocalGet 1\nI32Add\nReturn");
 * const executor = new RwasmExecutor(new RwasmStore(), module, { tracer });
 * executor.execute([21], { params: ["i32"], results: ["i32"] });
 * console.log(tracer.instructions, [...tracer.logs()].map(({ opcode }) => opcode)); // 3, …
 * ```
 */
export class Tracer implements Trace, LoopMaker {
  readonly #options: TracerOptions;
  readonly #log: TraceLog;
  readonly #partial: boolean;
  /** Most instructions to record. */
  readonly #most: number;
  #module: RwasmModule | undefined;
  #code: TraceCode | undefined;
  readonly #loops = new WeakMap<Machine, RecordedLoop>();
  #truncated = false;
  #unexplained: Unexplained | undefined;
  #finished = false;

  /**
   * A tracer that has recorded nothing.
   *
   * @throws {UsageError} `InvalidTraceFilter` when the options make no sense.
   */
  constructor(options: TracerOptions = {}) {
    if (typeof options !== "object" || options === null) {
      throw new UsageError("InvalidTraceFilter", "Cannot make a tracer: options are not an object");
    }
    checkFilter(options);
    for (const name of ["most", "last"] as const) {
      const value = options[name];
      if (value === undefined || Number.isSafeInteger(value) && value >= 1) continue;
      throw new UsageError(
        "InvalidTraceFilter",
        `Cannot make a tracer: ${name} must be an integer of 1 or more`,
      );
    }
    const { last, sink, most, window, hash = true, omit = new Set() } = options;
    if (last !== undefined && sink !== undefined) {
      throw new UsageError("InvalidTraceFilter", "Cannot make a tracer: last and sink exclude each other");
    }
    this.#options = options;
    this.#partial = leavesOut(options) || window !== undefined;
    this.#most = most ?? (sink === undefined && last === undefined ? DEFAULT_MOST_KEPT : Infinity);
    this.#log = new TraceLog({ partial: this.#partial, last, sink, hash, omit });
  }

  /** The code that ran; that of no instructions before anything ran. */
  get code(): TraceCode {
    return this.#code ?? NO_CODE;
  }

  /** Instructions that were recorded. */
  get instructions(): number {
    return this.#log.instructions;
  }

  /** Instructions that ran while it recorded. */
  get executed(): number {
    return this.#log.ran;
  }

  /** Whether recording stopped because of `most`. */
  get truncated(): boolean {
    return this.#truncated;
  }

  /** Whether everything that ran is in the trace. */
  get complete(): boolean {
    return !this.#partial && !this.#truncated && this.#options.last === undefined;
  }

  /** @internal The first change that neither an instruction nor the host made, once it was found. */
  get unexplained(): Unexplained | undefined {
    return this.#unexplained;
  }

  /** SHA-256 after each full piece of 65,536 instructions. */
  get checkpoints(): readonly Checkpoint[] {
    return this.#log.checkpoints;
  }

  /** What is kept; empty when a sink gets it. A ring keeps a little more than `last`. */
  chunks(): readonly TraceChunk[] {
    return this.#options.sink === undefined ? this.#log.chunks() : [];
  }

  /** The instructions that are kept, each with what it changed. */
  logs(): Iterable<TracerInstrState> {
    return viewInstructions(this, this.#options.last);
  }

  /**
   * SHA-256 of all that was recorded, in hexadecimal: equal for equal programs and inputs, on every
   * machine and engine.
   *
   * @throws {UsageError} `NoHash` when the options refused it.
   */
  hash(): string {
    return this.#log.digest();
  }

  /** Hands what is left to the sink. To be called once, when no run comes any more. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#log.flush();
  }

  /**
   * @internal The loop that records a machine.
   *
   * @throws {UsageError} `TracerInUse` when it records another module; `UnknownFunction`.
   */
  loopFor(machine: Machine, syscall: (index: number) => SyscallType | undefined = () => undefined): Loop {
    const known = this.#loops.get(machine);
    if (known !== undefined) return known;
    const { module } = machine;
    if (this.#module !== undefined && this.#module !== module) {
      throw new UsageError("TracerInUse", "Cannot trace the module: the tracer records another one", {
        hint: "make one tracer per module",
      });
    }
    if (this.#module === undefined) {
      this.#module = module;
      this.#code = codeOf(module, syscall);
    }
    const { window } = this.#options, inside = window && window[0] <= this.#log.ran;
    const loop = new RecordedLoop(machine, this.#log, filterFor(module, this.#options), inside, syscall);
    if (this.#truncated) loop.stop();
    this.#watch(loop, machine);
    this.#loops.set(machine, loop);
    return loop;
  }

  /** @internal A run of a machine is about to start, nested when a host function of another one starts it. */
  begin(machine: Machine, nested: boolean): void {
    this.#loops.get(machine)?.begin(nested);
  }

  /** @internal The current run of a machine paused; with `turn` only to let others have theirs. */
  paused(machine: Machine, turn: boolean): void {
    this.#loops.get(machine)?.paused(turn);
  }

  /** @internal The current run of a machine ended. */
  ended(machine: Machine, kind: "done" | "halt" | "trap", trap?: TrapName): void {
    const kinds = { done: EventKind.Done, halt: EventKind.Halt, trap: EventKind.Trap } as const;
    this.#loops.get(machine)?.ended(kinds[kind], trap);
  }

  /** What is not as the trace says while no host function could have changed it. */
  #changes(loop: RecordedLoop): TracerEvent[] {
    const log = this.#log;
    loop.recorder.window = true;
    loop.recorder.outside();
    const { chunk } = log, first = chunk.firstEvent + chunk.events;
    loop.compare();
    const changes: TracerEvent[] = [];
    for (let event = Math.max(0, first - log.chunk.firstEvent); event < log.chunk.events; event++) {
      changes.push(eventView(log.chunk, event));
    }
    return changes;
  }

  /** Lets the loop stop at every number of instructions at which there is something to do. */
  #watch(loop: RecordedLoop, machine: Machine): void {
    const { recorder } = loop, log = this.#log, { verifyAt = [], progress, window, disturb } = this.#options;
    let verified = 0;
    const next = (): number => {
      while (verified < verifyAt.length && verifyAt[verified]! <= log.ran) verified++;
      const { ran } = log, after = (interval: number) => ran - ran % interval + interval;
      let at = Infinity;
      if (verified < verifyAt.length) at = Math.min(at, verifyAt[verified]!);
      if (progress !== undefined) at = Math.min(at, after(PROGRESS_INTERVAL));
      const last = window && Math.max(window[1], (verifyAt.at(-1) ?? 0) + 1);
      for (const point of window === undefined ? [] : [...window, last!]) {
        if (point > ran) at = Math.min(at, point);
      }
      if (disturb !== undefined && disturb.at > ran) at = Math.min(at, disturb.at);
      if (this.#most !== Infinity) at = Math.min(at, ran + Math.max(1, this.#most - log.instructions));
      return Math.min(at - ran, MOST_COUNTDOWN);
    };
    recorder.milestone = () => {
      const { ran } = log;
      if (log.instructions >= this.#most) {
        this.#truncated = true;
        loop.stop();
        return false;
      }
      if (disturb?.at === ran) disturb.act(machine);
      if (window !== undefined) {
        recorder.window = ran >= window[0] && ran < window[1];
        if (ran >= window[1] && ran >= (verifyAt.at(-1) ?? 0) + 1) {
          this.#truncated = true;
          loop.stop();
          return false;
        }
      }
      if (verifyAt[verified] === ran) {
        const changes = this.#changes(loop);
        if (changes.length > 0) {
          this.#unexplained = { before: ran, changes };
          this.#truncated = true;
          loop.stop();
          return false;
        }
      }
      if (progress !== undefined && ran % PROGRESS_INTERVAL === 0) progress(ran);
      recorder.countdown = next() - 1;
      return true;
    };
    recorder.countdown = next();
  }
}

/** A change that neither an instruction nor the host made. */
export interface Unexplained {
  /** Instructions that had run when it was found. */
  readonly before: number;
  /** The changes. */
  readonly changes: readonly TracerEvent[];
}

const NO_CODE: TraceCode = {
  opcodes: new Uint8Array(0),
  immediates: new Int32Array(0),
  starts: new Uint32Array(0),
  names: [],
  syscalls: new Map(),
};
