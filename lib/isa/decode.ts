/**
 * Reads `.rwasm` bytes (rwasm 0.7.2, wire version 1) into the parts of a module. The result holds
 * copies only: the caller may reuse the bytes. What the instructions do is not checked here; that is
 * the business of `verify.ts`.
 *
 * ```
 * EF 52 01                     magic, version
 * u64 n, n instructions        u32 wire code, then its immediate: 0, 2 or 4 bytes
 * u64 n, n bytes               data section
 * u64 n, n u32                 element section
 * u64 n, n bytes               hint section
 * u32                          source_pc; modules of old releases end before it
 * ```
 *
 * @module
 */

import { Reader } from "../bytes/reader.ts";
import { DecodeError, TRAP_NAMES, UsageError } from "../error.ts";
import type { ModuleParts } from "./module.ts";
import { FIRST_FLOAT_OP, type Immediate, immediateOf, OP_COUNT, wireCode } from "./opcode.ts";

/** First byte of every `.rwasm` module. */
export const MAGIC_0 = 0xef;

/** Second byte of every `.rwasm` module. */
export const MAGIC_1 = 0x52;

/** Wire version this library reads and writes. */
export const WIRE_VERSION = 1;

/** How an immediate lies on the wire, as small numbers for the decoding loop. */
const LAYOUT: { readonly [Kind in Immediate]: number } = {
  None: 0,
  U32: 1,
  I32: 1,
  U16: 2,
  U16x2: 3,
  Trap: 4,
};

const layouts: Uint8Array = Uint8Array.from({ length: OP_COUNT }, (_, op) => LAYOUT[immediateOf(op)]);

/** What has to be added to a float opcode's wire code to get its dense number. */
const FLOAT_SHIFT = FIRST_FLOAT_OP - wireCode(FIRST_FLOAT_OP);

const FIRST_FLOAT_CODE = wireCode(FIRST_FLOAT_OP), LAST_CODE = wireCode(OP_COUNT - 1);

/** Bytes of the shortest instruction. */
const MIN_INSTRUCTION = 4;

function fail(code: string, why: string, offset: number, hint?: string): never {
  // A length that no input can hold is one thing to a byte reader and to this format.
  const stable = code === "LengthTooLarge" ? "LengthOutOfRange" : code;
  throw new DecodeError(stable, `Cannot decode rWasm module: ${why}`, { offset, hint });
}

/**
 * Decodes a whole `.rwasm` file. Memory use is bounded by the input, whatever lengths it declares.
 *
 * @throws {DecodeError} `InvalidMagic`, `UnsupportedVersion`, `InvalidOpcode`, `InvalidTrapCode`,
 * `UnexpectedEnd`, `TrailingBytes` or `LengthOutOfRange`, with the byte offset.
 * @throws {UsageError} `InvalidArgument` when `bytes` is not a Uint8Array.
 */
export function decodeModule(bytes: Uint8Array): ModuleParts {
  if (!(bytes instanceof Uint8Array)) {
    throw new UsageError("InvalidArgument", "Cannot decode rWasm module: the input is not a Uint8Array");
  }
  // Also the case of a detached buffer, which no DataView can be made of.
  if (bytes.length === 0) fail("UnexpectedEnd", "the input is empty", 0);
  const reader = new Reader(bytes, fail);
  readHeader(reader);
  const code = readCode(reader);
  const data = reader.take(reader.u64Length()).slice();
  const elements = readElements(reader);
  const hint = reader.take(reader.u64Length()).slice();
  const sourcePc = reader.atEnd ? 0 : reader.u32();
  if (!reader.atEnd) {
    fail("TrailingBytes", `${reader.remaining} bytes follow after the module`, reader.position);
  }
  return { opcodes: code.opcodes, immediates: code.immediates, data, elements, hint, sourcePc };
}

function readHeader(reader: Reader): void {
  const first = reader.u8(), second = reader.u8();
  if (first !== MAGIC_0 || second !== MAGIC_1) {
    const isWasm = first === 0x00 && second === 0x61;
    const hint = isWasm ? "this looks like a Wasm module; compile() makes an rWasm module of it" : undefined;
    fail("InvalidMagic", "it does not start with the magic bytes ef 52", 0, hint);
  }
  const version = reader.u8();
  if (version !== WIRE_VERSION) {
    fail("UnsupportedVersion", `wire version ${version} is not supported, only ${WIRE_VERSION} is`, 2);
  }
}

/** Reads a count of items of at least `size` bytes, of which that many must still follow. */
function readCount(reader: Reader, what: string, size: number): number {
  const at = reader.position;
  const count = reader.u64Length();
  if (count > Math.floor(reader.remaining / size)) {
    fail("UnexpectedEnd", `${count} ${what} declared, but only ${reader.remaining} bytes follow`, at);
  }
  return count;
}

function readCode(reader: Reader): { opcodes: Uint8Array; immediates: Int32Array } {
  // The arrays have their final size at once: the count is bounded by a quarter of what follows.
  const count = readCount(reader, "instructions", MIN_INSTRUCTION);
  const opcodes = new Uint8Array(count), immediates = new Int32Array(count);
  const { bytes, end } = reader;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // The one place beside the reader that checks for the end itself: a call per field halves the speed.
  let at = reader.position;
  for (let pc = 0; pc < count; pc++) {
    if (end - at < 4) return endOfCode(pc, count, at);
    const code = view.getUint32(at, true);
    let op = code;
    if (code >= FIRST_FLOAT_OP) {
      if (code < FIRST_FLOAT_CODE || code > LAST_CODE) {
        return fail("InvalidOpcode", `instruction ${pc} has opcode ${code}, which does not exist`, at);
      }
      op = code + FLOAT_SHIFT;
    }
    opcodes[pc] = op;
    at += 4;
    const layout = layouts[op]!;
    if (layout === LAYOUT.None) continue;
    if (layout === LAYOUT.U16) {
      if (end - at < 2) return endOfCode(pc, count, at);
      immediates[pc] = view.getUint16(at, true);
      at += 2;
      continue;
    }
    if (end - at < 4) return endOfCode(pc, count, at);
    let immediate = view.getInt32(at, true);
    if (layout === LAYOUT.U16x2) {
      immediate = immediate << 16 | immediate >>> 16;
    } else if (layout === LAYOUT.Trap && (immediate < 0 || immediate >= TRAP_NAMES.length)) {
      return fail("InvalidTrapCode", `instruction ${pc} traps with unknown code ${immediate >>> 0}`, at);
    }
    immediates[pc] = immediate;
    at += 4;
  }
  reader.position = at;
  return { opcodes, immediates };
}

function endOfCode(pc: number, count: number, at: number): never {
  return fail("UnexpectedEnd", `unexpected end of input in instruction ${pc} of ${count}`, at);
}

function readElements(reader: Reader): Uint32Array {
  const count = readCount(reader, "elements", 4);
  const { bytes } = reader;
  const start = reader.skip(4 * count);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const elements = new Uint32Array(count);
  for (let index = 0; index < count; index++) elements[index] = view.getUint32(start + 4 * index, true);
  return elements;
}
