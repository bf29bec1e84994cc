/**
 * A small notation for Wasm binaries in tests: sections and bodies as hexadecimal text, lengths and
 * counts of bytes filled in. Nothing is checked, so malformed modules can be written too.
 *
 * @module
 */

import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { ValidationError } from "../../lib/error.ts";
import { parse } from "../../lib/wasm/parse.ts";
import { validate } from "../../lib/wasm/validate.ts";

/** Bytes of a text like "60 01 7f"; letters between apostrophes stand for themselves: "'abc'". */
export function hex(text: string): number[] {
  const bytes: number[] = [];
  for (const [, word, digits] of text.matchAll(/'([^']*)'|([0-9a-f]+)/g)) {
    if (digits === undefined) bytes.push(...new TextEncoder().encode(word));
    else for (let at = 0; at < digits.length; at += 2) bytes.push(parseInt(digits.slice(at, at + 2), 16));
  }
  return bytes;
}

/** Unsigned LEB128. */
export function leb(value: number): number[] {
  const bytes: number[] = [];
  for (; value > 0x7f; value = Math.floor(value / 128)) bytes.push(value % 128 | 0x80);
  return [...bytes, value];
}

/** A section: id, length, payload. */
export function section(id: number, payload: string | readonly number[]): number[] {
  const bytes = typeof payload === "string" ? hex(payload) : payload;
  return [id, ...leb(bytes.length), ...bytes];
}

/** A module of sections. */
export function wasm(...sections: readonly (readonly number[])[]): Uint8Array {
  return Uint8Array.from([...hex("00 'asm' 01 00 00 00"), ...sections.flat()]);
}

/** A code section; each body is written without its size, from its local declarations to its `end`. */
export function bodies(...texts: readonly string[]): number[] {
  const payload = texts.map(hex).flatMap((body) => [...leb(body.length), ...body]);
  return section(10, [...leb(texts.length), ...payload]);
}

/**
 * A module to try operators in. Types: 0 () → (), 1 (i32) → (i32), 2 (i32 i64) → (i64 i32),
 * 3 () → (i32 f64). Functions: one of each type; the operators, without the last `end`, are the body of
 * the one of type `type`, which also has locals f32, f64, funcref. Tables: 0 funcref, 1 externref.
 * Globals: 0 i32 mutable, 1 i64, 2 funcref mutable, declaring function 1. Element segments: 0 funcref,
 * 1 externref; a memory; one data segment.
 */
export function operators(text: string, type = 0): Uint8Array {
  const empty = "00 00 0b";
  const body = `03 01 7d 01 7c 01 70 ${text} 0b`;
  return wasm(
    section(1, "04 60 00 00 60 01 7f 01 7f 60 02 7f 7e 02 7e 7f 60 00 02 7f 7c"),
    section(3, "04 00 01 02 03"),
    section(4, "02 70 00 01 6f 00 01"),
    section(5, "01 00 01"),
    section(6, "03 7f 01 41 00 0b 7e 00 42 00 0b 70 01 d2 01 0b"),
    section(9, "02 01 00 01 00 05 6f 00"),
    section(12, "01"),
    bodies(...[0, 1, 2, 3].map((index) => index === type ? body : empty)),
    section(11, "01 01 00"),
  );
}

/** Checks that a module is accepted. */
export function accepts(bytes: Uint8Array): void {
  validate(parse(bytes));
}

/** Checks that a module is refused with a code and a message; gives the error. */
export function refuses(bytes: Uint8Array, code: string, message: RegExp): ValidationError {
  const error = assertThrows(() => validate(parse(bytes)), ValidationError);
  assertMatch(error.message, message);
  assertEquals(error.code, code);
  return error;
}
