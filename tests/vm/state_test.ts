/**
 * What lives how long (machine specification 3.9): memory, tables, globals, drop bits, the pending
 * signature, stacks and fuel over runs, traps, failed instantiations, pauses and resets; and which
 * executor of a store may run.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../lib/error.ts";
import { REFERENCE_LIMITS } from "../../lib/limits.ts";
import { RwasmExecutor } from "../../lib/run/executor.ts";
import { RwasmStore } from "../../lib/vm/store.ts";
import { type Host, linkerOf, program, type Setup, setUp, show, signature } from "./notation.ts";

/**
 * Initialization grows memory and table; then the entry point, which pushes what it finds of each
 * kind of state and changes it, and traps when its parameter says so.
 */
const INIT = "C 1, MemoryGrow, Drop, C 0, C 2, TableGrow 0, Drop, Return";
const STATE =
  `${INIT}, C 0, I32Load 0, GlobalGet 2, C 1, TableGet 0, C 0, C 5, I32Store 0, C 6, GlobalSet 2, C 1, C 7, TableSet 0`;
const READ = { sourcePc: 8 };
const SEEN = signature("-> 3*i32");

const PAUSE: Host = ["->", (caller) => caller.pause("why")];
const HALT: Host = ["->", (caller) => caller.halt()];

function usage(use: () => unknown): string {
  return (assertThrows(use, UsageError) as UsageError).code;
}

Deno.test("a new instance starts with empty state, and keeps it from run to run", () => {
  const { executor } = setUp(`${STATE}, Return`, READ);
  assertEquals(show(executor.execute([], SEEN)), "done 0 0 0");
  assertEquals(show(executor.execute([], SEEN)), "done 5 6 7");
});

Deno.test("a trap keeps what was done before it", () => {
  const code =
    `${INIT}, C 0, C 5, I32Store 0, C 6, GlobalSet 2, C 1, C 7, TableSet 0, BrIfNez 2, Unreachable, C 0, I32Load 0, GlobalGet 2, C 1, TableGet 0, Return`;
  const { executor } = setUp(code, READ);
  assertEquals(show(executor.execute([0], signature("i32 -> 3*i32"))), "trap UnreachableCodeReached");
  assertEquals(show(executor.execute([1], signature("i32 -> 3*i32"))), "done 5 6 7");
});

Deno.test("a module with source_pc 0 runs its initialization in every run, over the state it has", () => {
  const { executor, store } = setUp("C 1, MemoryGrow, Return");
  assertEquals(show(executor.instantiate()), "done");
  assertEquals(store.memory.byteLength, 0);
  assertEquals(show(executor.execute([], signature("-> i32"))), "done 0");
  assertEquals(show(executor.execute([], signature("-> i32"))), "done 1");
});

Deno.test("stacks are new in each run: the capacity too", () => {
  const { executor } = setUp("BrIfEqz 2, StackCheck 100, BulkConst 40, BulkDrop 40, Return");
  const type = signature("i32 ->");
  assertEquals(show(executor.execute([1], type)), "done");
  assertEquals(show(executor.execute([0], type)), "trap StackOverflow");
});

Deno.test("dropped segments stay dropped over runs and traps, until the store is reset", () => {
  const setup: Setup = { sourcePc: 4, data: [9] };
  const code = "C 1, MemoryGrow, Drop, Return, C 0, C 0, C 1, MemoryInit 3, DataDrop 3, Return";
  const { executor, store } = setUp(code, setup);
  assertEquals(show(executor.execute()), "done");
  assertEquals(show(executor.execute()), "trap MemoryOutOfBounds");
  assertEquals(show(executor.execute()), "trap MemoryOutOfBounds");
  store.reset(true);
  assertEquals(show(executor.execute()), "trap MemoryOutOfBounds");
  store.reset();
  assertEquals(show(executor.execute()), "done");
});

Deno.test("a signature nobody checked stays pending after a successful run, not after a trap or a reset", () => {
  // Entry 1 leaves signature 7 pending by calling a target without SignatureCheck; entry 0 checks 8.
  const code =
    "C 10, C 1, TableGrow 0, Drop, Return, BrIfEqz 6, C 0, CallIndirect 7, TableGet 0, Return, Return, SignatureCheck 8, Return";
  const at = (setup: Setup = {}) => {
    const { executor, store } = setUp(code, { sourcePc: 5, ...setup });
    return { store, run: (leave: number) => show(executor.execute([leave], signature("i32 ->"))) };
  };
  const kept = at();
  assertEquals([kept.run(0), kept.run(1), kept.run(0), kept.run(0)], [
    "done",
    "done",
    "trap BadSignature",
    "done",
  ]);
  const reset = at();
  assertEquals(reset.run(1), "done");
  reset.store.reset();
  assertEquals(reset.run(0), "done");
});

Deno.test("a failed instantiation leaves the previous instance and its state, and refunds no fuel", () => {
  const { store, executor } = setUp(`${STATE}, Return`, READ);
  executor.execute([], SEEN);
  const failing = new RwasmExecutor(
    store,
    program("C 2, MemoryGrow, Drop, C 8, GlobalSet 2, ConsumeFuel 5, Unreachable, Return", { sourcePc: 7 }),
  );
  const outcome = failing.instantiate();
  assertEquals(show(outcome), "trap UnreachableCodeReached");
  assertEquals(store.memory.byteLength, 65536);
  assertEquals(store.consumedFuel(), 5n);
  assertEquals(show(executor.execute([], SEEN)), "done 5 6 7");
  // It may be tried again; and the same failure ends an execute() that implied it.
  assertEquals(show(failing.execute()), "trap UnreachableCodeReached");
});

Deno.test("a new instance takes the place of the old one, whose executor is stale then", () => {
  const { store, executor } = setUp(`${STATE}, Return`, READ);
  executor.execute([], SEEN);
  const other = new RwasmExecutor(store, program(`${STATE}, Return`, READ));
  // Making an executor changes nothing yet.
  assertEquals(show(executor.execute([], SEEN)), "done 5 6 7");
  assertEquals(show(other.execute([], SEEN)), "done 0 0 0");
  assertEquals(usage(() => executor.execute([], SEEN)), "StaleInstance");
  assertEquals(usage(() => executor.instantiate()), "StaleInstance");
  assertEquals(show(other.execute([], SEEN)), "done 5 6 7");
});

Deno.test("instantiate() a second time is refused", () => {
  const { executor } = setUp("Return", { sourcePc: 0 });
  executor.instantiate();
  assertEquals(usage(() => executor.instantiate()), "AlreadyInstantiated");
});

Deno.test("a halt ends a run with zeros, and an instantiation with a trap", () => {
  const { executor } = setUp("Return, C 1, C 2, Call 1", { sourcePc: 1, hosts: [HALT] });
  assertEquals(
    show(executor.execute([], signature("-> i32 i64 f32 f64 funcref externref"))),
    "done 0 0n 0 0 null null",
  );
  const failing = setUp("Call 1, Return", { sourcePc: 1, hosts: [HALT] }).executor;
  assertEquals(show(failing.execute()), "trap ExecutionHalted");
  assertEquals(
    show(setUp("Trap ExecutionHalted, Return", { sourcePc: 1 }).executor.instantiate()),
    "trap ExecutionHalted",
  );
});

Deno.test("a paused run keeps stack, calls and capacity, and goes on with the results it is given", () => {
  const hosts: Host[] = [["i32 -> i64", (caller, n) => caller.pause({ n })]];
  const code =
    "CallInternal 2, Return, StackCheck 200, BulkConst 150, C 7, C 5, Call 1, BulkConst 40, BulkDrop 40, Return";
  const { executor } = setUp(code, { hosts });
  const type = signature("-> 150*i32 i32 i64");
  const paused = executor.execute([], type);
  assertEquals(paused, { status: "paused", reason: "syscall", payload: { n: 5 } });
  const done = executor.resume([-3n]);
  assert(done.status === "done");
  assertEquals(done.results.slice(-3), [0, 7, -3n]);
});

Deno.test("a run may pause any number of times, and fuel and memory may change in between", () => {
  const hosts: Host[] = [["-> i32", (caller) => caller.pause()]];
  const code =
    "C 1, MemoryGrow, Drop, Return, ConsumeFuel 1, Call 1, C 0, I32Load 0, I32Add, ConsumeFuel 1, Call 1, I32Add, Return";
  const { executor, store } = setUp(code, { sourcePc: 4, hosts, fuelLimit: 1 });
  assertEquals(show(executor.execute([], signature("-> i32"))), "paused");
  store.memory.write(0, Uint8Array.of(100));
  store.resetFuel(1);
  assertEquals(show(executor.resume([10])), "paused");
  assertEquals(show(executor.resume([1])), "done 111");
  assertEquals(store.consumedFuel(), 1n);
});

Deno.test("while a run is paused nothing else runs on the store, and the paused run is kept", () => {
  const { executor, store } = setUp("Call 1, C 3, Return", { hosts: [PAUSE] });
  assertEquals(show(executor.execute([], signature("-> i32"))), "paused");
  const other = new RwasmExecutor(store, program("Return"));
  assertEquals(usage(() => executor.execute()), "Paused");
  assertEquals(usage(() => executor.instantiate()), "Paused");
  assertEquals(usage(() => other.execute()), "Paused");
  assertEquals(usage(() => other.resume()), "NotPaused");
  assertEquals(show(executor.resume()), "done 3");
});

Deno.test("resume() with nothing paused is refused", () => {
  const { executor } = setUp("Return");
  assertEquals(usage(() => executor.resume()), "NotPaused");
  executor.execute();
  assertEquals(usage(() => executor.resume()), "NotPaused");
});

Deno.test("resume() checks the values, and keeps the run when they do not fit", () => {
  const { executor } = setUp("Call 1, Return", { hosts: [["-> i32 i64", (caller) => caller.pause()]] });
  const type = signature("-> i32 i64");
  executor.execute([], type);
  for (
    const [values, code] of [
      [[], "WrongValueCount"],
      [[1], "WrongValueCount"],
      [[1, 2n, 3], "WrongValueCount"],
      [[1, 2], "InvalidValue"],
      [[1n, 2n], "InvalidValue"],
      [[2 ** 32, 2n], "InvalidValue"],
      [null, "InvalidValues"],
    ] as const
  ) {
    assertEquals(usage(() => executor.resume(values as never)), code);
  }
  assertEquals(show(executor.resume([1, 2n])), "done 1 2n");
});

Deno.test("code that pauses itself does so at each resume, and gets the values pushed (quirk 10)", () => {
  const { executor } = setUp("Trap InterruptionCalled");
  assertEquals(show(executor.execute([], signature("-> i32"))), "paused");
  for (let i = 0; i < 20; i++) assertEquals(show(executor.resume([i])), "paused");
  const { executor: filled } = setUp("Trap InterruptionCalled", { limits: { stackSlots: 0 } });
  filled.execute();
  assertEquals(show(filled.resume(new Array(13).fill(1))), "paused");
  assertEquals(show(filled.resume([1])), "trap StackOverflow");
  assertEquals(usage(() => filled.resume()), "NotPaused");
});

Deno.test("an instantiation may pause; resume() finishes it, and then the call that implied it", () => {
  const setup: Setup = { sourcePc: 4, hosts: [["-> i32", (caller) => caller.pause()]] };
  const code =
    "C 1, MemoryGrow, Drop, ReturnCallInternal 6, GlobalGet 0, Return, Call 1, GlobalSet 0, Return";
  const explicit = setUp(code, setup);
  assertEquals(show(explicit.executor.instantiate()), "paused");
  assertEquals(explicit.store.memory.byteLength, 65536);
  assertEquals(show(explicit.executor.resume([42])), "done");
  assertEquals(show(explicit.executor.execute([], signature("-> i32"))), "done 42");
  const implied = setUp(code, setup).executor;
  assertEquals(show(implied.execute([], signature("-> i32"))), "paused");
  assertEquals(show(implied.resume([43])), "done 43");
});

Deno.test("a paused instantiation that fails, or is given up, leaves the previous instance", () => {
  const store = new RwasmStore<unknown>({ linker: linkerOf([PAUSE]), limits: REFERENCE_LIMITS });
  const first = new RwasmExecutor(store, program(`${STATE}, Return`, READ));
  first.execute([], SEEN);
  const failing = program("C 3, MemoryGrow, Drop, Call 1, Unreachable, Return", { sourcePc: 5 });
  const second = new RwasmExecutor(store, failing);
  assertEquals(show(second.instantiate()), "paused");
  assertEquals(store.memory.byteLength, 3 * 65536);
  assertEquals(show(second.resume()), "trap UnreachableCodeReached");
  assertEquals(show(first.execute([], SEEN)), "done 5 6 7");

  const third = new RwasmExecutor(store, failing);
  assertEquals(show(third.instantiate()), "paused");
  store.tryConsumeFuel(5);
  store.reset();
  assertEquals(store.consumedFuel(), 0n);
  assertEquals(usage(() => third.resume()), "NotPaused");
  assertEquals(show(first.execute([], SEEN)), "done 5 6 7");
});

Deno.test("reset() gives up a paused run; memory, tables and globals stay", () => {
  const { executor, store } = setUp(`${STATE}, Call 1, Return`, {
    ...READ,
    hosts: [PAUSE],
    fuelLimit: 9,
  });
  assertEquals(show(executor.execute([], SEEN)), "paused");
  store.tryConsumeFuel(4);
  store.reset();
  assertEquals([store.consumedFuel(), store.remainingFuel()], [0n, 9n]);
  assertEquals(usage(() => executor.resume()), "NotPaused");
  assertEquals(store.memory.read(0, 1), Uint8Array.of(5));
});

Deno.test("stores share nothing: the same module runs on two of them", () => {
  const module = program(`${STATE}, Return`, READ);
  const [a, b] = [new RwasmStore(), new RwasmStore()].map((store) => new RwasmExecutor(store, module));
  assertEquals(show(a!.execute([], SEEN)), "done 0 0 0");
  assertEquals(show(a!.execute([], SEEN)), "done 5 6 7");
  assertEquals(show(b!.execute([], SEEN)), "done 0 0 0");
});
