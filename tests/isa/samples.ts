/**
 * Modules for the tests of this folder: small ones written by hand, the opcode list of the
 * specification, and random ones from a seed. It runs nothing by itself.
 *
 * @module
 */

import type { ModuleParts } from "../../lib/isa/module.ts";
import { immediateOf, OP_COUNT } from "../../lib/isa/opcode.ts";

/**
 * Opcodes as the specification of the wire format numbers them, typed off its tables and not taken
 * from ours: consecutive names from a first code; after ":" the immediate, u = u32, i = i32,
 * h = u16, hh = two u16, t = trap.
 */
export const WIRE_CODES: { readonly [first: number]: string } = {
  0: `Unreachable Trap:t LocalGet:u LocalSet:u LocalTee:u Br:i BrIfEqz:i BrIfNez:i BrTable:u ConsumeFuel:u
    ConsumeFuelStack Return ReturnCallInternal:u ReturnCall:u ReturnCallIndirect:u CallInternal:u Call:u
    CallIndirect:u SignatureCheck:u StackCheck:u RefFunc:u I32Const:u Drop Select GlobalGet:u GlobalSet:u`,
  26: `I32Load:u I32Load8S:u I32Load8U:u I32Load16S:u I32Load16U:u I32Store:u I32Store8:u I32Store16:u
    MemorySize MemoryGrow MemoryFill MemoryCopy MemoryInit:u DataDrop:u`,
  40: `TableSize:h TableGrow:h TableFill:h TableGet:h TableSet:h TableCopy:hh TableInit:u ElemDrop:u`,
  48: `I32Eqz I32Eq I32Ne I32LtS I32LtU I32GtS I32GtU I32LeS I32LeU I32GeS I32GeU I32Clz I32Ctz I32Popcnt
    I32Add I32Sub I32Mul I32DivS I32DivU I32RemS I32RemU I32And I32Or I32Xor I32Shl I32ShrS I32ShrU I32Rotl
    I32Rotr I32WrapI64 I32Extend8S I32Extend16S I32Mul64 I32Add64 BulkConst:u BulkDrop:u I32And64 I32Or64
    I32Xor64 I32Sub64 I64Const32S:u I64Const32U:u I64Add128 I64Sub128 I64MulWideS I64MulWideU`,
  1000: `F32Load:u F64Load:u F32Store:u F64Store:u`,
  1004: `F32Eq F32Ne F32Lt F32Gt F32Le F32Ge F64Eq F64Ne F64Lt F64Gt F64Le F64Ge`,
  1016: `F32Abs F32Neg F32Ceil F32Floor F32Trunc F32Nearest F32Sqrt
    F32Add F32Sub F32Mul F32Div F32Min F32Max F32Copysign`,
  1030: `F64Abs F64Neg F64Ceil F64Floor F64Trunc F64Nearest F64Sqrt
    F64Add F64Sub F64Mul F64Div F64Min F64Max F64Copysign`,
  1044: `I32TruncF32S I32TruncF32U I32TruncF64S I32TruncF64U I64TruncF32S I64TruncF32U I64TruncF64S
    I64TruncF64U`,
  1052: `F32ConvertI32S F32ConvertI32U F32ConvertI64S F32ConvertI64U F32DemoteF64
    F64ConvertI32S F64ConvertI32U F64ConvertI64S F64ConvertI64U F64PromoteF32`,
  1062: `I32TruncSatF32S I32TruncSatF32U I32TruncSatF64S I32TruncSatF64U I64TruncSatF32S I64TruncSatF32U
    I64TruncSatF64S I64TruncSatF64U`,
};

/** A sample immediate of each kind of {@link WIRE_CODES}: how it is written, and its bytes. */
export const SAMPLE_IMMEDIATES: { readonly [kind: string]: readonly [text: string, hex: string] } = {
  "": ["", ""],
  u: [" 2147483647", "ffffff7f"],
  i: [" -2", "feffffff"],
  h: [" 65535", "ffff"],
  hh: [" 1 65534", "0100feff"],
  t: [" ExecutionHalted", "0d000000"],
};

/** Every opcode: its wire code, its name, a line of assembly, and the bytes of that line. */
export const OPCODE_SAMPLES: readonly { code: number; name: string; line: string; hex: string }[] = Object
  .entries(WIRE_CODES).flatMap(([first, names]) =>
    names.trim().split(/\s+/).map((entry, position) => {
      const [name, kind = ""] = entry.split(":") as [string, string?];
      const code = Number(first) + position;
      const [text, hex] = SAMPLE_IMMEDIATES[kind]!;
      return { code, name, line: name + text, hex: u32(code) + hex };
    })
  );

/** Four bytes, little endian, as hexadecimal digits. */
export function u32(value: number): string {
  return new Uint8Array(Uint32Array.of(value).buffer).toHex();
}

/** Eight bytes, little endian, as hexadecimal digits. */
export function u64(value: bigint | number): string {
  return new Uint8Array(BigUint64Array.of(BigInt(value)).buffer).toHex();
}

/** The bytes of the specification's example: I32Const 7, Return; data "ab"; elements [9]; hint "h"; source pc 1. */
export const EXAMPLE_HEX = "ef5201" + "0200000000000000" + "15000000" + "07000000" + "0b000000" +
  "0200000000000000" + "6162" + "0100000000000000" + "09000000" + "0100000000000000" + "68" + "01000000";

/** Bytes of hexadecimal digits. */
export function fromHex(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromHex(hex);
}

/** Numbers from 0 up to, not including, `limit`; the same for the same seed everywhere. */
export function random(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ state >>> 15, state | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return Math.floor(((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32 * limit);
  };
}

/** A module of random instructions with random immediates, often at the ends of their ranges. */
export function randomModule(next: (limit: number) => number): ModuleParts {
  const length = next(40);
  const opcodes = new Uint8Array(length), immediates = new Int32Array(length);
  const cells = [0, 1, -1, 0x7fff_ffff, -0x8000_0000];
  for (let pc = 0; pc < length; pc++) {
    const op = opcodes[pc] = next(OP_COUNT);
    const cell = next(2) === 0 ? cells[next(cells.length)]! : next(2 ** 32) | 0;
    const kind = immediateOf(op);
    if (kind === "None") continue;
    immediates[pc] = kind === "U16" ? cell & 0xffff : kind === "Trap" ? next(14) : cell;
  }
  return {
    opcodes,
    immediates,
    data: Uint8Array.from({ length: next(100) }, () => next(256)),
    elements: Uint32Array.from({ length: next(40) }, () => next(2 ** 32)),
    hint: Uint8Array.from({ length: next(40) }, () => next(256)),
    sourcePc: next(2) === 0 ? next(length + 1) : next(2 ** 32),
  };
}
