/**
 * Writes small Wasm modules from data: types, functions as bytes, one memory. What goes in is taken
 * as it is, valid or not; it is for tests and benchmarks that need a module without a text compiler.
 *
 * @module
 */

/** Type bytes. */
export const I32 = 0x7f, I64 = 0x7e, F32 = 0x7d, F64 = 0x7c;

/** No type: a block without results. */
export const EMPTY = 0x40;

/** A function to write; exported under its name when it has one. */
export interface FunctionSource {
  readonly name?: string;
  readonly params?: readonly number[];
  readonly results?: readonly number[];
  /** Type bytes of the locals after the parameters. */
  readonly locals?: readonly number[];
  /** Operators without the last `end`. */
  readonly body: readonly number[];
}

/** A module to write. */
export interface ModuleSource {
  readonly functions: readonly FunctionSource[];
  /** Initial pages of the memory, exported as "memory"; none when absent. */
  readonly pages?: number;
  /** Globals: type byte, and initializer without its `end`; all mutable. */
  readonly globals?: readonly { readonly type: number; readonly init: readonly number[] }[];
  /** Function indices of table 0; no table when absent. */
  readonly table?: readonly number[];
}

/** Unsigned LEB128 of a number below 2^32. */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value >>> 0;; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}

/** Signed LEB128. */
export function signed(value: number | bigint): number[] {
  const bytes: number[] = [];
  for (let rest = BigInt(value);; rest >>= 7n) {
    const byte = Number(rest & 0x7fn);
    if ((rest >> 6n) === 0n || (rest >> 6n) === -1n) return [...bytes, byte];
    bytes.push(byte | 0x80);
  }
}

/** `i32.const` or `i64.const` by the type of the value. */
export function constant(value: number | bigint): number[] {
  return [typeof value === "bigint" ? 0x42 : 0x41, ...signed(value)];
}

/** `local.get`. */
export const get = (index: number): number[] => [0x20, ...unsigned(index)];
/** `local.set`. */
export const set = (index: number): number[] => [0x21, ...unsigned(index)];
/** `local.tee`. */
/** `local.tee`. */
export const tee = (index: number): number[] => [0x22, ...unsigned(index)];

/** Runs operators while the i32 they leave is not zero. */
export function loop(...body: readonly (readonly number[])[]): number[] {
  return [0x03, EMPTY, ...body.flat(), 0x0d, 0, 0x0b];
}

const vector = (
  items: readonly (readonly number[])[],
): number[] => [...unsigned(items.length), ...items.flat()];
const text = (value: string): number[] => {
  const bytes = new TextEncoder().encode(value);
  return [...unsigned(bytes.length), ...bytes];
};
const section = (id: number, payload: readonly number[]): number[] => [
  id,
  ...unsigned(payload.length),
  ...payload,
];

/** The bytes of a module. */
export function encodeWasm({ functions, pages, globals = [], table }: ModuleSource): Uint8Array {
  const types = functions.map(({ params = [], results = [] }) => [
    0x60,
    ...vector(params.map((type) => [type])),
    ...vector(results.map((type) => [type])),
  ]);
  const bodies = functions.map(({ locals = [], body }) => {
    const bytes = [...vector(locals.map((type) => [1, type])), ...body, 0x0b];
    return [...unsigned(bytes.length), ...bytes];
  });
  const exports = functions.flatMap(({ name }, index) =>
    name === undefined ? [] : [[...text(name), 0, ...unsigned(index)]]
  );
  if (pages !== undefined) exports.push([...text("memory"), 2, 0]);
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector(types)),
    ...section(3, vector(functions.map((_, index) => unsigned(index)))),
    ...(table === undefined ? [] : section(4, vector([[0x70, 0, ...unsigned(table.length)]]))),
    ...(pages === undefined ? [] : section(5, vector([[0, ...unsigned(pages)]]))),
    ...section(6, vector(globals.map(({ type, init }) => [type, 1, ...init, 0x0b]))),
    ...section(7, vector(exports)),
    ...(table === undefined
      ? []
      : section(9, vector([[0, ...constant(0), 0x0b, ...vector(table.map((index) => unsigned(index)))]]))),
    ...section(10, vector(bodies)),
  ]);
}
