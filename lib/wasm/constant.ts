/**
 * Small pieces of the binary format that sections and function bodies share: value types, memory
 * access flags, and constant expressions. They are read and refused here; whether a constant
 * expression has the right type is the business of `validate.ts`.
 *
 * @module
 */

import type { Fail, Reader } from "../bytes/reader.ts";
import { EXTERNREF, F32, F64, FUNCREF, I32, I64 } from "./module.ts";
import { OPERATORS } from "./opcode.ts";
import { operatorProposal, proposalHint, typeProposal } from "./proposal.ts";

/** Refuses what a proposal outside of the accepted language has brought. */
export function refuseProposal(fail: Fail, proposal: string, what: string, offset: number): never {
  return fail(
    "UnsupportedProposal",
    `${what} belongs to the ${proposal} proposal, which is not accepted`,
    offset,
    proposalHint(proposal),
  );
}

/** Refuses an operator that is not in the table; the reader stands behind its first byte. */
export function refuseOperator(reader: Reader, fail: Fail, byte: number, offset: number): never {
  const prefixed = byte >= 0xfb && byte <= 0xfe;
  const sub = prefixed ? reader.varU32() : 0;
  const name = `operator 0x${byte.toString(16).padStart(2, "0")}` +
    (prefixed ? ` 0x${sub.toString(16)}` : "");
  const proposal = operatorProposal(byte, sub);
  if (proposal !== undefined) return refuseProposal(fail, proposal, name, offset);
  return fail("UnknownOperator", `${name} does not exist`, offset);
}

/** Reads a value type byte. Fails with `MalformedType` or `UnsupportedProposal`. */
export function readValueType(reader: Reader, fail: Fail): number {
  const offset = reader.position;
  const byte = reader.u8();
  switch (byte) {
    case I32:
    case I64:
    case F32:
    case F64:
    case FUNCREF:
    case EXTERNREF:
      return byte;
  }
  const text = `type 0x${byte.toString(16).padStart(2, "0")}`;
  const proposal = typeProposal(byte);
  if (proposal !== undefined) return refuseProposal(fail, proposal, text, offset);
  return fail("MalformedType", `${text} does not exist`, offset);
}

/** Reads FUNCREF or EXTERNREF. Fails with `MalformedType` or `UnsupportedProposal`. */
export function readReferenceType(reader: Reader, fail: Fail): number {
  const offset = reader.position;
  const byte = readValueType(reader, fail);
  if (byte !== FUNCREF && byte !== EXTERNREF) {
    return fail("MalformedType", "a reference type is expected, not a number type", offset);
  }
  return byte;
}

/** Reads the type of `ref.null`. Fails with `MalformedType` or `UnsupportedProposal`. */
export function readNullType(reader: Reader, fail: Fail): number {
  const byte = reader.peek();
  // Not negative as s33, so an index into the type section: null of a concrete type.
  if ((byte >= 0 && byte < 0x40) || byte >= 0x80) {
    refuseProposal(fail, "typed function references", "ref.null with a type index", reader.position);
  }
  return readReferenceType(reader, fail);
}

/**
 * Reads a constant expression up to and with its `end`. Fails with `ConstantExpressionRequired` at
 * an operator that constant expressions do not have.
 */
export function skipConstant(reader: Reader, fail: Fail): void {
  for (;;) {
    const offset = reader.position;
    const byte = reader.u8();
    switch (byte) {
      case 0x0b: // end
        return;
      case 0x23: // global.get
      case 0xd2: // ref.func
        reader.varU32();
        break;
      case 0x41: // i32.const
        reader.varS32();
        break;
      case 0x42: // i64.const
        reader.varS64();
        break;
      case 0x43: // f32.const
        reader.skip(4);
        break;
      case 0x44: // f64.const
        reader.skip(8);
        break;
      case 0xd0: // ref.null
        readNullType(reader, fail);
        break;
      case 0x6a: // i32.add
      case 0x6b: // i32.sub
      case 0x6c: // i32.mul
      case 0x7c: // i64.add
      case 0x7d: // i64.sub
      case 0x7e: // i64.mul
        break;
      default: {
        const operator = OPERATORS[byte];
        if (operator === undefined && byte !== 0xfc) refuseOperator(reader, fail, byte, offset);
        fail(
          "ConstantExpressionRequired",
          `${operator?.name ?? "an operator with prefix 0xfc"} is not allowed in a constant expression`,
          offset,
        );
      }
    }
  }
}
