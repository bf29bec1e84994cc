/**
 * The tracer as its users see it: what filters keep, rings, sinks, views under the names of the
 * reference, and what it refuses.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { assemble, RwasmError, RwasmExecutor, RwasmStore, UsageError } from "../../mod.ts";
import { EventKind } from "../../lib/trace/event.ts";
import { Tracer, type TracerOptions } from "../../lib/trace/tracer.ts";
import { hostedRun } from "./hosted.ts";
import { compileWat } from "../compile/wat.ts";

const whole = [...hostedRun({}).tracer.logs()];

/** Which instructions of the run a filter keeps. */
const FILTERS: [name: string, options: TracerOptions, keeps: (index: number) => boolean][] = [
  ["every fourth instruction", { every: 4 }, (i) => i % 4 === 0],
  ["ranges of pcs", { pcs: [[3, 9], [20, 22]] }, (i) => {
    const { programCounter: pc } = whole[i];
    return pc >= 3 && pc < 9 || pc >= 20 && pc < 22;
  }],
  ["calls of host functions", { syscallsOnly: true }, (i) => whole[i].opcode === "Call"],
  ["accesses to bytes", { memory: [[100, 106]] }, (i) => {
    const { memoryAccess: access } = whole[i];
    return access !== undefined && access.address < 106 && access.address + access.width > 100;
  }],
  ["bytes of bulk instructions", { memory: [[1000, 1001]] }, (i) => whole[i].opcode === "MemoryInit"],
  ["two filters at once", { every: 2, pcs: [[0, 30]] }, (i) => i % 2 === 0 && whole[i].programCounter < 30],
];

for (const [name, options, keeps] of FILTERS) {
  Deno.test(`a filter keeps ${name} and every call of a host function`, () => {
    const { tracer } = hostedRun(options), logs = [...tracer.logs()];
    const expected = whole.filter((_, i) => keeps(i));
    assert(expected.length > 0 && expected.length < whole.length);
    assertEquals(logs.map(({ index }) => index), expected.map(({ index }) => index));
    for (const key of ["programCounter", "memoryChanges", "stackTop", "fuel", "tableChanges"] as const) {
      assertEquals(logs.map((log) => log[key]), expected.map((log) => log[key]), key);
    }
    assert(!tracer.complete);
    const calls = tracer.chunks().flatMap((chunk) =>
      [...chunk.kind.subarray(0, chunk.events)].filter((kind) => kind === EventKind.Syscall)
    );
    assertEquals(calls.length, whole.filter(({ opcode }) => opcode === "Call").length);
  });
}

Deno.test("the views tell each instruction with what it changed", () => {
  const store = whole.find(({ opcode }) => opcode === "I32Store")!;
  assertEquals(store.memoryAccess, {
    kind: "write",
    address: 104,
    width: 4,
    value: 77n,
    prevValue: 0n,
    timestamp: store.index,
  });
  assertEquals(store.memoryChanges, [{
    offset: 104,
    len: 4,
    data: Uint8Array.of(77, 0, 0, 0),
    previous: new Uint8Array(4),
  }]);
  assertEquals([store.stackTop, store.value, store.stackHeight], [77, 4, 2]);
  const load = whole.find(({ opcode }) => opcode === "I32Load")!;
  assertEquals(load.memoryAccess?.value, 77n);
  const table = whole.find(({ opcode }) => opcode === "TableSet")!;
  assertEquals(table.tableChanges, [{ tableIdx: 2, elemIdx: 3, funcRef: 55, previous: 11 }]);
  const grow = whole.find(({ opcode }) => opcode === "TableGrow")!;
  assertEquals(grow.tableSizeChanges, [{ tableIdx: 2, init: 11, delta: 8 }]);
  const set = whole.find(({ opcode }) => opcode === "GlobalSet")!;
  assertEquals(set.globalChanges, [{ index: 3, previous: 0, value: 5 }]);
  const call = whole.find(({ opcode }) => opcode === "Call")!;
  const kinds = call.events.map(({ kind }) => kind);
  assertEquals(kinds, ["Syscall", "HostBytes", "HostBytes", "Fuel", "Result"]);
  assertEquals(call.events[0].words, [1, 2]);
  assertEquals(call.events.at(-1)?.words, [3]);
  const next = whole[whole.indexOf(call) + 1];
  assertEquals(next.fuel, call.fuel + 3n);
});

const LOOP = assemble(`
  StackCheck 4
again:
  I32Const 1
  I32Sub
  LocalGet 1
  BrIfNez again
  Unreachable
`);
const ONE = { params: ["i32"], results: [] } as const;

function loop(options: TracerOptions, rounds = 200_000): Tracer {
  const tracer = new Tracer(options);
  const outcome = new RwasmExecutor(new RwasmStore(), LOOP, { tracer }).execute([rounds], ONE);
  assert(outcome.status === "trap" && outcome.trap.code === "UnreachableCodeReached");
  return tracer;
}

Deno.test("a ring keeps what led to a trap, in bounded memory, and the hash of everything", () => {
  const all = loop({}), ring = loop({ last: 1000 });
  assertEquals(ring.executed, 800_002);
  const logs = [...ring.logs()];
  assertEquals(logs.length, 1000);
  assertEquals(logs.at(-1)?.opcode, "Unreachable");
  assertEquals(logs[0].index, 799_002);
  assert(ring.chunks().reduce((rows, chunk) => rows + chunk.rows, 0) < 140_000);
  assertEquals(ring.hash(), all.hash());
  assertEquals(ring.checkpoints, all.checkpoints);
});

Deno.test("a sink gets everything piece by piece, and progress is told", () => {
  const seen: number[] = [], progress: number[] = [];
  let rows = 0, largest = 0;
  const tracer = loop({
    sink: (chunk) => {
      seen.push(chunk.first);
      rows += chunk.rows;
      largest = Math.max(largest, chunk.rows);
    },
    progress: (instructions) => progress.push(instructions),
  }, 600_000);
  tracer.finish();
  tracer.finish();
  assertEquals(rows, 2_400_002);
  assertEquals(largest, 65_536);
  assertEquals(seen, seen.map((_, i) => i * 65_536));
  assertEquals(progress, [2 ** 20, 2 ** 21]);
  assertEquals(tracer.hash(), loop({}, 600_000).hash());
});

Deno.test("recording stops after as many instructions as were wanted, and the run goes on", () => {
  const tracer = loop({ most: 10 });
  assertEquals([tracer.instructions, tracer.truncated, tracer.complete], [10, true, false]);
  assertEquals(loop({ most: 800_002 }).truncated, false);
});

Deno.test("a filter by function keeps that function only", () => {
  const module = compileWat(`(module
    (func $inner (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
    (func (export "outer") (param i32) (result i32) (call $inner (call $inner (local.get 0)))))`);
  const run = (functions: (string | number)[]) => {
    const tracer = new Tracer({ functions });
    new RwasmExecutor(new RwasmStore(), module, { tracer }).call("outer", [1]);
    return tracer;
  };
  const inner = [...run([0]).logs()];
  assertEquals(new Set(inner.map(({ opcode }) => opcode)).has("I32Add"), true);
  assertEquals(new Set(Array.from(run(["outer"]).logs(), ({ function: name }) => name)), new Set(["outer"]));
  const error = assertThrows(() => run(["outr"]), UsageError);
  assertEquals(error.code, "UnknownFunction");
});

const REFUSED: Record<string, unknown> = {
  "options that are none": null,
  "a filter that is no array": { functions: "main" },
  "no instructions at a time": { every: 0 },
  "an empty range": { pcs: [[5, 5]] },
  "a range of one number": { memory: [[1]] },
  "a range of texts": { memory: [["a", "b"]] },
  "fewer than one instruction": { most: 0 },
  "a ring and a sink": { last: 5, sink: () => {} },
};

for (const [name, options] of Object.entries(REFUSED)) {
  Deno.test(`a tracer refuses ${name}`, () => {
    const error = assertThrows(() => new Tracer(options as TracerOptions), UsageError);
    assertEquals(error.code, "InvalidTraceFilter");
  });
}

Deno.test("a tracer records one module only, and an executor takes nothing that is no tracer", () => {
  const tracer = new Tracer();
  new RwasmExecutor(new RwasmStore(), LOOP, { tracer }).execute([1], ONE);
  const other = new RwasmExecutor(new RwasmStore(), assemble("Return"), { tracer });
  assertEquals(assertThrows(() => other.execute(), UsageError).code, "TracerInUse");
  for (const wrong of [5, "x", {}, null]) {
    const error = assertThrows(
      () => new RwasmExecutor(new RwasmStore(), LOOP, { tracer: wrong as unknown as Tracer }),
      RwasmError,
    );
    assertEquals(error.code, "InvalidOptions");
  }
});
