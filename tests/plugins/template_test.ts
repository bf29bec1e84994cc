import { assert, assertEquals } from "@std/assert";
import { compile, ImportLinker, type Outcome, RwasmExecutor, RwasmStore, type Value } from "../../mod.ts";
import template, { type Notes } from "../../plugins/template.ts";
import { assembleWat } from "../compile/wat.ts";

/** Exports what it imports; "name" is at 0, "nobody" at 8, the bytes 1, 2, 3 at 16. */
const GUEST = assembleWat(`(module
  (import "notes" "put" (func $put (param i32 i32 i32 i32)))
  (import "notes" "get" (func $get (param i32 i32 i32 i32) (result i32)))
  (import "notes" "count" (func $count (param i32 i32) (result i64)))
  (import "notes" "ask" (func $ask (param i32 i32) (result i32)))
  (import "notes" "remove" (func $remove (param i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "name") (data (i32.const 8) "nobody") (data (i32.const 16) "\\01\\02\\03")
  (export "put" (func $put)) (export "get" (func $get)) (export "count" (func $count))
  (export "ask" (func $ask)) (export "remove" (func $remove)))`);

function start() {
  const linker = new ImportLinker<Notes>().use(template);
  const store = new RwasmStore<Notes>({ linker, data: { notes: new Map() }, fuelLimit: 100_000n });
  const executor = new RwasmExecutor(store, compile(GUEST, { linker }));
  assertEquals(executor.instantiate().status, "done");
  const result = (outcome: Outcome) => outcome.status === "done" ? outcome.results[0] : outcome;
  const trap = (outcome: Outcome) => outcome.status === "trap" ? outcome.trap.code : outcome;
  return {
    store,
    executor,
    result,
    trap,
    call: (name: string, ...params: Value[]) => executor.call(name, params),
  };
}

Deno.test("the template keeps notes: put, get, count, remove", () => {
  const { store, call, result } = start();
  assertEquals(result(call("get", 0, 4, 32, 8)), -1);
  assertEquals(call("put", 0, 4, 16, 3).status, "done");
  assertEquals(store.data.notes, new Map([["name", Uint8Array.of(1, 2, 3)]]));
  store.memory.write(16, Uint8Array.of(9)); // the note is a copy
  assertEquals(result(call("get", 0, 4, 32, 2)), 3, "the buffer is too short");
  assertEquals(store.memory.read(32, 3), Uint8Array.of(0, 0, 0));
  assertEquals(result(call("get", 0, 4, 32, 3)), 3);
  assertEquals(store.memory.read(32, 3), Uint8Array.of(1, 2, 3));
  assertEquals(call("put", 8, 6, 16, 1).status, "done");
  assertEquals([result(call("count", 0, 1)), result(call("count", 0, 4)), result(call("count", 0, 0))], [
    2n,
    1n,
    2n,
  ]);
  assertEquals(call("remove", 0, 4).status, "done");
  assertEquals(result(call("count", 0, 0)), 1n);
});

Deno.test("the template asks its host and goes on with the answer", () => {
  const { executor, call, result } = start();
  const paused = call("ask", 8, 6);
  assert(paused.status === "paused");
  assertEquals(paused.payload, "nobody");
  assertEquals(result(executor.resume([7])), 7);
});

Deno.test("the template traps guests that misbehave, and keeps its notes", () => {
  const { store, call, trap } = start();
  call("put", 0, 4, 16, 3);
  assertEquals(trap(call("remove", 8, 6)), "UnreachableCodeReached");
  for (const [pointer, length] of [[65_536, 1], [65_533, 4], [-1, 1], [0, -1]] as const) {
    assertEquals(trap(call("count", pointer, length)), "MemoryOutOfBounds");
    assertEquals(
      trap(call("put", 0, 4, pointer, length)),
      length === -1 ? "IntegerOverflow" : "MemoryOutOfBounds",
    );
  }
  assertEquals([...store.data.notes.keys()], ["name"]);
});

Deno.test("the template charges by length before it does anything, and by work while it does it", () => {
  const { store, call, trap } = start();
  const cost = (name: string, ...params: Value[]) => {
    store.resetFuel(100_000n);
    assertEquals(call(name, ...params).status, "done");
    return store.consumedFuel();
  };
  assertEquals(cost("put", 0, 4, 0, 320) - cost("put", 0, 4, 0, 0), 20n);
  const one = cost("count", 0, 0);
  call("put", 8, 6, 16, 3);
  assertEquals(cost("count", 0, 0) - one, 5n);
  store.data.notes.clear();
  store.resetFuel(50n);
  assertEquals(trap(call("put", 0, 4, 0, 320)), "OutOfFuel");
  assertEquals(store.data.notes.size, 0);
});
