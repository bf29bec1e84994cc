/**
 * The programs that are run in every engine: those of `../shared/golden` where that folder is there,
 * and the ones in `bench/programs`. Each exports `main`, which takes one i32, and a memory.
 *
 * @module
 */

import type { ValueType } from "../../mod.ts";
import { assembleWat } from "../../tests/compile/wat.ts";
import { fromBase64, hasShared, lettersToTypes, readShared } from "../../tests/harness.ts";

/** A program and how it is called. */
export interface Program {
  readonly name: string;
  readonly wasm: Uint8Array<ArrayBuffer>;
  readonly entry: string;
  /** Argument of the interleaved runs: tens of milliseconds in the reference's machine. */
  readonly short: number;
  /** Argument of the cold run: about half a second there. */
  readonly long: number;
  readonly results: readonly ValueType[];
  /** Whether it computes with floats, which the reference must be built for. */
  readonly floats: boolean;
}

/** Arguments of the programs of `golden/programs`. */
const GOLDEN: Readonly<Record<string, readonly [short: number, long: number]>> = {
  crc32: [6, 60],
  dispatch: [200_000, 2_000_000],
  keccak: [300, 3000],
  mandel: [100, 400],
  matmul: [1, 4],
  mulmod: [100_000, 1_000_000],
  nbody: [3000, 30_000],
  qsort: [1, 4],
  sha256: [1, 10],
  sieve: [1, 4],
};

/** Arguments of the programs of `bench/programs`, and what they give. */
const OWN: Readonly<Record<string, readonly [short: number, long: number, result: ValueType]>> = {
  bigint: [60, 600, "i64"],
  fft: [40, 400, "i64"],
  fib: [25, 30, "i32"],
  hashmap: [60_000, 600_000, "i64"],
  life: [8, 80, "i32"],
  lz: [15, 150, "i32"],
  search: [50, 500, "i32"],
  threaded: [20_000, 200_000, "i32"],
};

function golden(): Program[] {
  if (!hasShared) return [];
  return Object.entries(GOLDEN).map(([name, [short, long]]) => {
    const { wasm, entry, fpu, inputs } = readShared<{
      readonly wasm: string;
      readonly entry: string;
      readonly fpu: boolean;
      readonly inputs: readonly { readonly results: string }[];
    }>(`golden/programs/${name}.json`);
    const bytes = fromBase64(wasm).slice();
    return { name, wasm: bytes, entry, short, long, results: lettersToTypes(inputs[0].results), floats: fpu };
  });
}

function own(): Program[] {
  return Object.entries(OWN).map(([name, [short, long, result]]) => {
    const text = Deno.readTextFileSync(new URL(`../programs/${name}.wat`, import.meta.url));
    const wasm = assembleWat(text).slice();
    return { name, wasm, entry: "main", short, long, results: [result], floats: name === "fft" };
  });
}

/** All programs, or those of the given names. */
export function programs(names: readonly string[] = []): readonly Program[] {
  const all = [...golden(), ...own()];
  const unknown = names.filter((name) => !all.some((program) => program.name === name));
  if (unknown.length > 0) {
    throw new Error(
      `no program is called ${unknown.join(", ")}; there are ${all.map(({ name }) => name).join(", ")}`,
    );
  }
  return names.length === 0 ? all : all.filter(({ name }) => names.includes(name));
}
