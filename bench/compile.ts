/**
 * Speed and memory of compiling real modules. Cold is the first compilation of a fresh process, warm
 * the best of later ones; peak memory is the growth of the resident size of a fresh process while
 * it compiles once. Started with a task it is such a process: `cold <file>` prints one JSON line.
 *
 * @module
 */

import { compile, RwasmError } from "../mod.ts";
import type { ValueType } from "../mod.ts";
import { ImportLinker } from "../mod.ts";
import { encodeWasm, get, I32 } from "../tests/wasm_encoder.ts";
import {
  codeBytes,
  inProcess,
  peakResident,
  REAL_MODULES,
  realModule,
  type Row,
  type Table,
} from "./measure.ts";

/** Reaches: warm speed, and peak memory as factor of the input plus a base. */
const LEAST_MB_PER_SECOND = 8, MOST_PEAK_FACTOR = 12, PEAK_BASE = 32 * 2 ** 20;

/** How long a module is compiled again and again. */
const LEAST_MILLISECONDS = 1500;

interface Cold {
  readonly milliseconds: number;
  readonly peak: number;
  readonly instructions: number;
}

/** A linker that offers whatever a module imports, doing nothing. */
export function anyImports(wasm: Uint8Array): ImportLinker {
  const linker = new ImportLinker();
  const seen = new Set<string>();
  // Types are not in WebAssembly.Module.imports, so they are read from the module's own sections.
  importedFunctions(wasm).forEach(({ module, name, params, results }, index) => {
    if (seen.has(`${module}\0${name}`)) return;
    seen.add(`${module}\0${name}`);
    linker.define(module, name, { index, params, results }, () => undefined);
  });
  return linker;
}

const TYPES: Record<number, ValueType> = { 0x7f: "i32", 0x7e: "i64", 0x7d: "f32", 0x7c: "f64" };

interface ImportedFunction {
  readonly module: string;
  readonly name: string;
  readonly params: ValueType[];
  readonly results: ValueType[];
}

/** The imported functions of a valid module that imports nothing else. */
function importedFunctions(wasm: Uint8Array): ImportedFunction[] {
  let at = 8;
  const number = () => {
    let value = 0;
    for (let scale = 1;; scale *= 128) {
      const byte = wasm[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  const name = () => {
    const length = number();
    return new TextDecoder().decode(wasm.subarray(at, at += length));
  };
  const types: { params: ValueType[]; results: ValueType[] }[] = [];
  const valueTypes = () => Array.from({ length: number() }, () => TYPES[wasm[at++]]);
  const functions: ImportedFunction[] = [];
  while (at < wasm.length) {
    const id = wasm[at++], size = number(), end = at + size;
    if (id === 1) {
      for (let left = number(); left > 0; left--) {
        at++; // 0x60
        types.push({ params: valueTypes(), results: valueTypes() });
      }
    } else if (id === 2) {
      for (let left = number(); left > 0; left--) {
        const [module, field] = [name(), name()];
        if (wasm[at++] !== 0) throw new Error(`${module}.${field} is not a function`);
        functions.push({ module, name: field, ...types[number()] });
      }
    }
    at = end;
  }
  return functions;
}

function coldRun(file: string): Cold {
  // A tiny module first: what loading the compiler itself takes is not what compiling takes.
  compile(encodeWasm({ functions: [{ name: "f", params: [I32], results: [I32], body: get(0) }] }));
  (globalThis as { gc?: () => void }).gc?.();
  const wasm = Deno.readFileSync(file);
  const linker = anyImports(wasm);
  const before = Math.max(Deno.memoryUsage().rss, peakResident());
  const start = performance.now();
  const { length } = compile(wasm, { linker });
  return { milliseconds: performance.now() - start, peak: peakResident() - before, instructions: length };
}

/** One row per real module. */
export async function benchCompile({ rounds = 5 }: { rounds?: number } = {}): Promise<Table> {
  const rows: Row[] = [];
  const missed: string[] = [];
  for (const real of REAL_MODULES) {
    const wasm = await realModule(real);
    if (wasm === undefined) {
      missed.push(`${real.name}: npm package ${real.packageName} is not to be had`);
      continue;
    }
    const file = await Deno.makeTempFile({ suffix: ".wasm" });
    try {
      await Deno.writeFile(file, wasm);
      const megabytes = codeBytes(wasm) / 1e6;
      const cold = await inProcess<Cold>("compile.ts", ["cold", file]);
      const linker = anyImports(wasm);
      // Small modules are compiled more often, until V8 has optimized what compiles them.
      const times: number[] = [];
      for (let spent = 0; times.length < rounds || spent < LEAST_MILLISECONDS; spent += times.at(-1)!) {
        const start = performance.now();
        compile(wasm, { linker });
        times.push(performance.now() - start);
      }
      const best = Math.min(...times);
      const warm = megabytes / best * 1e3;
      const mostPeak = MOST_PEAK_FACTOR * wasm.length + PEAK_BASE;
      rows.push({
        name: real.name,
        figures: {
          "file MB": wasm.length / 1e6,
          "code MB": megabytes,
          "M instr": cold.instructions / 1e6,
          "cold ms": cold.milliseconds,
          "cold MB/s": megabytes / cold.milliseconds * 1e3,
          "warm ms": best,
          "warm MB/s": warm,
          "peak MB": cold.peak / 1e6,
          "peak × file": cold.peak / wasm.length,
          "most peak MB": mostPeak / 1e6,
        },
      });
      if (warm < LEAST_MB_PER_SECOND) {
        missed.push(`${real.name}: ${warm.toFixed(1)} MB/s warm, at least ${LEAST_MB_PER_SECOND}`);
      }
      if (cold.peak > mostPeak) missed.push(`${real.name}: peak of ${(cold.peak / 1e6).toFixed(0)} MB`);
    } catch (error) {
      if (!(error instanceof RwasmError)) throw error;
      missed.push(`${real.name}: ${error.message}`);
    } finally {
      await Deno.remove(file);
    }
  }
  return {
    title: "compile",
    note:
      "MB of the code section per second, default limits. Peak: growth of the resident size over one cold compilation.",
    rows,
    missed,
  };
}

if (import.meta.main && Deno.args[0] === "cold") console.log(JSON.stringify(coldRun(Deno.args[1])));
