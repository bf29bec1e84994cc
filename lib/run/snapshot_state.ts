/**
 * The state of a machine, but for its memory, as bytes and back: stacks of a paused run, globals,
 * tables, dropped segments. Columns of equal things, so that they compress well. What is read is
 * checked against the limits of the machine it goes into; whether a run could have led there is
 * judged in `snapshot_proof.ts`.
 *
 * @module
 */

import { Reader } from "../bytes/reader.ts";
import { Writer } from "../bytes/writer.ts";
import { type Limits, MAX_SEGMENT_INDEX } from "../limits.ts";
import type { RwasmModule } from "../isa/module.ts";
import { mostCells } from "../isa/structure.ts";
import type { DropBits, Machine } from "../vm/machine.ts";
import type { Refuse } from "./snapshot_file.ts";

/** Words that drop bits of the highest segment take. */
const MOST_DROP_WORDS = (MAX_SEGMENT_INDEX >> 5) + 1;

/** Cells as bytes; every host this runs on is little endian, as Wasm memories are. */
function bytesOf(cells: Int32Array): Uint8Array {
  return new Uint8Array(cells.buffer, cells.byteOffset, cells.byteLength);
}

function writeCells(writer: Writer, cells: Int32Array): void {
  writer.u32(cells.length);
  writer.block(bytesOf(cells));
}

/** Length without the zeros at the end. */
function usedLength(words: Int32Array): number {
  let length = words.length;
  while (length > 0 && words[length - 1] === 0) length--;
  return length;
}

/** Most bytes that the state of a machine takes under some limits. */
export function mostStateBytes({ length, info }: RwasmModule, limits: Limits): number {
  // A global that is not 0 was set by an instruction, or by the host through an export.
  const globals = 8 * (length + 2 * (info?.globalExports.length ?? 0)),
    tables = limits.tables * (12 + 4 * limits.tableElements);
  return 4 * (mostCells(limits) + limits.callDepth) + globals + tables + 8 * MOST_DROP_WORDS + 1024;
}

/** Writes the state; that of the run only when there is one. */
export function encodeState(machine: Machine, hasRun: boolean): Uint8Array {
  const writer = new Writer(1024);
  writer.u8(machine.signaturePending ? 1 : 0);
  writer.u32(machine.signaturePending ? machine.signature : 0);
  if (hasRun) {
    writer.u32(machine.pc);
    writer.u32(machine.capacity);
    writeCells(writer, machine.stack.subarray(0, machine.sp));
    writeCells(writer, machine.calls.subarray(0, machine.depth));
  }
  writeGlobals(writer, machine);
  for (const { words } of [machine.droppedData, machine.droppedElements]) {
    writeCells(writer, words.subarray(0, usedLength(words)));
  }
  const { list } = machine.tables, indices = machine.tables.indices();
  writer.u32(list.length);
  list.forEach(({ limit, length, elements }, position) => {
    writer.u32(indices[position]!);
    writer.u32(limit);
    writeCells(writer, elements.subarray(0, length));
  });
  writer.u32(machine.memory.refusedPages);
  return writer.finish();
}

/** Globals that are not 0, as a column of words and one of values: engines keep them in different arrays. */
function writeGlobals(writer: Writer, { globals, sparseGlobals }: Machine): void {
  const words: number[] = [];
  for (let word = 0; word < globals.length; word++) if (globals[word] !== 0) words.push(word);
  const sparse = [...sparseGlobals].filter(([, value]) => value !== 0).sort(([a], [b]) => a - b);
  writer.u32(words.length + sparse.length);
  for (const word of words) writer.u32(word);
  for (const [word] of sparse) writer.u32(word);
  for (const word of words) writer.u32(globals[word]!);
  for (const [, value] of sparse) writer.u32(value);
}

/** Reads what {@link encodeState} wrote into a machine that has run nothing. */
export function decodeState(bytes: Uint8Array, machine: Machine, hasRun: boolean, refuse: Refuse): void {
  const { limits } = machine;
  const reader = new Reader(
    bytes,
    (_code, reason) => refuse("Corrupt", `the state of the machine: ${reason}`),
  );
  const count = (what: string, most: number, limit: keyof Limits | undefined): number => {
    const found = reader.u32();
    if (found <= most) return found;
    if (limit === undefined) refuse("Corrupt", `the machine has ${found} ${what}, ${most} are possible`);
    return tooSmall(refuse, `${found} ${what}`, limit!, limits);
  };
  const cells = (what: string, most: number, limit: keyof Limits | undefined): Int32Array => {
    const length = count(what, most, limit), raw = reader.take(4 * length);
    return new Int32Array(raw.slice().buffer);
  };

  machine.signaturePending = reader.u8() !== 0;
  machine.signature = reader.u32() | 0;
  if (hasRun) {
    machine.pc = reader.u32() | 0;
    machine.capacity = reader.u32();
    const stack = cells("cells of stack", mostCells(limits), "stackSlots");
    const calls = cells("return addresses", limits.callDepth, "callDepth");
    machine.sp = stack.length;
    machine.depth = calls.length;
    machine.calls = calls;
    // The proof will refuse the run; an array of that size must not be asked for before.
    if (machine.sp > machine.capacity) refuse("InvalidState", "the stack is higher than its capacity");
    if (!machine.growStack(machine.sp)) {
      refuse("OutOfHostMemory", `the host has no room for ${machine.sp} cells`);
    }
    machine.stack.set(stack);
  }
  readGlobals(reader, machine, refuse);
  for (const bits of [machine.droppedData, machine.droppedElements] as DropBits[]) {
    bits.words = cells("words of dropped segments", MOST_DROP_WORDS, undefined);
  }
  const tables = count("tables", limits.tables, "tables");
  for (let position = 0; position < tables; position++) {
    const index = reader.u32(), limit = reader.u32();
    const elements = cells("elements of a table", limits.tableElements, "tableElements");
    readTable(machine, index, limit, elements, refuse);
  }
  machine.memory.refusedPages = reader.u32();
  if (!reader.atEnd) refuse("Corrupt", `${reader.remaining} bytes follow the state of the machine`);
}

function readGlobals(reader: Reader, machine: Machine, refuse: Refuse): void {
  const count = reader.u32();
  if (count > reader.remaining / 8) refuse("Corrupt", `there is no room for ${count} globals`);
  const words = new Uint32Array(reader.take(4 * count).slice().buffer);
  const values = new Int32Array(reader.take(4 * count).slice().buffer);
  for (let k = 0; k < count; k++) {
    if (k > 0 && words[k]! <= words[k - 1]!) refuse("Corrupt", "globals are not in their order");
    machine.setGlobalWord(words[k]!, values[k]!);
  }
}

function readTable(
  { tables, limits }: Machine,
  index: number,
  limit: number,
  elements: Int32Array,
  refuse: Refuse,
): void {
  if (index > 0xffff || elements.length > limit || tables.indices().includes(index)) {
    refuse(
      "Corrupt",
      `table ${index} cannot have a limit of ${limit} and ${elements.length} elements, or is there twice`,
    );
  }
  if (!tables.adopt(index, limit)) tooSmall(refuse, "one table more", "tables", limits);
  if (tables.grow(index, 0, elements.length) < 0) {
    refuse("OutOfHostMemory", `the host has no room for ${elements.length} elements of a table`);
  }
  tables.at(index).elements.set(elements);
}

/** Refuses what is larger than a limit of the store. */
export function tooSmall(refuse: Refuse, has: string, limit: keyof Limits, limits: Limits): never {
  return refuse("LimitTooSmall", `the snapshot has ${has}`, {
    hint: `limits.${limit} is ${limits[limit]}; raise it with the option limits`,
  });
}
