/**
 * Where two runs part: of stored traces, and of runs that are only run again; down to the instruction
 * behind which one bit of the memory changed by itself.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { assemble, ImportLinker, RwasmExecutor, RwasmStore, UsageError } from "../../mod.ts";
import { diffTraces } from "../../lib/trace/diff.ts";
import { diffRuns, type RunMaker } from "../../lib/trace/diff_runs.ts";
import { Tracer } from "../../lib/trace/tracer.ts";
import type { Machine } from "../../lib/vm/machine.ts";
import { Random } from "../harness.ts";

const PROGRAM = assemble(`
  StackCheck 20
  I32Const 1
  MemoryGrow
  Drop
loop:
  LocalGet 1
  Call 1
  I32Const 65532
  I32And
  LocalGet 2
  I32Store 0
  I32Const 40
  LocalGet 2
  I32Const 3
  I32And
  I32Store 0
  ConsumeFuel 1
  I32Const 1
  I32Sub
  LocalTee 1
  BrIfNez loop
  I32Const 7
  I32Load 0
  Return
`.replace("LocalTee 1\n  BrIfNez loop", "LocalGet 1\n  BrIfNez loop"));

const TYPE = { params: ["i32"], results: ["i32", "i32"] } as const;

/** Runs the program with a host whose answers can be made wrong once. */
function run(rounds: number, wrong = -1): Tracer {
  const tracer = new Tracer();
  make(rounds, wrong)({}, tracer);
  return tracer;
}

function make(rounds: number, wrong: number): (options: object, tracer: Tracer) => void {
  return (_options, tracer) => {
    let calls = 0;
    const linker = new ImportLinker<undefined>();
    linker.define("env", "mix", { index: 1, params: ["i32"], results: ["i32"] }, (_caller, value) => {
      return Math.imul(value, 2654435761 | 0) + (calls++ === wrong ? 4 : 0) | 0;
    });
    new RwasmExecutor(new RwasmStore({ linker }), PROGRAM, { tracer }).execute([rounds], TYPE);
  };
}

Deno.test("traces of equal runs do not differ", () => {
  assertEquals(diffTraces(run(50), run(50)), undefined);
});

Deno.test("the first difference of two traces is told with instruction, operands and last host function", () => {
  const difference = diffTraces(run(50), run(50, 30));
  assert(difference !== undefined);
  assertEquals(difference.instruction?.text, "Call 1");
  assertEquals(difference.instruction?.operands[0], 20);
  assertEquals(difference.what, ["the values"]);
  assertStringIncludes(difference.a, "env.mix returns");
  assertEquals(difference.lastSyscall?.name, "env.mix");
  assertEquals(difference.lastSyscall?.index, difference.instruction?.index);
});

Deno.test("bytes that differ are shown from the first one on that does", () => {
  const runWith = (last: number) => {
    const tracer = new Tracer(), linker = new ImportLinker<undefined>();
    linker.define("env", "fill", { index: 1, params: [], results: [] }, (caller) => {
      caller.memory.write(100, new Uint8Array(40).fill(1).with(30, last));
    });
    const module = assemble("StackCheck 9\nI32Const 1\nMemoryGrow\nDrop\nCall 1\nReturn");
    new RwasmExecutor(new RwasmStore({ linker }), module, { tracer }).execute();
    return tracer;
  };
  const found = diffTraces(runWith(2), runWith(3));
  assertEquals(found?.what, [
    "the bytes from 0x82 on: 02 01 01 01 01 01 01 01 01 01 and 03 01 01 01 01 01 01 01 01 01",
  ]);
});

Deno.test("a run that ends earlier differs where it ends or turns", () => {
  const difference = diffTraces(run(50), run(49));
  assert(difference !== undefined);
  assertEquals(difference.instruction, undefined); // the parameter itself
});

/** A run maker of one of those runs. */
const maker = (rounds: number, wrong: number): RunMaker => (options) => {
  const tracer = new Tracer(options);
  make(rounds, wrong)({}, tracer);
  return tracer;
};

Deno.test("runs are compared without storing them", async () => {
  assertEquals(await diffRuns(maker(9000, -1), maker(9000, -1)), undefined);
  const difference = await diffRuns(maker(9000, -1), maker(9000, 7000));
  assertEquals(difference?.instruction?.text, "Call 1");
  assertEquals(difference?.instruction?.operands[0], 2000);
  assertStringIncludes(difference!.b, "env.mix returns");
});

/** Counts in memory for about ten million instructions. */
const LONG = assemble(`
  StackCheck 20
  I32Const 2
  MemoryGrow
  Drop
loop:
  LocalGet 1
  I32Const 16383
  I32And
  LocalGet 2
  I32Store 4096
  I32Const 16
  I32Load 0
  Drop
  I32Const 1
  I32Sub
  ConsumeFuel 1
  LocalGet 1
  BrIfNez loop
  Drop
  Return
`);
const ROUNDS = { params: ["i32"], results: [] } as const;

/** A run of the long program in which a bit of the memory changes before an instruction. */
const faulty = (at: number, address: number, bit: number, rounds = 714_285): RunMaker => (options) => {
  const act = ({ memory }: Machine) => void (memory.bytes[address] ^= 1 << bit);
  const tracer = new Tracer({ ...options, ...at < 0 ? {} : { disturb: { at, act } } });
  new RwasmExecutor(new RwasmStore(), LONG, { tracer }).execute([rounds], ROUNDS);
  return tracer;
};

Deno.test("runs that are not the same each time are no equal ones", async () => {
  let runs = 0;
  const maker: RunMaker = (options) => {
    const tracer = new Tracer(options);
    make(50, runs++ === 1 ? 5 : -1)({}, tracer);
    return tracer;
  };
  const error = await assertRejects(() => diffRuns(maker, maker), UsageError);
  assertEquals(error.code, "NotRepeatable");
});

Deno.test("one bit that changes by itself in a run of ten million instructions is found, to the instruction", async () => {
  const random = new Random(20261122), at = 1_000_000 + random.below(8_000_000), bit = random.below(8);
  const address = 100_000 + random.below(30_000);
  const began = performance.now();
  const difference = await diffRuns(faulty(-1, 0, 0), faulty(at, address, bit));
  const seconds = (performance.now() - began) / 1000;
  assert(difference !== undefined);
  assertEquals(difference.instruction?.index, at - 1);
  assertStringIncludes(difference.b, `0x${address.toString(16)} are changed`);
  assertEquals(difference.a, "no such change");
  console.log(`found in ${seconds.toFixed(1)} s with ${difference.runs} runs`);
  assert(seconds < 60, `it took ${seconds} s`);
});

Deno.test("a changed bit that is read soon is found where it changed, not where it is read", async () => {
  const difference = await diffRuns(faulty(-1, 0, 0, 30_000), faulty(123_456, 16, 3, 30_000));
  assertEquals(difference?.instruction?.index, 123_455);
});
