/**
 * All benchmarks: `deno task bench [name…]`. Prints a table each, writes every figure to
 * `bench/results/latest.json`, and ends with exit code 1 when a reach is missed.
 *
 * @module
 */

import { benchCompile } from "./compile.ts";
import { benchDecode } from "./decode.ts";
import { benchExecute } from "./execute.ts";
import { benchHostCall } from "./hostcall.ts";
import { benchMemory } from "./memory.ts";
import { format, type Table } from "./measure.ts";
import { benchPause } from "./pause.ts";
import { benchSnapshot } from "./snapshot.ts";
import { benchProfile } from "./profile.ts";
import { benchStartup } from "./startup.ts";
import { benchTrace } from "./trace.ts";
import { benchWasi } from "./wasi.ts";

const BENCHMARKS: Record<string, () => Table | Promise<Table>> = {
  execute: benchExecute,
  compile: benchCompile,
  decode: benchDecode,
  hostcall: benchHostCall,
  memory: benchMemory,
  pause: benchPause,
  snapshot: benchSnapshot,
  profile: benchProfile,
  startup: benchStartup,
  trace: benchTrace,
  wasi: benchWasi,
};

const unknown = Deno.args.filter((name) => !Object.hasOwn(BENCHMARKS, name));
if (unknown.length > 0) {
  console.error(
    `no benchmark is called ${unknown.join(", ")}; there are ${Object.keys(BENCHMARKS).join(", ")}`,
  );
  Deno.exit(2);
}

const tables: Table[] = [];
for (const [name, run] of Object.entries(BENCHMARKS)) {
  if (Deno.args.length > 0 && !Deno.args.includes(name)) continue;
  const table = await run();
  tables.push(table);
  console.log(`${format(table)}\n`);
}

const results = new URL("results/", import.meta.url);
await Deno.mkdir(results, { recursive: true });
const { os, arch } = Deno.build;
const machine = { os, arch, cores: navigator.hardwareConcurrency, ...Deno.version };
await Deno.writeTextFile(
  new URL("latest.json", results),
  `${JSON.stringify({ date: new Date().toISOString(), machine, tables }, null, 2)}\n`,
);
if (tables.some(({ missed }) => missed.length > 0)) Deno.exitCode = 1;
