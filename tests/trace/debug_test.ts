/**
 * Looking at a run while it goes on: instruction by instruction, watched bytes, over and out of calls,
 * and back.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { assemble, ImportLinker, RwasmExecutor, RwasmStore, UsageError } from "../../mod.ts";
import { Debugger } from "../../lib/trace/debug.ts";
import { Tracer } from "../../lib/trace/tracer.ts";
import { compileWat } from "../compile/wat.ts";

const WAT = `(module
  (memory 1)
  (func $store (param i32 i32) (i32.store (local.get 0) (local.get 1)))
  (func $sum (param i32) (result i32)
    (if (i32.eqz (local.get 0)) (then (return (i32.const 0))))
    (call $store (i32.mul (local.get 0) (i32.const 8)) (local.get 0))
    (i32.add (local.get 0) (call $sum (i32.sub (local.get 0) (i32.const 1)))))
  (func (export "main") (param i32) (result i32) (call $sum (local.get 0))))`;

const module = compileWat(WAT);

/** A debugger at the first instruction of `main`. */
function debugMain(argument: number): Debugger<RwasmExecutor> {
  const executor = new RwasmExecutor(new RwasmStore(), module);
  executor.instantiate();
  executor.call("main", [argument], { step: true });
  return new Debugger(executor);
}

Deno.test("a run can be looked at instruction by instruction, as a trace tells it", () => {
  const executor = new RwasmExecutor(new RwasmStore(), module);
  executor.instantiate();
  const seen: unknown[] = [], events = executor.trace("main", [4]);
  let next = events.next();
  for (; !next.done; next = events.next()) {
    const { pc, opcode, value, callDepth, stackHeight, stackTop, fuel } = next.value;
    seen.push([pc, opcode, value, callDepth, stackHeight, stackTop, fuel - executor.store.consumedFuel()]);
  }
  assertEquals(next.value, { status: "done", results: [10] });

  const tracer = new Tracer(), traced = new RwasmExecutor(new RwasmStore(), module, { tracer });
  traced.instantiate();
  const first = tracer.instructions;
  traced.call("main", [4]);
  const logs = [...tracer.logs()].slice(first);
  assertEquals(
    seen,
    logs.map((log) => {
      return [log.programCounter, log.opcode, log.value, log.callDepth, log.stackHeight, log.stackTop, 0n];
    }),
  );
});

Deno.test("leaving the loop leaves the run paused, and it can go on", () => {
  const executor = new RwasmExecutor(new RwasmStore(), module);
  let count = 0;
  for (const { function: name } of executor.trace("main", [4])) {
    assert(name.length > 0);
    if (++count === 30) break;
  }
  assertEquals(executor.resume(), { status: "done", results: [10] });
});

Deno.test("a watchpoint stops behind each write of its bytes, and says who made it", () => {
  const debug = debugMain(5);
  const end = debug.watch({ address: 16, size: 4 });
  const stop = debug.continue();
  assertEquals(stop.reason, "watchpoint");
  assertEquals(stop.by?.opcode, "I32Store");
  assertEquals(stop.by?.accesses, [{ kind: "write", address: 16, size: 4 }]);
  assertEquals(debug.executor.store.memory.read(16, 1)[0], 2);
  end();
  const last = debug.continue();
  assertEquals([last.reason, last.outcome], ["end", { status: "done", results: [15] }]);
  assertEquals(debug.step().reason, "end");
});

Deno.test("watchpoints tell reads from writes, and see what a host function writes", () => {
  const linker = new ImportLinker<undefined>();
  linker.define("env", "poke", { index: 1, params: [], results: [] }, (caller) => {
    caller.memory.write(40, Uint8Array.of(9));
  });
  const program = assemble(`
    StackCheck 10
    I32Const 1
    MemoryGrow
    Drop
    I32Const 40
    I32Load 0
    Drop
    Call 1
    I32Const 36
    I32Const 0
    I32Const 8
    MemoryFill
    Return`);
  const stops = (kind: "read" | "write" | "access") => {
    const executor = new RwasmExecutor(new RwasmStore({ linker }), program), found: unknown[] = [];
    executor.execute([], undefined, { step: true });
    const debug = new Debugger(executor);
    debug.watch({ address: 40, kind });
    for (let stop = debug.continue(); stop.reason === "watchpoint"; stop = debug.continue()) {
      found.push(stop.by?.opcode);
    }
    return found;
  };
  assertEquals(stops("read"), ["I32Load"]);
  assertEquals(stops("write"), ["Call", "MemoryFill"]);
  assertEquals(stops("access"), ["I32Load", "Call", "MemoryFill"]);
});

Deno.test("calls can be stepped over and out of", () => {
  const debug = debugMain(3);
  let stop = debug.step();
  while (stop.event?.opcode !== "CallInternal") stop = debug.step();
  const { pc, callDepth } = stop.event;
  stop = debug.stepOver();
  assertEquals([stop.event?.pc, stop.event?.callDepth, stop.event?.stackTop], [pc + 1, callDepth, 6]);
  stop = debug.stepBack();
  // The last instruction of the call: one back is inside of it.
  assertEquals(stop.event?.opcode, "Return");
  assertEquals(stop.event?.callDepth, callDepth + 1);
  stop = debug.stepOut();
  assertEquals([stop.event?.pc, stop.event?.callDepth], [pc + 1, callDepth]);
});

Deno.test("going back shows every earlier state again, and forward the same as before", () => {
  const debug = debugMain(20), events = [debug.step(0).event!];
  for (let stop = debug.step(); stop.reason === "step"; stop = debug.step()) events.push(stop.event!);
  assert(events.length > 200);
  for (const back of [1, 2, 17, 100]) {
    const at = debug.index - back;
    assertEquals(debug.stepBack(back).event, events[at]);
    assertEquals(debug.executor.store.memory.byteLength, 65_536);
  }
  assertEquals(debug.stepBack(1_000_000).event, events[0]);
  for (let i = 1; i < events.length; i++) assertEquals(debug.step().event, events[i]);
  assertEquals(debug.continue().outcome, { status: "done", results: [210] });
});

Deno.test("going back in a long run starts from a copy near by", () => {
  const loop = assemble("StackCheck 4\nagain:\nI32Const 1\nI32Sub\nLocalGet 1\nBrIfNez again\nDrop\nReturn");
  const executor = new RwasmExecutor(new RwasmStore(), loop);
  executor.execute([20_000], { params: ["i32"], results: [] }, { step: true });
  const debug = new Debugger(executor);
  const stop = debug.step(70_000);
  assertEquals(stop.event?.index, 70_000);
  const back = debug.stepBack(5);
  assertEquals(back.event?.index, 69_995);
  assertEquals(debug.step(5).event, stop.event);
});

Deno.test("a debugger refuses what it cannot debug or watch", () => {
  const error = assertThrows(() => new Debugger(new RwasmExecutor(new RwasmStore(), module)), UsageError);
  assertEquals(error.code, "NotPaused");
  for (
    const wrong of [{ address: -1 }, { address: 1.5 }, { address: 1, size: 0 }, {
      address: 1,
      kind: "x" as "read",
    }]
  ) {
    assertEquals(assertThrows(() => debugMain(1).watch(wrong), UsageError).code, "InvalidWatchpoint");
  }
  for (const wrong of [NaN, -1, 0.5, "2" as unknown as number]) {
    const debug = debugMain(1);
    for (const go of [() => debug.step(wrong), () => debug.stepBack(wrong)]) {
      assertEquals(assertThrows(go, UsageError).code, "InvalidStepCount");
    }
  }
});
