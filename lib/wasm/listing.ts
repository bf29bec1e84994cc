/**
 * The operators of function bodies, for people: where each one begins, which it is, and its text as
 * in the text format. It takes bodies of valid modules; what runs and what is compiled is read
 * elsewhere (`validate_body.ts`, `compile/body.ts`).
 *
 * @module
 */

import { type Fail, Reader } from "../bytes/reader.ts";
import { ValidationError } from "../error.ts";
import { FUNCREF, typeName, type WasmModule } from "./module.ts";
import { operatorName, OPERATORS } from "./opcode.ts";

/** Entries of a `br_table` that its text shows. */
const SHOWN_LABELS = 16;

const fail: Fail = (code, reason, offset) => {
  throw new ValidationError(code, `Cannot list operators: ${reason}`, { offset });
};

/** The operators of a body, as columns. */
export interface Listing {
  /** Byte offset of each operator in the module, ascending. */
  readonly offsets: Uint32Array;
  /** Its code; 0x100 + sub-opcode for the prefix 0xFC. */
  readonly codes: Uint16Array;
  /** How many blocks are open around it. */
  readonly depths: Uint32Array;
}

/** What stands for the indices of a module in a text. */
export interface Labels {
  /** Name of a function, by Wasm index; undefined when it has none. */
  function(index: number): string | undefined;
}

/** Gives a reader that stands at the first operator of a body. */
function readerOf(module: WasmModule, body: number): Reader {
  const reader = new Reader(module.bytes, fail, module.bodies[2 * body], module.bodies[2 * body + 1]);
  for (let groups = reader.varU32(); groups > 0; groups--) {
    reader.varU32();
    reader.u8();
  }
  return reader;
}

function readCode(reader: Reader): number {
  const code = reader.u8();
  return code === 0xfc ? 0x100 + reader.varU32() : code;
}

/**
 * Lists a defined function.
 *
 * @param body number of the function among those that are not imported
 * @throws {ValidationError} when the body is not well formed.
 */
export function listOperators(module: WasmModule, body: number): Listing {
  const reader = readerOf(module, body);
  // An operator has at least one byte.
  const offsets = new Uint32Array(reader.remaining), codes = new Uint16Array(reader.remaining);
  const depths = new Uint32Array(reader.remaining);
  let count = 0, depth = 0;
  while (!reader.atEnd) {
    offsets[count] = reader.position;
    const code = readCode(reader);
    if (code === 0x0b || code === 0x05) depth--;
    codes[count] = code;
    depths[count++] = Math.max(0, depth);
    if (code === 0x05 || OPERATORS[code]?.immediate === "block") depth++;
    skipImmediate(reader, code);
  }
  return {
    offsets: offsets.slice(0, count),
    codes: codes.slice(0, count),
    depths: depths.slice(0, count),
  };
}

function skipImmediate(reader: Reader, code: number): void {
  switch (OPERATORS[code]?.immediate) {
    case undefined:
      return fail("UnknownOperator", `${operatorName(code)} is not accepted`, reader.position);
    case "none":
      return;
    case "block":
      return void reader.varS33();
    case "labels":
      for (let labels = reader.varU32(); labels >= 0; labels--) reader.varU32();
      return;
    case "types":
      return void reader.skip(reader.varU32());
    case "i32":
      return void reader.varS32();
    case "i64":
      return void reader.varS64();
    case "f32":
      return void reader.skip(4);
    case "f64":
      return void reader.skip(8);
    case "memory":
    case "reference":
      return void reader.skip(1);
    case "access":
    case "type table":
    case "data memory":
    case "memory memory":
    case "element table":
    case "table table":
      reader.varU32();
      return void reader.varU32();
    default:
      return void reader.varU32();
  }
}

/**
 * Text of the operator at an offset that {@link listOperators} gave, such as `i32.load offset=8` or
 * `call 3 (; malloc ;)`.
 *
 * @throws {ValidationError} when there is none.
 */
export function operatorText(module: WasmModule, offset: number, labels: Labels): string {
  const reader = new Reader(module.bytes, fail, offset);
  const code = readCode(reader), operator = OPERATORS[code];
  if (operator === undefined) {
    return fail("UnknownOperator", `${operatorName(code)} is not accepted`, offset);
  }
  const { name, immediate, size } = operator;
  const nonzero = (index: number): string => index === 0 ? "" : ` ${index}`;
  switch (immediate) {
    case "none":
    case "memory":
    case "memory memory":
    case "memory index":
      return name;
    case "block":
      return name + blockText(module, reader.varS33());
    case "labels": {
      const count = reader.varU32() + 1;
      let text = name;
      for (let n = 0; n < Math.min(count, SHOWN_LABELS); n++) text += ` ${reader.varU32()}`;
      return count > SHOWN_LABELS ? `${text} … (${count} labels)` : text;
    }
    case "function": {
      const index = reader.varU32(), label = labels.function(index);
      return label === undefined ? `${name} ${index}` : `${name} ${index} (; ${label} ;)`;
    }
    case "type table": {
      const type = reader.varU32();
      return `${name}${nonzero(reader.varU32())} (type ${type})`;
    }
    case "types": {
      const types = Array.from({ length: reader.varU32() }, () => typeName(reader.u8()));
      return `${name} (result ${types.join(" ")})`;
    }
    case "access": {
      const align = reader.varU32(), at = reader.varU32();
      return name + (at === 0 ? "" : ` offset=${at}`) + (align === size ? "" : ` align=${2 ** align}`);
    }
    case "i32":
      return `${name} ${reader.varS32()}`;
    case "i64": {
      const low = reader.varS64();
      return `${name} ${BigInt(reader.high) << 32n | BigInt(low >>> 0)}`;
    }
    case "f32":
    case "f64": {
      const bytes = reader.take(immediate === "f32" ? 4 : 8);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      return `${name} ${
        floatText(immediate === "f32" ? view.getFloat32(0, true) : view.getFloat64(0, true))
      }`;
    }
    case "reference":
      return `${name} ${reader.u8() === FUNCREF ? "func" : "extern"}`;
    case "data memory":
      return `${name} ${reader.varU32()}`;
    case "element table": {
      const segment = reader.varU32();
      return `${name}${nonzero(reader.varU32())} ${segment}`;
    }
    case "table table": {
      const to = reader.varU32(), from = reader.varU32();
      return to === 0 && from === 0 ? name : `${name} ${to} ${from}`;
    }
    default:
      return `${name} ${reader.varU32()}`;
  }
}

function floatText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value < 0 ? "-inf" : "inf";
  return Object.is(value, -0) ? "-0" : String(value);
}

function blockText(module: WasmModule, type: number): string {
  if (type === -0x40) return "";
  if (type < 0) return ` (result ${typeName(type & 0x7f)})`;
  const { params = [], results = [] } = module.types[type] ?? {};
  const part = (what: string, types: Iterable<number>): string => {
    const names = Array.from(types, typeName);
    return names.length === 0 ? "" : ` (${what} ${names.join(" ")})`;
  };
  return part("param", params) + part("result", results);
}
