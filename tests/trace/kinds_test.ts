/**
 * A program and a host that change everything that can be changed: its trace rebuilds the machine, and
 * with any one kind of record missing it does not.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { assemble, RwasmExecutor, RwasmStore } from "../../mod.ts";
import { EventKind } from "../../lib/trace/event.ts";
import { rebuild } from "../../lib/trace/rebuild.ts";
import { Tracer } from "../../lib/trace/tracer.ts";
import { hostedRun } from "./hosted.ts";

Deno.test("a trace alone rebuilds memory, globals, tables, segments, stack and fuel", () => {
  const { first, last } = hostedRun({});
  assertEquals(first, undefined);
  assertEquals(last, undefined);
});

Deno.test("equal runs have equal hashes, whatever is kept of them", () => {
  const { tracer } = hostedRun({});
  assertEquals(tracer.hash(), hostedRun({ sink: () => {} }).tracer.hash());
  assertEquals(tracer.hash().length, 64);
});

/** What the program and its host do not do. */
const ELSEWHERE: ReadonlySet<EventKind> = new Set([EventKind.Halt, EventKind.Calls]);

const KINDS = Object.values(EventKind).filter((kind): kind is EventKind => {
  return typeof kind === "number" && !ELSEWHERE.has(kind);
});

for (const kind of KINDS) {
  Deno.test(`a trace without records of kind ${EventKind[kind]} does not rebuild the run`, () => {
    const kinds = new Set(
      hostedRun({}).tracer.chunks().flatMap((chunk) => [...chunk.kind.subarray(0, chunk.events)]),
    );
    assert(kinds.has(kind), "the run has no such record");
    const { first, last } = hostedRun({ omit: new Set([kind]) });
    assert(first !== undefined || last !== undefined, "nothing was missed");
  });
}

Deno.test("a trace without the end of a halted run does not rebuild what follows", () => {
  const run = (omit: ReadonlySet<EventKind>) => {
    const tracer = new Tracer({ omit });
    const executor = new RwasmExecutor(new RwasmStore(), assemble("Trap ExecutionHalted"), { tracer });
    for (let i = 0; i < 2; i++) assertEquals(executor.execute().status, "done");
    return rebuild(tracer).inconsistency;
  };
  assertEquals(run(new Set()), undefined);
  assert(run(new Set([EventKind.Halt])) !== undefined);
});
