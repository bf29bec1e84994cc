/**
 * Valid inputs that the fuzz campaigns start from: modules written here, and, where `../shared` is
 * there, those of the official suite and of the reference.
 *
 * @module
 */

import { compile } from "../../mod.ts";
import { fromBase64, type JsonValue, lettersToTypes, listShared, readShared } from "../harness.ts";
import type { RwasmInput } from "./campaign.ts";
import type { Script } from "../spec/script.ts";
import {
  constant,
  encodeWasm,
  F64,
  get,
  I32,
  I64,
  loop,
  type ModuleSource,
  set,
  tee,
} from "../wasm_encoder.ts";

/** Larger inputs only make a campaign slower. */
const MOST_BYTES = 4096;

/** Modules with loops, memory, tables, globals, calls, 64-bit and float operations. */
const SOURCES: readonly ModuleSource[] = [
  {
    pages: 1,
    functions: [{
      name: "sum",
      params: [I32],
      results: [I32],
      locals: [I32],
      body: [
        ...loop(get(0), get(1), [0x6a], set(1), get(0), constant(1), [0x6b], tee(0)),
        ...get(1),
      ],
    }, {
      name: "fill",
      params: [I32, I32, I32],
      body: [...get(0), ...get(1), ...get(2), 0xfc, 0x0b, 0, ...get(0), ...get(1), 0x36, 2, 0],
    }],
  },
  {
    pages: 1,
    globals: [{ type: I64, init: constant(0x123456789abcdefn) }],
    table: [0, 1],
    functions: [{
      name: "mix",
      params: [I64, I64],
      results: [I64],
      body: [...get(0), ...get(1), 0x7e, 0x23, 0, 0x85, 0x24, 0, 0x23, 0, ...get(1), 0x89, ...get(0), 0x7c],
    }, {
      name: "divide",
      params: [I64, I64],
      results: [I64],
      body: [...get(0), ...get(1), 0x7f, ...get(0), ...get(1), 0x82, 0x7d],
    }, {
      name: "indirect",
      params: [I32],
      results: [I64],
      body: [...constant(77n), ...constant(5n), ...get(0), 0x11, 0, 0],
    }],
  },
  {
    pages: 1,
    functions: [{
      name: "float",
      params: [F64, F64],
      results: [F64],
      locals: [I32],
      body: [
        ...loop(
          get(0),
          get(1),
          [0xa3],
          get(1),
          [0xa0],
          set(0),
          get(2),
          constant(1),
          [0x6a],
          tee(2),
          constant(9),
          [0x49],
        ),
        ...[...constant(8), ...get(0), 0x39, 3, 0, ...constant(8), 0x2b, 3, 0, 0x9f],
      ],
    }, {
      name: "recursive",
      params: [I32],
      results: [I32],
      body: [
        ...[...get(0), 0x04, I32, ...get(0), ...constant(1), 0x6b, 0x10, 1, ...get(0), 0x6a, 0x05],
        ...[...constant(0), 0x0b],
      ],
    }, {
      name: "branches",
      params: [I32],
      results: [I32],
      body: [
        ...[0x02, 0x40, 0x02, 0x40, 0x02, 0x40, ...get(0), 0x0e, 2, 0, 1, 2, 0x0b, ...constant(10), 0x0f],
        ...[0x0b, ...constant(20), 0x0f, 0x0b, ...constant(30)],
      ],
    }],
  },
];

/** Valid Wasm modules. */
export function wasmCorpus(): Uint8Array[] {
  const corpus = SOURCES.map(encodeWasm);
  for (const name of listShared("golden/programs")) {
    corpus.push(fromBase64(readShared<{ wasm: string }>(`golden/programs/${name}.json`).wasm));
  }
  for (const name of listShared("spec")) {
    const { commands } = readShared<Script>(`spec/${name}.json`);
    const modules = commands.filter(({ type, wasm }) => type === "module" && wasm !== undefined);
    for (const { wasm } of modules.slice(0, 12)) corpus.push(fromBase64(wasm!));
  }
  return corpus.filter(({ length }) => length > 8 && length <= MOST_BYTES);
}

/** What a file of `golden/programs` has for an entry point. */
interface Case {
  readonly inputs: readonly { readonly args: readonly JsonValue[]; readonly results: string }[];
  readonly rwasm: string;
}

/** Valid `.rwasm` modules with an entry point: ours, and those the reference compiled. */
export function rwasmCorpus(): RwasmInput[] {
  const corpus: RwasmInput[] = [];
  for (const source of SOURCES) {
    const wasm = encodeWasm(source);
    for (const { name } of source.functions) {
      const module = compile(wasm, { entrypoint: name! });
      corpus.push({ bytes: module.encode(), types: module.exports.find((item) => item.name === name)! });
    }
  }
  for (const name of listShared("golden/programs")) {
    const file = readShared<Case & { cases?: readonly Case[] }>(`golden/programs/${name}.json`);
    for (const { inputs: [{ args, results }], rwasm } of file.cases ?? [file]) {
      const types = { params: args.map(({ type }) => type), results: lettersToTypes(results) };
      corpus.push({ bytes: fromBase64(rwasm), types });
    }
  }
  return corpus.filter(({ bytes }) => bytes.length <= 4 * MOST_BYTES);
}
