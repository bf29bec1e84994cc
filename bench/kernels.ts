/**
 * Programs whose speed is measured: small loops written here, which need nothing else, and the
 * programs of `../shared/golden` with the modules the reference compiled.
 *
 * @module
 */

import { fromBase64, hasShared, type JsonValue, listShared, readShared, toValue } from "../tests/harness.ts";
import { constant, encodeWasm, F64, get, I32, I64, loop, set, tee } from "../tests/wasm_encoder.ts";
import type { Value, ValueType } from "../mod.ts";

/** A program, what it is called with, and its type. */
export interface Kernel {
  readonly name: string;
  readonly wasm: Uint8Array;
  readonly entry: string;
  readonly args: readonly Value[];
  readonly types: { readonly params: readonly ValueType[]; readonly results: readonly ValueType[] };
  readonly floats: "deterministic" | "trap";
  /** The module the reference compiled. */
  readonly reference?: Uint8Array;
}

const ROUNDS = 200_000;
const countDown = [get(0), constant(1), [0x6b], tee(0)] as const;
const ONE_I32 = { params: ["i32"], results: ["i32"] } as const;

/** Kernels that need no other file: one per kind of work. */
const OWN: readonly Kernel[] = [
  own("i32 loop", [I32], I32, [], [
    ...loop(get(1), constant(31), [0x6c], get(0), [0x73], set(1), ...countDown),
    ...get(1),
  ]),
  own("i64 mix", [I64], I64, [], [
    ...loop(
      get(1),
      constant(0x9e3779b97f4a7c15n - 2n ** 64n),
      [0x7c],
      constant(13n),
      [0x89],
      set(1),
      ...countDown,
    ),
    ...get(1),
  ]),
  own("i64 division", [I64], I64, [], [
    ...constant(0x7fffffffffffffffn),
    ...set(1),
    ...loop(
      get(1),
      constant(3707827967n),
      [0x80],
      constant(1n),
      [0x84],
      constant(0x123456789abcdefn),
      [0x7c],
      set(1),
      ...countDown,
    ),
    ...get(1),
  ]),
  own("memory", [I32], I32, [], [
    ...loop(
      get(0),
      constant(0xfffc),
      [0x71],
      get(1),
      get(0),
      constant(0xfffc),
      [0x71],
      [0x28, 2, 0],
      [0x6a],
      tee(1),
      [0x36, 2, 0],
      ...countDown,
    ),
    ...get(1),
  ]),
  own("f64 arithmetic", [F64], I32, [], [
    ...loop(
      get(1),
      [0x44, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f],
      [0xa0],
      [0x44, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f],
      [0xa2],
      [0x9f],
      set(1),
      ...countDown,
    ),
    ...get(1),
    0xaa,
  ]),
  own("calls", [I32], I32, [{ params: [I32], results: [I32], body: [...get(0), ...constant(7), 0x6a] }], [
    ...loop(get(1), [0x10, 1], set(1), ...countDown),
    ...get(1),
  ]),
];

function own(
  name: string,
  locals: readonly number[],
  result: number,
  others: Parameters<typeof encodeWasm>[0]["functions"],
  body: readonly number[],
): Kernel {
  const main = { name: "main", params: [I32], results: [result], locals, body };
  const types = result === I64 ? { params: ["i32"], results: ["i64"] } as const : ONE_I32;
  const wasm = encodeWasm({ pages: 1, functions: [main, ...others] });
  return { name, wasm, entry: "main", args: [ROUNDS], types, floats: "deterministic" };
}

interface Program {
  readonly wasm: string;
  readonly fpu: boolean;
  readonly entry?: string;
  readonly inputs: readonly { readonly args: readonly JsonValue[]; readonly fuelLimit: string | null }[];
  readonly expected: readonly { readonly fuel: string }[];
  readonly rwasm: string;
}

/** Longer runs than the first with this much fuel only take longer. */
const ENOUGH_FUEL = 5e6;

const LETTERS: Record<string, ValueType> = { i: "i32", I: "i64", f: "f32", F: "f64" };

/** The programs of `../shared/golden`, each with an expensive unlimited input. */
function golden(): Kernel[] {
  if (!hasShared) return [];
  return listShared("golden/programs").flatMap((name): Kernel[] => {
    const file = readShared<Program & { inputs: { results: string }[] }>(`golden/programs/${name}.json`);
    if (file.entry === undefined) return [];
    const unlimited = file.inputs.map((input, i) => ({ input, fuel: Number(file.expected[i].fuel) }))
      .filter(({ input }) => input.fuelLimit === null).sort((a, b) => a.fuel - b.fuel);
    const { input } = unlimited.find(({ fuel }) => fuel >= ENOUGH_FUEL) ?? unlimited.at(-1)!;
    return [{
      name,
      wasm: fromBase64(file.wasm),
      entry: file.entry,
      args: input.args.map(toValue),
      types: {
        params: input.args.map(({ type }) => type),
        results: Array.from((input as unknown as { results: string }).results, (letter) => LETTERS[letter]),
      },
      floats: file.fpu ? "deterministic" : "trap",
      reference: fromBase64(file.rwasm),
    }];
  });
}

/** All programs. */
export function kernels(): readonly Kernel[] {
  return [...OWN, ...golden()];
}
