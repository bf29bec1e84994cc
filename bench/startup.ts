/**
 * Time to the first result: whole processes, from start to exit, and in a warm process the steps of
 * running a small module. Started with a task it is such a process.
 *
 * @module
 */

import { encodeWasm, get, I32 } from "../tests/wasm_encoder.ts";
import { interleaved, median, type Row, type Table } from "./measure.ts";

const small = (): Uint8Array =>
  encodeWasm({
    pages: 1,
    functions: [{ name: "add", params: [I32, I32], results: [I32], body: [...get(0), ...get(1), 0x6a] }],
  });

/** What a process does. */
const TASKS: Record<string, () => Promise<void>> = {
  "nothing": async () => {},
  "import": async () => {
    await import("../mod.ts");
  },
  "first result": async () => {
    const { compile, RwasmExecutor, RwasmStore } = await import("../mod.ts");
    const outcome = new RwasmExecutor(new RwasmStore(), compile(small())).call("add", [1, 2]);
    if (outcome.status !== "done" || outcome.results[0] !== 3) throw new Error("1 + 2 is not 3");
  },
};

async function processTime(task: string): Promise<number> {
  const start = performance.now();
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-check", new URL(import.meta.url).href, task],
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return performance.now() - start;
}

/** Processes first, then steps in this one. */
export async function benchStartup({ rounds = 5 }: { rounds?: number } = {}): Promise<Table> {
  const rows: Row[] = [];
  const times: Record<string, number[]> = {};
  for (let round = 0; round <= rounds; round++) {
    for (const task of Object.keys(TASKS)) {
      const time = await processTime(task);
      if (round > 0) (times[task] ??= []).push(time);
    }
  }
  for (const [task, all] of Object.entries(times)) {
    rows.push({ name: `process: ${task}`, figures: { ms: median(all) } });
  }

  const { compile, RwasmExecutor, RwasmModule, RwasmStore } = await import("../mod.ts");
  const wasm = small();
  const module = compile(wasm, { entrypoint: "add" });
  const bytes = module.encode();
  const live = new RwasmExecutor(new RwasmStore(), module);
  const repeat = (step: () => void) => () => () => {
    for (let i = 0; i < 200; i++) step();
  };
  const steps = interleaved({
    "compile 1 function": repeat(() => compile(wasm)),
    "decode 1 function": repeat(() => RwasmModule.decode(bytes)),
    "new store and executor, instantiate": repeat(() =>
      new RwasmExecutor(new RwasmStore(), module).instantiate()
    ),
    "call on a live instance": repeat(() => live.call("add", [1, 2])),
  }, rounds);
  for (const [step, time] of Object.entries(steps)) {
    rows.push({ name: `step: ${step}`, figures: { ms: time / 200 } });
  }
  return {
    title: "startup",
    note: 'Milliseconds. Processes include Deno\'s own start; see "nothing".',
    rows,
    missed: [],
  };
}

if (import.meta.main && Deno.args[0] in TASKS) await TASKS[Deno.args[0]]();
