/**
 * The file of a recorded run: what the host answered to a guest, as JSON lines. Lines go in and come out
 * as checked records; making them is `record.ts`, using them `replay.ts`.
 *
 * ```
 * {"type":"recording","version":1,"module":sha256,"fuelLimit":"1000"|null,"limits":{…},"functions":[…],…}
 *     the first line; module is the hash of the module's .rwasm bytes, functions are what a linker
 *     offers, and whoever makes the recording may add members of its own
 * {"run":{"call":"main","params":{"types":["i32"],"cells":[5]}},"memory":[[16,"base64"]],"pages":2}
 *     a run starts ("execute", "call", "instantiate" or "resume"); before it the host had made the
 *     memory so many pages long and changed these bytes of it
 * {"call":3,"args":[1,2],"fuel":"12","memory":[[1024,"base64"]],"results":[0]}
 *     a host function was called with these cells of arguments; it charged fuel, changed memory, and
 *     gave these cells; instead of "results" there may be "end": "halt", "pause", {"trap":"HostError"}
 *     or {"fuel":"100"} for a charge that did not fit; "output" is [descriptor, "base64"] for what it wrote
 * {"ended":{"status":"done","results":{"types":["i32"],"cells":[7]}},"fuel":"100"}
 *     the run ended, paused or trapped, with so much fuel consumed
 * ```
 *
 * @module
 */

import { type DecodeError, TRAP_NAMES, type TrapName } from "../error.ts";
import { slotsOfAll, type ValueType } from "../isa/module.ts";
import type { SyscallFuel, Value } from "../plugin/plugin.ts";
import type { Limits } from "../limits.ts";
import type { Outcome } from "../vm/outcome.ts";
import { isValueType, readValues, writeValues } from "../vm/values.ts";
import { badTrace } from "./varint.ts";

/** Values as cells, so that every bit of a float is kept. */
export interface RecordedValues {
  /** Their types. */
  readonly types: readonly ValueType[];
  /** Their cells, low word first. */
  readonly cells: readonly number[];
}

/** A host function that the recorded program could call. */
export interface RecordedFunction {
  /** Module part of the import name. */
  readonly module: string;
  /** Name part of the import name. */
  readonly name: string;
  /** Number the code calls it by. */
  readonly index: number;
  /** Parameter types. */
  readonly params: readonly ValueType[];
  /** Result types. */
  readonly results: readonly ValueType[];
  /** What a call costs. */
  readonly fuel?: SyscallFuel | undefined;
}

/** The first line. */
export interface RecordingHead {
  /** Tells what the file is. */
  readonly type: "recording";
  /** Version of the format. */
  readonly version: 1;
  /** SHA-256 of the module's `.rwasm` bytes, in hexadecimal. */
  readonly module: string;
  /** Fuel limit of the store; null for none. */
  readonly fuelLimit: string | null;
  /** Limits of the store. */
  readonly limits: Partial<Limits>;
  /** What the linker offered. */
  readonly functions: readonly RecordedFunction[];
  /** What whoever recorded it wants to know again. */
  readonly notes?: unknown;
}

/** What a host function did to the memory: bytes at an address. */
export type RecordedBytes = readonly (readonly [at: number, base64: string])[];

/** How a run was started. */
export type RecordedStart =
  | { readonly execute: RecordedValues; readonly results: readonly ValueType[] | null }
  | { readonly call: string; readonly params: RecordedValues }
  | { readonly instantiate: true }
  | { readonly resume: RecordedValues };

/** A run starts. */
export interface RecordedRun {
  /** How it was started. */
  readonly run: RecordedStart;
  /** Bytes that the host had changed before. */
  readonly memory?: RecordedBytes | undefined;
  /** Pages of the memory, when the host had grown it. */
  readonly pages?: number | undefined;
}

/** How a call of a host function ended the run, or stopped it. */
export type RecordedEnd = "halt" | "pause" | { readonly trap: TrapName } | { readonly fuel: string };

/** A call of a host function. */
export interface RecordedCall {
  /** Index of the function. */
  readonly call: number;
  /** Cells of the arguments. */
  readonly args: readonly number[];
  /** Fuel that the function charged. */
  readonly fuel?: string | undefined;
  /** Fuel limit that the function set, and what was consumed when it returned. */
  readonly reset?: readonly [limit: string | null, consumed: string] | undefined;
  /** Bytes that it changed. */
  readonly memory?: RecordedBytes | undefined;
  /** Pages of the memory, when it grew. */
  readonly pages?: number | undefined;
  /** What it wrote to a stream. */
  readonly output?: readonly [descriptor: number, base64: string] | undefined;
  /** Cells of the results, when it returned. */
  readonly results?: readonly number[] | undefined;
  /** How it ended otherwise. */
  readonly end?: RecordedEnd | undefined;
}

/** How a run ended. */
export interface RecordedOutcome {
  /** How it ended. */
  readonly ended: {
    /** Tells the endings apart. */
    readonly status: Outcome["status"];
    /** What a run that is done gave. */
    readonly results?: RecordedValues | undefined;
    /** Name of the trap. */
    readonly trap?: string | undefined;
    /** Where it trapped. */
    readonly pc?: number | undefined;
    /** Why it paused. */
    readonly reason?: string | undefined;
  };
  /** Fuel consumed. */
  readonly fuel: string;
}

/** A line behind the first one. */
export type RecordedLine = RecordedRun | RecordedCall | RecordedOutcome;

/** A recording. */
export interface Recording {
  /** Its first line. */
  readonly head: RecordingHead;
  /** The others. */
  readonly lines: readonly RecordedLine[];
}

/** Cells of values. */
export function cellsOf(types: readonly ValueType[], values: readonly Value[]): number[] {
  const cells = new Int32Array(slotsOfAll(types));
  writeValues(cells, 0, types, values);
  return [...cells];
}

/** Values with their types. */
export function recordValues(types: readonly ValueType[], values: readonly Value[]): RecordedValues {
  return { types, cells: cellsOf(types, values) };
}

/** Values of cells. */
export function valuesOf({ types, cells }: RecordedValues): Value[] {
  return readValues(Int32Array.from(cells), 0, types);
}

/** An outcome as a recording tells it. */
export function recordOutcome(outcome: Outcome, types: readonly ValueType[]): RecordedOutcome["ended"] {
  switch (outcome.status) {
    case "done":
      return { status: "done", results: recordValues(types, outcome.results) };
    case "trap":
      return { status: "trap", trap: outcome.trap.code, pc: outcome.trap.pc };
    case "paused":
      return { status: "paused", reason: outcome.reason };
  }
}

type Json = Readonly<Record<string, unknown>>;

const WORD = 2 ** 31, TRAPS: readonly unknown[] = [...TRAP_NAMES, "HostError"];

/**
 * Reads a recording.
 *
 * @throws {DecodeError} `BadTrace` when a line is not what it must be.
 */
export function parseRecording(text: string): Recording {
  const records: Json[] = [];
  text.split("\n").forEach((line, i) => {
    if (line.trim() === "") return;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (error) {
      throw badRecording(`line ${i + 1} is no JSON`, error);
    }
    if (!isObject(value)) throw badRecording(`line ${i + 1} is no object`);
    records.push(value);
  });
  const [head, ...lines] = records;
  if (head?.type !== "recording" || head.version !== 1) {
    throw badRecording("it does not begin as a recording of version 1 does");
  }
  need(typeof head.module === "string" && Array.isArray(head.functions) && isObject(head.limits), 1);
  need(head.fuelLimit === null || isAmount(head.fuelLimit), 1);
  const types = new Map<unknown, RecordedFunction>();
  for (const entry of head.functions as unknown[]) {
    need(isFunction(entry), 1);
    types.set((entry as RecordedFunction).index, entry as RecordedFunction);
  }
  lines.forEach((line, i) => need(isLine(line) && isAnswer(line, types), i + 2));
  return { head: head as unknown as RecordingHead, lines: lines as unknown as RecordedLine[] };
}

function need(holds: boolean, line: number): void {
  if (!holds) throw badRecording(`record ${line} is not complete`);
}

function badRecording(why: string, cause?: unknown): DecodeError {
  return badTrace(why, undefined, cause, "recording");
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isAmount(value: unknown): boolean {
  return typeof value === "string" && /^\d{1,20}$/.test(value);
}

function isTypes(value: unknown): boolean {
  return Array.isArray(value) && value.every(isValueType);
}

function isCells(value: unknown): boolean {
  return Array.isArray(value) &&
    value.every((cell) => Number.isInteger(cell) && cell >= -WORD && cell < WORD);
}

function isValues(value: unknown): boolean {
  return isObject(value) && isTypes(value.types) && isCells(value.cells) &&
    slotsOfAll(value.types as ValueType[]) === (value.cells as unknown[]).length;
}

function isFunction(value: unknown): boolean {
  return isObject(value) && typeof value.module === "string" && typeof value.name === "string" &&
    Number.isInteger(value.index) && isTypes(value.params) && isTypes(value.results);
}

function isBase64(value: unknown): boolean {
  return typeof value === "string" && value.length % 4 === 0 && /^[A-Za-z\d+/]*={0,2}$/.test(value);
}

function isBytesList(value: unknown): boolean {
  return value === undefined || Array.isArray(value) && value.every((entry) => {
        return Array.isArray(entry) && entry.length === 2 && Number.isSafeInteger(entry[0]) &&
          entry[0] >= 0 &&
          isBase64(entry[1]);
      });
}

function isPages(value: unknown): boolean {
  return value === undefined || Number.isInteger(value) && (value as number) >= 0;
}

function isEnd(value: unknown): boolean {
  if (value === "halt" || value === "pause") return true;
  return isObject(value) && (TRAPS.includes(value.trap) || isAmount(value.fuel));
}

/** Whether a line that is a call has as many cells as its function takes and gives. */
function isAnswer({ call, args, results }: Json, types: ReadonlyMap<unknown, RecordedFunction>): boolean {
  if (call === undefined) return true;
  const type = types.get(call);
  return type !== undefined && slotsOfAll(type.params) === (args as unknown[]).length &&
    (results === undefined || slotsOfAll(type.results) === (results as unknown[]).length);
}

function isLine(line: Json): boolean {
  if (!isBytesList(line.memory) || !isPages(line.pages)) return false;
  if ("run" in line) {
    const { run } = line;
    if (!isObject(run)) return false;
    if ("execute" in run) return isValues(run.execute) && (run.results === null || isTypes(run.results));
    if ("call" in run) return typeof run.call === "string" && isValues(run.params);
    return "resume" in run ? isValues(run.resume) : run.instantiate === true;
  }
  if ("ended" in line) {
    return isObject(line.ended) && typeof line.ended.status === "string" && isAmount(line.fuel) &&
      (line.ended.results === undefined || isValues(line.ended.results));
  }
  const { output, reset } = line;
  return Number.isInteger(line.call) && isCells(line.args) &&
    (line.fuel === undefined || isAmount(line.fuel)) &&
    (output === undefined ||
      Array.isArray(output) && Number.isInteger(output[0]) && isBase64(output[1])) &&
    (reset === undefined ||
      Array.isArray(reset) && (reset[0] === null || isAmount(reset[0])) && isAmount(reset[1])) &&
    (line.end === undefined ? isCells(line.results) : isEnd(line.end));
}
