/**
 * The first piece of a snapshot: what it is of, under which limits, with how much fuel, and what is
 * paused. It can be read without the module. Records go in and bytes come out, and back.
 *
 * @module
 */

import { Reader } from "../bytes/reader.ts";
import { Writer } from "../bytes/writer.ts";
import { slotsOfAll, type ValueType } from "../isa/module.ts";
import { DEFAULT_LIMITS, type Limits, resolveLimits } from "../limits.ts";
import type { Value } from "../plugin/plugin.ts";
import { readValues, writeValues } from "../vm/values.ts";
import type { PauseReason } from "../vm/outcome.ts";
import { readTypes, writeTypes } from "./snapshot_binding.ts";
import { DIGEST_BYTES, type Refuse } from "./snapshot_file.ts";

/** Names of the limits in the order of the format. */
const LIMITS = [
  "memoryPages",
  "tables",
  "tableElements",
  "stackSlots",
  "callDepth",
  "codeLength",
  "functionTypes",
  "segments",
] as const satisfies readonly (keyof Limits)[];

/** Reasons to pause in the order of the format. */
const REASONS = [
  "syscall",
  "fuel",
  "abort",
  "deadline",
  "breakpoint",
  "step",
] as const satisfies readonly PauseReason[];

/** What an instance that is being made runs when it is there. */
export interface SavedEntry {
  /** First instruction. */
  readonly pc: number;
  /** Parameters, of the types `type` has. */
  readonly params: readonly Value[];
  /** Types of parameters and results. */
  readonly type: { readonly params: readonly ValueType[]; readonly results: readonly ValueType[] };
}

/** A paused run. */
export interface SavedRun {
  /** Whether it makes the instance. */
  readonly initializing: boolean;
  /** Why it is paused. */
  readonly reason: PauseReason;
  /** The charge it is paused for, when it is for fuel; else 0. */
  readonly required: bigint;
  /** Index of the host function that owes results; undefined when none does. */
  readonly syscall: number | undefined;
  /** Types of what the host owes; undefined when the code paused by itself and nobody knows. */
  readonly awaited: readonly ValueType[] | undefined;
  /** Types of what the stack holds at the end. */
  readonly results: readonly ValueType[];
  /** What runs after it. */
  readonly then: SavedEntry | undefined;
}

/** What the first piece holds. */
export interface Head {
  /** Digest of the module. */
  readonly module: Uint8Array;
  /** Digest of the snapshot it is a change of. */
  readonly base: Uint8Array | undefined;
  /** The limits of the store. */
  readonly limits: Limits;
  /** The fuel counter. */
  readonly fuel: {
    readonly limit: bigint | undefined;
    readonly consumed: bigint;
    readonly uncharged: number;
  };
  /** Whether there is an instance, or one that is being made. */
  readonly hasMachine: boolean;
  /** The paused run. */
  readonly run: SavedRun | undefined;
  /** Size of the memory. */
  readonly pages: number;
}

function writeU64(writer: Writer, value: bigint): void {
  const at = writer.skip(8);
  writer.view.setBigUint64(at, value, true);
}

function readU64(reader: Reader): bigint {
  const low = reader.u32();
  return BigInt(reader.u32()) << 32n | BigInt(low);
}

/** Most bytes of a head: types and values of the longest signature any stack takes fit many times. */
export const MOST_HEAD_BYTES = 64 * 1024 * 1024;

/** Writes the first piece. */
export function encodeHead({ module, base, limits, fuel, hasMachine, run, pages }: Head): Uint8Array {
  const writer = new Writer();
  writer.block(module);
  if (base !== undefined) writer.block(base);
  for (const name of LIMITS) writer.u32(limits[name]);
  writer.u8(fuel.limit === undefined ? 0 : 1);
  writeU64(writer, fuel.limit ?? 0n);
  writeU64(writer, fuel.consumed);
  writer.u32(fuel.uncharged);
  writer.u8(hasMachine ? 1 : 0);
  writer.u32(pages);
  writer.u8(run === undefined ? 0 : 1);
  if (run === undefined) return writer.finish();
  const { initializing, reason, required, syscall, awaited, results, then } = run;
  writer.u8(initializing ? 1 : 0);
  writer.u8(REASONS.indexOf(reason));
  writeU64(writer, required);
  writer.u8(syscall === undefined ? 0 : 1);
  writer.u32(syscall ?? 0);
  writer.u8(awaited === undefined ? 0 : 1);
  writeTypes(writer, awaited ?? []);
  writeTypes(writer, results);
  writer.u8(then === undefined ? 0 : 1);
  if (then === undefined) return writer.finish();
  const { pc, params, type } = then;
  writer.u32(pc);
  writeTypes(writer, type.params);
  writeTypes(writer, type.results);
  const cells = new Int32Array(slotsOfAll(type.params));
  writeValues(cells, 0, type.params, params);
  writer.block(new Uint8Array(cells.buffer));
  return writer.finish();
}

/** Reads the first piece. */
export function decodeHead(bytes: Uint8Array, isChange: boolean, refuse: Refuse): Head {
  const reader = new Reader(bytes, (_code, reason) => refuse("Corrupt", `the head: ${reason}`));
  const flag = () => {
    const value = reader.u8();
    if (value > 1) refuse("Corrupt", `the head has ${value} where it says yes or no`);
    return value === 1;
  };
  const module = reader.take(DIGEST_BYTES).slice();
  const base = isChange ? reader.take(DIGEST_BYTES).slice() : undefined;
  const limits = readLimits(reader, refuse);
  const hasLimit = flag(), limit = readU64(reader), consumed = readU64(reader), uncharged = reader.u32();
  const fuel = { limit: hasLimit ? limit : undefined, consumed, uncharged };
  if (hasLimit && consumed > limit) refuse("InvalidState", `${consumed} fuel of ${limit} is consumed`);
  if (uncharged > 0x7fff_ffff) refuse("InvalidState", `${uncharged} jumps without a charge are too many`);
  const hasMachine = flag(), pages = reader.u32();
  let run: SavedRun | undefined;
  if (flag()) {
    const initializing = flag(), reason = REASONS[reader.u8()];
    if (reason === undefined) return refuse("Corrupt", "its run is paused for no known reason");
    const required = readU64(reader), isSyscall = flag(), index = reader.u32();
    const isKnown = flag(), awaited = readTypes(reader, refuse), results = readTypes(reader, refuse);
    const then = flag() ? readEntry(reader, refuse) : undefined;
    run = {
      initializing,
      reason,
      required,
      syscall: isSyscall ? index : undefined,
      awaited: isKnown ? awaited : undefined,
      results,
      then,
    };
  }
  if (!reader.atEnd) refuse("Corrupt", `${reader.remaining} bytes follow the head`);
  if (!hasMachine && (run !== undefined || pages !== 0)) refuse("InvalidState", "what runs has no instance");
  return { module, base, limits, fuel, hasMachine, run, pages };
}

function readLimits(reader: Reader, refuse: Refuse): Limits {
  const limits: Record<string, number> = {};
  for (const name of LIMITS) limits[name] = reader.u32();
  try {
    return resolveLimits(limits);
  } catch {
    return refuse("Corrupt", "its limits are out of their ranges");
  }
}

function readEntry(reader: Reader, refuse: Refuse): SavedEntry {
  const pc = reader.u32(), params = readTypes(reader, refuse), results = readTypes(reader, refuse);
  const cells = new Int32Array(reader.take(4 * slotsOfAll(params)).slice().buffer);
  return { pc, params: readValues(cells, 0, params), type: { params, results } };
}

/**
 * The limits of a restored store: those of the snapshot, where the host names none. A file must not
 * choose what it may take of the host, so what is above the default must be named.
 *
 * @throws {UsageError} `InvalidLimit`.
 */
export function limitsFor(saved: Limits, given: Partial<Limits> | undefined, refuse: Refuse): Limits {
  const checked = resolveLimits(given);
  const limits: Record<string, number> = {};
  for (const name of LIMITS) {
    const named = given?.[name] !== undefined;
    if (!named && saved[name] > DEFAULT_LIMITS[name]) {
      refuse("LimitTooSmall", `its run has limits.${name} ${saved[name]}`, {
        hint: `limits.${name} is ${DEFAULT_LIMITS[name]} by default; allow more with the option limits`,
      });
    }
    limits[name] = named ? checked[name] : saved[name];
  }
  return resolveLimits(limits);
}
