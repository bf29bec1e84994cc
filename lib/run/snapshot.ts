/**
 * Snapshots: what an executor and its store hold, as bytes, and back. This file is the order of the
 * pieces and what is compared with what; the pieces are in the files `snapshot_*.ts`. It runs no
 * guest code, and knows executors only by what they hand over.
 *
 * ```text
 * head          what it is of, limits, fuel, the paused run    snapshot_head.ts
 * host calls    index, name and types of each                  snapshot_binding.ts
 * attachment    bytes of the host's choice
 * states        name and bytes of each plugin's state
 * machine       stacks, globals, tables, when there is one     snapshot_state.ts
 * memory        blocks that are not zero, when there is one    snapshot_memory.ts
 * ```
 *
 * @module
 */

import { Reader } from "../bytes/reader.ts";
import { SnapshotError, UsageError } from "../error.ts";
import { RwasmModule, slotsOfAll, type ValueType } from "../isa/module.ts";
import { Op } from "../isa/opcode.ts";
import type { Limits } from "../limits.ts";
import { ImportLinker } from "../plugin/linker.ts";
import type { StoreView } from "../plugin/plugin.ts";
import { fuelAmount, type FuelMeter } from "../vm/fuel.ts";
import { Machine } from "../vm/machine.ts";
import type { PauseReason } from "../vm/outcome.ts";
import { foundText } from "../vm/values.ts";
import type { Prepared } from "./prepared.ts";
import { checkCalled, encodeCalled, moduleDigest } from "./snapshot_binding.ts";
import {
  finishFile,
  isBytes,
  Kind,
  MOST_HOST_BYTES,
  openFile,
  readPiece,
  type Refuse,
  sameBytes,
  skipPiece,
  SNAPSHOT_VERSION,
  startFile,
  writePiece,
} from "./snapshot_file.ts";
import {
  decodeHead,
  encodeHead,
  type Head,
  limitsFor,
  MOST_HEAD_BYTES,
  type SavedRun,
} from "./snapshot_head.ts";
import { copyMemory, MemoryReader, writeMemory } from "./snapshot_memory.ts";
import {
  matchStates,
  readStates,
  restoreStates,
  saveStates,
  skipStates,
  writeStates,
} from "./snapshot_plugins.ts";
import { impossibility } from "./snapshot_proof.ts";
import { decodeState, encodeState, mostStateBytes, tooSmall } from "./snapshot_state.ts";

export { isSnapshot } from "./snapshot_file.ts";
export type { SavedEntry, SavedRun } from "./snapshot_head.ts";

/** What a snapshot is taken with; everything is optional. */
export interface SnapshotOptions {
  /**
   * A full snapshot of the same module, best an earlier one of the same run: blocks of memory that
   * are as there are left out, and restoring needs it as `base`.
   */
  readonly since?: Uint8Array | undefined;
  /** Bytes of the host's choice, such as what its context holds; `inspectSnapshot` gives them back. */
  readonly attachment?: Uint8Array | undefined;
}

/** What a snapshot is restored with. */
export interface RestoreOptions<T> {
  /** The module the snapshot is of. */
  readonly module: RwasmModule;
  /** Host functions, the same as before; the state of its plugins is restored. */
  readonly linker?: ImportLinker<T> | undefined;
  /** Host context of the new store. Snapshots do not hold it. */
  readonly data?: T;
  /**
   * Bounds of the new store; what is absent is as before. What is above `DEFAULT_LIMITS` must be
   * named: a file must not choose what it may take of the host.
   */
  readonly limits?: Partial<Limits> | undefined;
  /**
   * Most fuel the run may consume in all, in place of the limit it had: 0 … 2^64 − 1, and not below
   * what was consumed before, which counts; undefined for no bound. When it is absent the limit stays.
   */
  readonly fuelLimit?: bigint | number | undefined;
  /** The full snapshot that this one was taken `since`. */
  readonly base?: Uint8Array | undefined;
  /**
   * Whether to run what cannot be proved to be a state of the module, in the plain loop, which is
   * safe for any state. A guest can get there when its host puts numbers that are no functions into
   * its tables. Default false.
   */
  readonly unproven?: boolean | undefined;
}

/** What a fork is made with; everything is optional. */
export interface ForkOptions<T> {
  /** Host functions of the copy; default those of the original. Plugins get the state of the same name. */
  readonly linker?: ImportLinker<T> | undefined;
  /** Host context of the copy; default that of the original. */
  readonly data?: T;
}

/** What a snapshot says of itself. */
export interface SnapshotInfo {
  /** Version of the format. */
  readonly version: number;
  /** Whether it needs another one to be restored; see `SnapshotOptions.since`. */
  readonly needsBase: boolean;
  /** SHA-256 of the module, in hex: equal for two snapshots of the same module. */
  readonly module: string;
  /** Whether the module was instantiated; false before the first run, and while it is under way. */
  readonly instantiated: boolean;
  /** Why a run is paused, and what `resume` must be given; undefined when none is. */
  readonly paused: {
    /** As in `Paused`. */
    readonly reason: PauseReason;
    /** Types of the results the host owes; undefined when the code paused by itself and nobody knows. */
    readonly results: readonly ValueType[] | undefined;
  } | undefined;
  /** Fuel consumed. */
  readonly consumedFuel: bigint;
  /** The fuel limit. */
  readonly fuelLimit: bigint | undefined;
  /** The limits of the store. */
  readonly limits: Limits;
  /** Size of the memory in bytes. */
  readonly memoryBytes: number;
  /** Names of the plugin states in it. */
  readonly states: readonly string[];
  /** The bytes that were attached; empty when none were. */
  readonly attachment: Uint8Array;
}

/** What an executor hands over, and gets back. */
export interface Captured {
  /** State of the instance, or of the one that is being made; undefined when there is none. */
  readonly machine: Machine | undefined;
  /** The paused run. */
  readonly run: SavedRun | undefined;
}

/** What of a store matters here. */
interface StoreParts<T> extends StoreView<T> {
  readonly linker: ImportLinker<T> | undefined;
  readonly limits: Limits;
  readonly fuel: FuelMeter;
}

/** Most bytes of the list of host functions. */
const MOST_CALLED_BYTES = 64 * 1024 * 1024;

function refusing(doing: string): Refuse {
  return (code, why, details = {}) => {
    throw new SnapshotError(code, `Cannot ${doing}: ${why}`, details);
  };
}

/** Writes a snapshot. */
export function writeSnapshot<T>(
  module: RwasmModule,
  store: StoreParts<T>,
  { machine, run }: Captured,
  options: SnapshotOptions,
): Uint8Array<ArrayBuffer> {
  const doing = "take a snapshot", refuse = refusing(doing);
  if (typeof options !== "object" || options === null) {
    throw new UsageError(
      "InvalidOptions",
      `Cannot ${doing}: options are ${foundText(options)}, not an object`,
    );
  }
  const { since, attachment = new Uint8Array(0) } = options;
  if (!isBytes(attachment)) {
    throw new UsageError(
      "InvalidOptions",
      `Cannot ${doing}: the attachment is ${foundText(attachment)}, not a Uint8Array`,
    );
  }
  const digest = moduleDigest(module);
  const base = since === undefined ? undefined : openSnapshot(since, `${doing} since another`);
  if (base !== undefined && !sameBytes(base.head.module, digest)) {
    refuse("WrongModule", "the snapshot it shall be a change of is one of another module");
  }
  if (base?.head.base !== undefined) {
    refuse("WrongBase", "the snapshot it shall be a change of is a change itself", {
      hint: "use the full snapshot that one was made since",
    });
  }
  const states = saveStates(store.linker?.states ?? [], store);
  const head: Head = {
    module: digest,
    base: base?.digest,
    limits: store.limits,
    fuel: { limit: store.fuel.limit, consumed: store.fuel.consumed(), uncharged: store.fuel.uncharged },
    hasMachine: machine !== undefined,
    run,
    pages: machine?.memory.pages ?? 0,
  };
  const writer = startFile();
  writePiece(writer, encodeHead(head));
  writePiece(writer, encodeCalled(module, store.linker));
  writePiece(writer, attachment);
  writeStates(writer, states);
  if (machine !== undefined) {
    machine.memory.refresh();
    writePiece(writer, encodeState(machine, run !== undefined));
    writeMemory(writer, machine.memory.bytes, base?.memory());
  }
  return finishFile(writer, base === undefined ? Kind.Full : Kind.Change);
}

/** A snapshot that was opened: nothing but the head was looked at. */
interface OpenSnapshot {
  /** Its checksum. */
  readonly digest: Uint8Array;
  readonly head: Head;
  /** Stands behind the head. */
  readonly reader: ReturnType<typeof openFile>["reader"];
  readonly refuse: Refuse;
  /** Its memory, for one who reads nothing else. */
  memory(): MemoryReader | undefined;
}

function openSnapshot(bytes: unknown, doing: string): OpenSnapshot {
  const { kind, digest, reader } = openFile(bytes, doing), refuse = refusing(doing);
  const head = decodeHead(readPiece(reader, MOST_HEAD_BYTES, refuse), kind === Kind.Change, refuse);
  return {
    digest,
    head,
    reader,
    refuse,
    memory() {
      skipPiece(reader);
      skipPiece(reader);
      skipStates(reader, refuse);
      if (!head.hasMachine) return undefined;
      skipPiece(reader);
      return new MemoryReader(reader, head.pages, refuse);
    },
  };
}

/**
 * What a snapshot says of itself, without its module. Only the checksum is checked: that it can be
 * restored is not said.
 *
 * @throws {SnapshotError} `NotASnapshot`, `WrongVersion`, `Truncated` or `Corrupt`.
 *
 * @example
 * ```ts
 * import { assemble, inspectSnapshot, RwasmExecutor, RwasmStore } from "./mod.ts";
 * const executor = new RwasmExecutor(new RwasmStore({ fuelLimit: 5 }), assemble("Return"));
 * const bytes = executor.snapshot({ attachment: Uint8Array.of(7) });
 * console.log(inspectSnapshot(bytes).fuelLimit, inspectSnapshot(bytes).attachment[0]); // 5n 7
 * ```
 */
export function inspectSnapshot(bytes: Uint8Array): SnapshotInfo {
  const { head, reader, refuse } = openSnapshot(bytes, "inspect a snapshot");
  const { run, fuel, limits, pages } = head;
  skipPiece(reader);
  const attachment = readPiece(reader, MOST_HOST_BYTES, refuse).slice();
  const states = skipStates(reader, refuse);
  return {
    version: SNAPSHOT_VERSION,
    needsBase: head.base !== undefined,
    module: head.module.toHex(),
    instantiated: head.hasMachine && !run?.initializing,
    paused: run && { reason: run.reason, results: run.awaited },
    consumedFuel: fuel.consumed,
    fuelLimit: fuel.limit,
    limits,
    memoryBytes: pages * 65_536,
    states,
    attachment,
  };
}

/** A snapshot whose module, host functions and limits are right. */
export interface Restorable {
  /** Limits of the store to make. */
  readonly limits: Limits;
  /** Limit of its fuel. */
  readonly fuelLimit: bigint | undefined;
  /** Reads the rest for a store that was just made, and restores its fuel. */
  read<T>(store: StoreParts<T>, prepared: Prepared): Restored<T>;
}

/** What was in a snapshot. */
export interface Restored<T> extends Captured {
  /** Hands the plugins of the store their states; the machine must be in its place. */
  restoreStates(store: StoreParts<T>): void;
}

/**
 * Checks what cannot wait until a store is made.
 *
 * @throws {UsageError} `InvalidOptions`, `InvalidModule` or `InvalidLinker`.
 */
export function checkRestoreOptions<T>(options: RestoreOptions<T>): void {
  const refuse = (code: string, why: string): never => {
    throw new UsageError(code, `Cannot restore: ${why}`);
  };
  if (typeof options !== "object" || options === null) {
    refuse("InvalidOptions", `options are ${foundText(options)}, not an object`);
  }
  const { module, linker } = options;
  if (!(module instanceof RwasmModule)) {
    refuse("InvalidModule", `module is ${foundText(module)}, not an RwasmModule`);
  }
  if (linker !== undefined && !(linker instanceof ImportLinker)) {
    refuse("InvalidLinker", `linker is ${foundText(linker)}, not an ImportLinker`);
  }
}

/** Opens a snapshot for a module and its host functions. */
export function openRestorable<T>(bytes: Uint8Array, options: RestoreOptions<T>): Restorable {
  const { module, linker, unproven = false } = options;
  const opened = openSnapshot(bytes, "restore"), { head, reader, refuse } = opened;
  if (!sameBytes(head.module, moduleDigest(module))) {
    refuse("WrongModule", "the snapshot is of another module", {
      hint: "a module that is compiled with other options, or decoded instead of compiled, is another one",
    });
  }
  const base = baseOf(opened, options.base), limits = limitsFor(head.limits, options.limits, refuse);
  const called = new Reader(
    readPiece(reader, MOST_CALLED_BYTES, refuse),
    (_code, reason) => refuse("Corrupt", `the host functions: ${reason}`),
  );
  checkCalled(called, module, linker, refuse);
  skipPiece(reader); // the attachment
  return {
    limits,
    fuelLimit: fuelLimitFor(head.fuel, options),
    read<T>(store: StoreParts<T>, prepared: Prepared) {
      const states = matchStates(readStates(reader, refuse), store.linker?.states ?? [], refuse);
      const machine = head.hasMachine ? readMachine(opened, module, store, base) : undefined;
      if (!reader.atEnd) {
        refuse("Corrupt", `${reader.remaining} bytes follow the last piece`, { offset: reader.position });
      }
      if (machine !== undefined && head.run !== undefined) {
        checkRun(machine, head.run, prepared, unproven, refuse);
        checkPause(machine, head.run, linker, refuse);
      }
      restoreFuel(store.fuel, head.fuel);
      return {
        machine,
        run: head.run,
        restoreStates: (store) => restoreStates(states, store),
      };
    },
  };
}

/** The limit of the new store; it must not be below what was consumed. */
function fuelLimitFor<T>({ limit, consumed }: Head["fuel"], options: RestoreOptions<T>): bigint | undefined {
  if (!("fuelLimit" in options)) return limit;
  if (options.fuelLimit === undefined) return undefined;
  const wanted = fuelAmount(options.fuelLimit, "restore");
  if (wanted >= consumed) return wanted;
  throw new UsageError(
    "InvalidFuel",
    `Cannot restore: the run has consumed ${consumed} fuel, more than ${wanted}`,
  );
}

function restoreFuel(
  meter: FuelMeter,
  { consumed, uncharged }: Pick<Head["fuel"], "consumed" | "uncharged">,
): void {
  meter.tryCharge(consumed); // at most the limit
  meter.uncharged = uncharged;
}

/** The snapshot that another one is a change of. */
function baseOf({ head, refuse }: OpenSnapshot, given: Uint8Array | undefined): OpenSnapshot | undefined {
  if (head.base === undefined) return undefined;
  if (given === undefined) {
    refuse("BaseMissing", "the snapshot holds only what changed since another one", {
      hint: "give that one as the option base",
    });
  }
  const base = openSnapshot(given, "restore from a base");
  if (!sameBytes(base.digest, head.base) || base.head.base !== undefined) {
    refuse("WrongBase", "the base is not the snapshot this one was taken since");
  }
  return base;
}

function readMachine<T>(
  { head, reader, refuse }: OpenSnapshot,
  module: RwasmModule,
  { limits, fuel }: StoreParts<T>,
  base: OpenSnapshot | undefined,
): Machine {
  const machine = new Machine(module, limits, fuel), { memory } = machine;
  decodeState(
    readPiece(reader, mostStateBytes(module, limits), refuse),
    machine,
    head.run !== undefined,
    refuse,
  );
  const { refusedPages } = memory;
  if (head.pages > memory.pageLimit) tooSmall(refuse, `${head.pages} pages of memory`, "memoryPages", limits);
  const source = new MemoryReader(reader, head.pages, refuse);
  if (base === undefined && !source.isWhole) refuse("Corrupt", "blocks of its memory are elsewhere");
  if (memory.grow(head.pages) < 0) {
    refuse("OutOfHostMemory", `the host has no room for ${head.pages} pages of memory`);
  }
  memory.refusedPages = refusedPages;
  source.readInto(memory.bytes, base?.memory());
  return machine;
}

/** Refuses a paused run that cannot be. */
function checkRun(
  machine: Machine,
  { awaited, initializing, then }: SavedRun,
  prepared: Prepared,
  unproven: boolean,
  refuse: Refuse,
): void {
  const { module } = machine, { info } = module;
  const why = impossibility(
    machine,
    unproven ? undefined : prepared.sound,
    awaited === undefined ? undefined : slotsOfAll(awaited),
  );
  if (why !== undefined) refuse("InvalidState", why);
  if (then === undefined) return;
  const { pc, type } = then;
  const isExport = info?.functionExports.some((entry) =>
    info.functionStarts[entry.index] === pc && entry.params.join() === type.params.join() &&
    entry.results.join() === type.results.join()
  );
  if (!initializing || (pc !== module.sourcePc && !isExport)) {
    refuse("InvalidState", `a call of ${pc} cannot follow`);
  }
}

/** Refuses a pause for a host function that was not called, or owes something else. */
function checkPause<T>(
  { module, pc }: Machine,
  { reason, syscall, awaited }: SavedRun,
  linker: ImportLinker<T> | undefined,
  refuse: Refuse,
): void {
  if (syscall === undefined) {
    if (awaited === undefined ? reason === "syscall" : awaited.length === 0 && reason !== "syscall") return;
    return refuse("InvalidState", "nothing owes what the run waits for");
  }
  const op = module.opcodes[pc - 1], isCall = op === Op.Call || op === Op.ReturnCall;
  const owed = isCall && module.immediates[pc - 1]! >>> 0 === syscall
    ? linker?.bySyscall(syscall)?.results
    : undefined;
  if (reason !== "syscall" || owed === undefined || owed.join() !== awaited?.join()) {
    refuse("InvalidState", `host function ${syscall} does not owe what the run waits for`);
  }
}

// ── forks ───────────────────────────────────────────────────────────────────────────────────────

/** A copy of what an executor has, for a store that was just made; its plugins have no state yet. */
export function copyCaptured<T>(
  { machine, run }: Captured,
  from: StoreParts<T>,
  to: StoreParts<T>,
): Restored<T> {
  const refuse = refusing("fork");
  let copy: Machine | undefined;
  if (machine !== undefined) {
    const { memory } = machine;
    memory.refresh();
    copy = new Machine(machine.module, to.limits, to.fuel);
    decodeState(encodeState(machine, run !== undefined), copy, run !== undefined, refuse);
    const { refusedPages } = copy.memory;
    if (copy.memory.grow(memory.pages) < 0) {
      refuse("OutOfHostMemory", "the host has no room for another memory");
    }
    copy.memory.refusedPages = refusedPages;
    copyMemory(memory.bytes, copy.memory.bytes);
  }
  restoreFuel(to.fuel, { consumed: from.fuel.consumed(), uncharged: from.fuel.uncharged });
  const saved = saveStates(from.linker?.states ?? [], from);
  const states = matchStates(saved, to.linker?.states ?? [], refuse);
  return {
    machine: copy,
    run,
    restoreStates: (store) => restoreStates(states, store),
  };
}
