/**
 * The campaigns on snapshots, in portions: runs that are interrupted everywhere, at chance, and
 * snapshots that are damaged at chance. The tests run a small portion of each; `snapshot_main.ts`
 * runs all. Everything follows from seeds.
 *
 * @module
 */

import { Reader } from "../../lib/bytes/reader.ts";
import { Writer } from "../../lib/bytes/writer.ts";
import {
  finishFile,
  openFile,
  readPacked,
  readPiece,
  type Refuse,
  startFile,
} from "../../lib/run/snapshot_file.ts";
import { inspectSnapshot, RwasmError, RwasmExecutor } from "../../mod.ts";
import { mutate } from "../fuzz/mutate.ts";
import type { Failures, Random } from "../harness.ts";
import { executorOf, type Program, type World } from "./snapshot_programs.ts";
import { difference, type Ending, interrupted, type Pace, plainly } from "./snapshot_walk.ts";

/** Interrupts a program at a pace and notes a difference; how often it was interrupted. */
export function check(
  program: Program,
  expected: Ending,
  pace: Pace,
  most: number,
  failures: Failures,
): { readonly pauses: number; readonly passed: number } {
  const label = `${program.name} ${JSON.stringify({ ...pace, random: undefined, fuel: undefined })}`;
  try {
    const walk = interrupted(program, pace, most), found = difference(expected, walk);
    if (found !== undefined) failures.add(`${label}: ${found}`);
    return walk;
  } catch (error) {
    failures.add(`${label}: ${error instanceof Error ? error.stack : error}`);
    return { pauses: 0, passed: 0 };
  }
}

/** Interrupts a program at chance, in as many runs as it takes; how often. */
export function checkAtRandom(program: Program, points: number, random: Random, failures: Failures): number {
  const expected = plainly(program), fuel = /^fuel (\d+)$/m.exec(expected.text)![1];
  let done = 0;
  while (done < points) {
    // About fifty points a run; a run must get far enough to be moved to the fast loop.
    const apart = BigInt(fuel) / 25n + 2n;
    const { pauses } = check(program, expected, { fuel: apart, random }, points - done, failures);
    if (pauses === 0) break;
    done += pauses;
  }
  return done;
}

// ── damaged snapshots ───────────────────────────────────────────────────────────────────────────

/** A snapshot to damage. */
interface Sample {
  readonly program: Program;
  readonly bytes: Uint8Array;
  /** The same with nothing compressed, so that a change reaches what it means. */
  readonly open: Uint8Array;
  readonly world: World;
}

const never: Refuse = (code, why) => {
  throw new Error(`${code}: ${why}`);
};

/** A snapshot with its pieces as they were before they were compressed. */
export function unpacked(bytes: Uint8Array): Uint8Array {
  const { kind, reader } = openFile(bytes, "test"), { memoryBytes } = inspectSnapshot(bytes);
  const writer = startFile();
  const piece = (): Uint8Array => {
    const content = readPiece(reader, 2 ** 30, never);
    writer.u32(content.length);
    put(content);
    return content;
  };
  const put = (content: Uint8Array): void => {
    writer.u8(0);
    writer.block(content);
  };
  piece();
  piece();
  piece();
  const states = reader.u32();
  writer.u32(states);
  for (let state = 0; state < states; state++) {
    const name = reader.take(reader.u32());
    writer.u32(name.length);
    writer.block(name);
    piece();
  }
  if (!reader.atEnd) piece();
  if (memoryBytes > 0 || !reader.atEnd) {
    let blocks = 0;
    for (const byte of piece()) for (let at = 0; at < 8; at += 2) if ((byte >> at & 3) === 1) blocks++;
    for (; blocks > 0; blocks -= 256) put(readPacked(reader, 4096 * Math.min(256, blocks), never));
  }
  return finishFile(writer, kind);
}

/** Snapshots of runs that were stopped here and there. */
export function samplesOf(programs: readonly Program[], random: Random): Sample[] {
  return programs.map((program) => {
    const world = program.world(), executor = executorOf(program, world, 0n, { onOutOfFuel: "pause" });
    let outcome = program.start(executor);
    for (let left = random.below(30); left > 0 && outcome.status === "paused"; left--) {
      if (outcome.reason === "fuel") executor.store.addFuel(outcome.required - outcome.remaining);
      outcome = executor.resume(outcome.reason === "syscall" ? world.answer(outcome) : []);
    }
    const bytes = executor.snapshot();
    return { program, bytes, open: unpacked(bytes), world };
  });
}

/** What became of damaged snapshots. */
export interface Damage {
  /** How many were tried. */
  tried: number;
  /** How many were refused, by code. */
  readonly refused: Map<string, number>;
  /** How many were taken for snapshots. */
  taken: number;
  /** The longest that one took, in milliseconds. */
  slowest: number;
}

/** No damage yet. */
export function noDamage(): Damage {
  return { tried: 0, refused: new Map(), taken: 0, slowest: 0 };
}

/** A file with the right length and checksum, whatever its content is. */
function signed(bytes: Uint8Array): Uint8Array {
  const writer = new Writer(bytes.length);
  writer.block(bytes);
  // Too short for a header is too short to be signed.
  return bytes.length < 56 ? bytes : finishFile(writer, new Reader(bytes, never as never, 12).u32());
}

/**
 * Damages a snapshot and restores it: it must be refused with a typed error, or be the same; with its
 * checksum put right it may also be another state, which then runs to an end within its fuel.
 */
export function damage(
  samples: readonly Sample[],
  random: Random,
  repair: boolean,
  result: Damage,
  failures: Failures,
): void {
  const corpus = samples.map(({ bytes, open }) => repair ? open : bytes);
  const { bytes: changed, base } = mutate(corpus, random);
  const bytes = repair ? signed(changed) : changed, { program, world } = samples[base]!;
  const began = performance.now();
  result.tried++;
  try {
    const executor = RwasmExecutor.restore<never>(bytes, {
      module: program.module,
      limits: { ...program.limits, memoryPages: 64, stackSlots: 8192, callDepth: 1024 },
      linker: world.linker,
      data: world.data as never,
    });
    result.taken++;
    if (!repair && !same(bytes, corpus[base]!)) {
      failures.add(`${program.name}: a damaged snapshot was restored`);
    }
    runOut(executor);
  } catch (error) {
    if (!(error instanceof RwasmError)) {
      failures.add(`${program.name}: ${error instanceof Error ? error.stack : error}`);
      return;
    }
    result.refused.set(error.code, (result.refused.get(error.code) ?? 0) + 1);
  } finally {
    result.slowest = Math.max(result.slowest, performance.now() - began);
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, k) => byte === b[k]);
}

/** Goes on with whatever there is, with some fuel; it must end, and may be saved again. */
function runOut(executor: RwasmExecutor<never>): void {
  executor.store.resetFuel(20_000);
  const { paused } = executor;
  const types = paused === undefined ? [] : inspectSnapshot(executor.snapshot()).paused!.results ?? [];
  const values = types.map((type) =>
    type === "i64" ? 1n : type === "funcref" || type === "externref" ? null : 1
  );
  if (paused !== undefined) executor.resume(values, { timeoutMs: 1000 });
  executor.snapshot();
}
