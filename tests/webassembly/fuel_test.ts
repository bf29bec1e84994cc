import { assert, assertEquals, assertInstanceOf, assertStringIncludes, assertThrows } from "@std/assert";
import { compile, createWebAssembly, ImportLinker, RwasmExecutor, RwasmStore, Trap } from "../../mod.ts";
import { wat } from "./side_by_side.ts";

const LOOP = wat(`(module
  (func $host (import "m" "host") (param i32))
  (memory (export "memory") 1)
  (func (export "loop") (param i32)
    (loop $again
      (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
      (br_if $again (local.get 0))))
  (func (export "call") (param i32) (call $host (local.get 0))))`);

type Exports = { loop(rounds: number): void; call(value: number): void };

function start(W: ReturnType<typeof createWebAssembly>, host: (value: number) => void = () => {}): Exports {
  return new W.Instance(new W.Module(LOOP), { m: { host } }).exports as unknown as Exports;
}

Deno.test("a module costs on the facade what it costs elsewhere", () => {
  const linker = new ImportLinker();
  linker.define("m", "host", { index: 1, params: ["i32"], results: [] }, () => {});
  const store = new RwasmStore({ linker });
  const executor = new RwasmExecutor(store, compile(LOOP, { linker }));
  const W = createWebAssembly();
  const { loop, call } = start(W);
  executor.instantiate();
  assertEquals(W.consumedFuel(), store.consumedFuel());
  assert(W.consumedFuel() > 0n);
  loop(100);
  executor.call("loop", [100]);
  assertEquals(W.consumedFuel(), store.consumedFuel());
  call(1);
  executor.call("call", [1]);
  assertEquals(W.consumedFuel(), store.consumedFuel());
});

Deno.test("running out of fuel is a RuntimeError that says so, until there is more", () => {
  const W = createWebAssembly({ fuelLimit: 10_000 });
  const { loop } = start(W);
  const error = assertThrows(() => loop(1_000_000), W.RuntimeError);
  assertStringIncludes(error.message, "out of fuel");
  assertStringIncludes(error.message, "addFuel()");
  assertInstanceOf(error.cause, Trap);
  assertEquals(error.cause.code, "OutOfFuel");
  assert(W.consumedFuel() <= 10_000n);

  assertThrows(() => loop(1_000), W.RuntimeError);
  const consumed = W.consumedFuel();
  W.addFuel(50_000n);
  assertEquals(W.consumedFuel(), consumed);
  assertEquals(W.remainingFuel(), 60_000n - consumed);
  loop(1_000);
  W.resetFuel(10n);
  assertEquals([W.consumedFuel(), W.remainingFuel()], [0n, 10n]);
  assertThrows(() => loop(1_000), W.RuntimeError);
  W.resetFuel();
  assertEquals(W.remainingFuel(), undefined);
  loop(1_000);
});

Deno.test("all instances of a facade share its fuel, and instantiating costs too", () => {
  const W = createWebAssembly({ fuelLimit: 1_000_000 });
  const one = start(W), afterOne = W.consumedFuel();
  const other = start(W);
  assertEquals(W.consumedFuel(), 2n * afterOne);
  one.loop(10);
  const afterLoop = W.consumedFuel();
  other.loop(10);
  assertEquals(W.consumedFuel() - afterLoop, afterLoop - 2n * afterOne);
  W.resetFuel(0);
  const error = assertThrows(() => start(W), W.RuntimeError);
  assertStringIncludes(error.message, "out of fuel");
});

Deno.test("a host function may charge for its work, and its nested calls count", () => {
  const W = createWebAssembly({ fuelLimit: 100_000 });
  const charged: boolean[] = [];
  const all: Exports = start(W, (value) => {
    charged.push(W.tryConsumeFuel(value));
    all.loop(5);
  });
  const before = W.consumedFuel();
  all.loop(5);
  const loop = W.consumedFuel() - before;
  all.call(0);
  const call = W.consumedFuel() - before - 2n * loop;
  all.call(1000);
  assertEquals(W.consumedFuel() - before, 2n * call + 3n * loop + 1000n);
  all.call(200_000);
  assertEquals(charged, [true, true, false]);
});

Deno.test("a nested call that runs out of fuel ends the outer one, if the host function lets it", () => {
  const W = createWebAssembly({ fuelLimit: 5_000 });
  let caught: unknown;
  const all: Exports = start(W, (rounds) => all.loop(rounds));
  const error = assertThrows(() => all.call(1_000_000), W.RuntimeError);
  assertStringIncludes(error.message, "out of fuel");

  W.resetFuel(5_000);
  const catching: Exports = start(W, (rounds) => {
    try {
      catching.loop(rounds);
    } catch (error) {
      caught = error;
      W.addFuel(5_000);
    }
  });
  catching.call(1_000_000);
  assertInstanceOf(caught, W.RuntimeError);
});

Deno.test("the limits bound what a guest may take", () => {
  const W = createWebAssembly({ limits: { memoryPages: 3, callDepth: 50, tableElements: 4 } });
  const exports = new W.Instance(
    new W.Module(wat(`(module
      (memory 1)
      (table (export "table") 2 funcref)
      (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
      (func $deep (export "deep") (param i32)
        (if (local.get 0) (then (call $deep (i32.sub (local.get 0) (i32.const 1)))))))`)),
  ).exports as unknown as {
    grow(pages: number): number;
    deep(depth: number): void;
    table: WebAssembly.Table;
  };
  assertEquals([exports.grow(2), exports.grow(1)], [1, -1]);
  exports.deep(40);
  assertThrows(() => exports.deep(60), RangeError);
  assertEquals(exports.table.grow(2), 2);
  assertThrows(() => exports.table.grow(1), RangeError);
  const memory = new W.Memory({ initial: 4 });
  const importing = new W.Module(wat(`(module (memory (import "m" "memory") 1))`));
  const error = assertThrows(() => new W.Instance(importing, { m: { memory } }), W.LinkError);
  assertStringIncludes(error.message, "limits.memoryPages");
});

Deno.test("floats may be made to trap", () => {
  const W = createWebAssembly({ floats: "trap" });
  const wasm = wat(`(module (func (export "f") (result f64) (f64.add (f64.const 1) (f64.const 2))))`);
  const { f } = new W.Instance(new W.Module(wasm)).exports as unknown as { f(): number };
  const error = assertThrows(f, W.RuntimeError);
  assertEquals((error.cause as Trap).code, "IllegalOpcode");
});
