/**
 * The Rust runner beside this file: builds it when cargo is there, starts it, and asks it to load and
 * run kernels. One JSON object per line each way; `src/main.rs` tells the protocol.
 *
 * @module
 */

import type { Value, ValueType } from "../../mod.ts";

/** Engines the runner has. */
export type PeerName = "rwasm" | "wasmi";

/** What a run of a kernel gave; numbers as the runner writes them. */
export interface PeerRun {
  readonly nanoseconds: number;
  /** Results, as decimal strings of their unsigned bits. */
  readonly results: readonly string[];
  /** Fuel of the call, as a decimal string. */
  readonly fuel: string;
  /** FNV-1a-64 of the final memory, 16 hex digits. */
  readonly memory: string;
}

const FOLDER = new URL("./", import.meta.url).pathname;

/** Builds a binary of the runner; the reason when it cannot be built, undefined when it is there. */
async function build(binary: string): Promise<string | undefined> {
  const features = binary === "peers-fpu" ? ["--features", "fpu"] : [];
  const args = ["build", "--release", "--quiet", "--locked", "--bin", binary, ...features];
  try {
    const { success, stderr } = await new Deno.Command("cargo", {
      args,
      cwd: FOLDER,
      stdout: "null",
      stderr: "piped",
    }).output();
    if (success) return undefined;
    const text = new TextDecoder().decode(stderr).trim().split("\n").slice(-6).join("\n");
    return `cargo ${args.join(" ")} failed:\n${text}`;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "cargo is not installed";
    throw error;
  }
}

/** Unsigned bits of a value, as the runner takes and gives them. */
export function bitsText(type: ValueType, value: Value): string {
  const view = new DataView(new ArrayBuffer(8));
  switch (type) {
    case "i32":
      return String((value as number) >>> 0);
    case "i64":
      return String(BigInt.asUintN(64, value as bigint));
    case "f32":
      view.setFloat32(0, value as number);
      return String(view.getUint32(0));
    case "f64":
      view.setFloat64(0, value as number);
      return String(view.getBigUint64(0));
    default:
      throw new Error(`kernels do not take or give ${type}`);
  }
}

/** A running runner. */
export class Peers {
  readonly #process: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #rest = "";

  private constructor(process: Deno.ChildProcess) {
    this.#process = process;
    this.#writer = process.stdin.getWriter();
    this.#lines = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Builds and starts a runner, one with floats in the reference or one without; else the reason why not. */
  static async start(floats: boolean): Promise<Peers | string> {
    const binary = floats ? "peers-fpu" : "peers";
    const problem = await build(binary);
    if (problem !== undefined) return problem;
    const command = new Deno.Command(`${FOLDER}target/release/${binary}`, {
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    });
    return new Peers(command.spawn());
  }

  async #ask(request: Record<string, unknown>): Promise<Record<string, unknown>> {
    await this.#writer.write(new TextEncoder().encode(`${JSON.stringify(request)}\n`));
    let end: number;
    while ((end = this.#rest.indexOf("\n")) < 0) {
      const { value, done } = await this.#lines.read();
      if (done) throw new Error("the runner ended");
      this.#rest += value;
    }
    const answer = JSON.parse(this.#rest.slice(0, end)) as Record<string, unknown>;
    this.#rest = this.#rest.slice(end + 1);
    if (answer.error !== undefined) throw new Error(`${request.engine}: ${request.kernel}: ${answer.error}`);
    return answer;
  }

  /** Compiles a kernel in an engine; nanoseconds of that. */
  async load(engine: PeerName, kernel: string, wasm: Uint8Array, entry: string): Promise<number> {
    const { nanoseconds } = await this.#ask({ op: "load", engine, kernel, wasm: wasm.toHex(), entry });
    return nanoseconds as number;
  }

  /** Runs a loaded kernel once, on a fresh instance. */
  async run(
    engine: PeerName,
    kernel: string,
    args: readonly (readonly [ValueType, Value])[],
    results: readonly ValueType[],
  ): Promise<PeerRun> {
    const pairs = args.map(([type, value]) => [type, bitsText(type, value)]);
    const answer = await this.#ask({ op: "run", engine, kernel, args: pairs, results, times: 1 });
    return { ...answer, nanoseconds: (answer.nanoseconds as number[])[0] } as unknown as PeerRun;
  }

  /** Ends the runner. */
  async stop(): Promise<void> {
    await this.#writer.close();
    await this.#lines.cancel();
    await this.#process.status;
  }
}
