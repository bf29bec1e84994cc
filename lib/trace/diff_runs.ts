/**
 * Finds where two runs part without storing either: they are run again and again, first for hashes, then
 * for the one piece in which those differ. It also finds changes of memory, tables or globals that
 * nothing in a run accounts for, to the instruction.
 *
 * @module
 */

import { UsageError } from "../error.ts";
import { TraceChunk } from "./chunk.ts";
import { diffTraces, type Divergence, eventText, placeOf } from "./diff.ts";
import { EventKind } from "./event.ts";
import type { Tracer, TracerOptions, Unexplained } from "./tracer.ts";
import type { TracerEvent } from "./views.ts";

/**
 * Runs a program from its beginning with a new tracer of these options, and gives the tracer. Each call
 * must do the same.
 */
export type RunMaker = (options: TracerOptions) => Tracer | Promise<Tracer>;

/** Places at which a run is compared with its trace at once. */
const PROBES = 64;

/** Where runs part, and how often they were run to find it. */
export interface RunDivergence extends Divergence {
  /** Runs that were made. */
  readonly runs: number;
}

/**
 * Finds where two runs part; undefined when they are equal to the end.
 *
 * @param progress called before each run with what it is for.
 * @throws {UsageError} `NotRepeatable` when the runs differ once and not again.
 */
export async function diffRuns(
  a: RunMaker,
  b: RunMaker,
  progress: (what: string) => void = () => {},
): Promise<RunDivergence | undefined> {
  let runs = 0;
  const run: Run = async (maker, what, options) => {
    runs++;
    progress(what);
    return await maker(options);
  };
  const drop = { sink: () => {} };
  const left = await run(a, "hashing the first run", drop);
  const right = await run(b, "hashing the second run", drop);
  const window = partingPiece(left, right);
  let found: Divergence | undefined, until = Math.min(left.instructions, right.instructions);
  if (window !== undefined) {
    const options = { window, hash: false };
    found = diffTraces(
      await run(a, "recording the first run", options),
      await run(b, "recording the second run", options),
    );
    if (found === undefined) {
      throw new UsageError("NotRepeatable", "Cannot compare: a run does not do the same each time", {
        hint:
          "its plugins, its clock or its input differ from run to run: record and replay, or compare traces",
      });
    }
    if (found.instruction !== undefined) until = found.instruction.index + 1;
  }
  // A change that nothing accounts for may lie before the first instruction that notices it.
  for (const [which, maker, hashed] of [["first", a, left], ["second", b, right]] as const) {
    const search = async (at: readonly number[]) => {
      const options = { verifyAt: at, window: [0, 1], hash: false } as const;
      return (await run(maker, `searching the ${which} run`, options)).unexplained;
    };
    // The comparison is made before an instruction, so the last place is before the last one.
    const change = await firstUnexplained(search, Math.min(until, hashed.executed - 1));
    if (change !== undefined) found = await unexplained(run, maker, which, change, found);
  }
  return found && { ...found, runs };
}

/** Instructions among which the hashes of two runs begin to differ; undefined when they never do. */
function partingPiece(left: Tracer, right: Tracer): [from: number, to: number] | undefined {
  const a = left.checkpoints, b = right.checkpoints;
  let from = 0;
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const to = Math.min(a[i]!.instructions, b[i]!.instructions);
    if (a[i]!.hash !== b[i]!.hash) return [from, to + 1];
    from = to;
  }
  if (a.length === b.length && left.hash() === right.hash()) return undefined;
  return [from, Math.max(left.instructions, right.instructions) + 1];
}

/** Finds the first unexplained change before instruction `until`, by probing at ever closer places. */
async function firstUnexplained(
  search: (at: readonly number[]) => Promise<Unexplained | undefined>,
  until: number,
): Promise<Unexplained | undefined> {
  let from = 0, to = until, change = to > 0 ? await search([to]) : undefined;
  if (change === undefined) return undefined;
  while (to - from > 1) {
    const step = Math.max(1, Math.floor((to - from) / PROBES)), places: number[] = [];
    for (let at = from + step; at < to; at += step) places.push(at);
    places.push(to);
    const found: Unexplained | undefined = await search(places);
    if (found === undefined) break; // the run is not the same each time
    change = found;
    from = Math.max(from, found.before - step);
    to = found.before;
  }
  return change;
}

type Run = (maker: RunMaker, what: string, options: TracerOptions) => Promise<Tracer>;

async function unexplained(
  run: Run,
  maker: RunMaker,
  which: "first" | "second",
  { before, changes }: Unexplained,
  found: Divergence | undefined,
): Promise<Divergence> {
  const index = Math.max(0, before - 1);
  const tracer = await run(maker, `recording the ${which} run`, { window: [index, index + 1], hash: false });
  const chunk = tracer.chunks().find((chunk) => chunk.rows > 0);
  const text = changes.map((change) => changeText(tracer, change)).join("; ");
  return {
    instruction: chunk && placeOf(tracer.code, chunk, 0),
    what: [
      `a change during or after this instruction that neither it nor the host made, in the ${which} run`,
    ],
    a: which === "first" ? text : "no such change",
    b: which === "second" ? text : "no such change",
    lastSyscall: found?.lastSyscall,
  };
}

function changeText({ code }: Tracer, { kind, address, size, words }: TracerEvent): string {
  const chunk = new TraceChunk();
  chunk.words.set(words.slice(0, chunk.words.length));
  const event = chunk.add(EventKind[kind], address, size, Math.min(words.length, chunk.words.length));
  return eventText(code, chunk, event).replace(" by the host", "");
}
