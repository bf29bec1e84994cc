/**
 * Writes the parts of a module as canonical `.rwasm` bytes; `decode.ts` draws the format. The same
 * module always gives the same bytes, and decoding them gives the module. What only the compiler
 * knows (`info`) has no place on the wire.
 *
 * @module
 */

import { Writer } from "../bytes/writer.ts";
import { TRAP_NAMES, UsageError } from "../error.ts";
import { MAGIC_0, MAGIC_1, WIRE_VERSION } from "./decode.ts";
import type { ModuleParts } from "./module.ts";
import { type Immediate, immediateOf, OP_COUNT, OP_NAMES, wireCode } from "./opcode.ts";

/** Bytes of each immediate on the wire. */
const SIZE: { readonly [Kind in Immediate]: number } = { None: 0, U32: 4, I32: 4, U16: 2, U16x2: 4, Trap: 4 };

const immediates: readonly Immediate[] = Array.from({ length: OP_COUNT }, (_, op) => immediateOf(op));
const sizes: Uint8Array = Uint8Array.from(immediates, (kind) => 4 + SIZE[kind]);
const codes: Uint16Array = Uint16Array.from(immediates, (_, op) => wireCode(op));

/** Which opcodes have immediates that not every 32-bit cell is. */
const narrow: Uint8Array = Uint8Array.from(immediates, (kind) => kind === "U16" || kind === "Trap" ? 1 : 0);
const swapped: Uint8Array = Uint8Array.from(immediates, (kind) => kind === "U16x2" ? 1 : 0);

/** Magic, version, four u64 lengths and `source_pc`: the size of an empty module. */
const FIXED_SIZE = 3 + 4 * 8 + 4;

/**
 * Encodes a module.
 *
 * @throws {UsageError} `InvalidModule` when the parts are not a module: an opcode that does not
 * exist, an immediate or a `sourcePc` that does not fit, or arrays of different lengths. Nothing the
 * decoder, the assembler or the compiler makes is like that.
 */
export function encodeModule(module: ModuleParts): Uint8Array<ArrayBuffer> {
  const { opcodes, data, elements, hint, sourcePc } = module;
  const size = FIXED_SIZE + checkedCodeSize(module) + data.length + 4 * elements.length + hint.length;
  if (!Number.isInteger(sourcePc) || sourcePc < 0 || sourcePc > 0xffff_ffff) {
    refuse(`sourcePc must be an integer from 0 to 2^32 - 1, not ${sourcePc}`);
  }
  const writer = new Writer(size);
  writer.u8(MAGIC_0);
  writer.u8(MAGIC_1);
  writer.u8(WIRE_VERSION);
  writer.u64Length(opcodes.length);
  writeCode(writer, module);
  writer.u64Length(data.length);
  writer.block(data);
  writer.u64Length(elements.length);
  for (let index = 0; index < elements.length; index++) writer.u32(elements[index]!);
  writer.u64Length(hint.length);
  writer.block(hint);
  writer.u32(sourcePc);
  return writer.finish();
}

/** Bytes of the instructions; also checks that each can be encoded. */
function checkedCodeSize({ opcodes, immediates }: ModuleParts): number {
  if (opcodes.length !== immediates.length) {
    refuse(`it has ${opcodes.length} opcodes, but ${immediates.length} immediates`);
  }
  let size = 0;
  for (let pc = 0; pc < opcodes.length; pc++) {
    const op = opcodes[pc]!;
    if (op >= OP_COUNT) refuse(`opcode number ${op} does not exist`, pc);
    if (narrow[op] !== 0) {
      const immediate = immediates[pc]!;
      const most = immediateOf(op) === "U16" ? 0xffff : TRAP_NAMES.length - 1;
      if (immediate < 0 || immediate > most) {
        refuse(`immediate ${immediate} of ${OP_NAMES[op]} is not in 0 to ${most}`, pc);
      }
    }
    size += sizes[op]!;
  }
  return size;
}

function writeCode(writer: Writer, { opcodes, immediates }: ModuleParts): void {
  // The size is known, so that the buffer does not grow and its view stays valid through the loop.
  const { view } = writer;
  for (let pc = 0; pc < opcodes.length; pc++) {
    const op = opcodes[pc]!, length = sizes[op]!;
    const at = writer.skip(length);
    view.setUint32(at, codes[op]!, true);
    if (length === 4) continue;
    const immediate = immediates[pc]!;
    if (length === 6) view.setUint16(at + 4, immediate, true);
    else view.setUint32(at + 4, swapped[op] === 0 ? immediate : immediate << 16 | immediate >>> 16, true);
  }
}

function refuse(why: string, pc?: number): never {
  throw new UsageError("InvalidModule", `Cannot encode rWasm module: ${why}`, { pc });
}
