/**
 * Runs the unmodified JavaScript of two packages and prints what they compute as JSON. With the
 * argument "facade" the facade takes the place of the global `WebAssembly` before they are loaded.
 *
 * @module
 */

import { createWebAssembly } from "../../mod.ts";

const facade = Deno.args[0] === "facade" ? createWebAssembly({ fuelLimit: 2_000_000_000n }) : undefined;
if (facade !== undefined) {
  globalThis.WebAssembly = facade as unknown as typeof WebAssembly;
}

const results: Record<string, unknown> = {};
const consumed: Record<string, string> = {};
async function part(name: string, run: () => unknown): Promise<void> {
  facade?.resetFuel(facade.remainingFuel());
  results[name] = await run();
  if (facade !== undefined) consumed[name] = `${facade.consumedFuel()}`;
}

// ── tiny-secp256k1 ──

const secp = await import("tiny-secp256k1");
const hex = (bytes: Uint8Array | null) => bytes?.toHex() ?? null;
const key = Uint8Array.fromHex("8f2a559490d3e2a1c7be3bd6e5f0a4c6b1d8e97f0c5b2a3d4e6f708192a3b4c5");
const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode("message")));

/** A public key in form only: no point of the curve has x = 5. */
const noPoint = new Uint8Array(33).with(0, 2).with(32, 5);

await part("keys", () => {
  const point = secp.pointFromScalar(key)!;
  return [
    hex(point),
    hex(secp.pointFromScalar(key, false)),
    hex(secp.privateAdd(key, hash)),
    hex(secp.pointAddScalar(point, hash)),
    hex(secp.xOnlyPointFromScalar(key)),
    secp.isPoint(point),
    secp.isPoint(noPoint),
    secp.isPrivate(new Uint8Array(32)),
  ];
});
await part("signatures", () => {
  const point = secp.pointFromScalar(key)!, signature = secp.sign(hash, key);
  const schnorr = secp.signSchnorr(hash, key), xOnly = secp.xOnlyPointFromScalar(key);
  return [
    hex(signature),
    secp.verify(hash, point, signature),
    secp.verify(hash, point, signature.with(5, signature[5] ^ 1)),
    hex(secp.sign(hash, key, hash)),
    hex(schnorr),
    secp.verifySchnorr(hash, xOnly, schnorr),
  ];
});
await part("errors of the package", () => {
  const tries = [() => secp.sign(hash, new Uint8Array(32)), () => secp.pointCompress(noPoint, true)];
  return tries.map((attempt) => {
    try {
      return attempt();
    } catch (error) {
      // The second one is thrown by a host function of the package, through the guest.
      return `${(error as Error).name}: ${(error as Error).message}`;
    }
  });
});

// ── quickjs-wasi ──

const { QuickJS } = await import("quickjs-wasi");
const bytes = await Deno.readFile(new URL(import.meta.resolve("quickjs-wasi/quickjs.wasm")));
// The engine takes the time and seeds its random numbers through these two.
const wasi = {
  clock_time_get: () => 0,
  random_get: () => 0,
};
const module = await WebAssembly.compile(bytes);

/** Programs, and what makes each worth running. */
const PROGRAMS: readonly string[] = [
  "[1, 2, 3].map((x) => x ** 2).join()",
  "JSON.stringify({ a: [1, 2.5, null, 'x'], b: { c: true } })",
  "'déjà vu 🎉'.normalize('NFD').length",
  "(function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); })(12)", // recursion
  "String(2n ** 200n + 12345678901234567890n)", // big integers
  "[0.1 + 0.2, Math.sin(1), 1 / 3, 1e21, -0, NaN, 5e-324].map(String).join()", // floats
  "'a-b-c'.replace(/(\\w)-(?<last>\\w)/u, '$<last>+$1')", // regular expressions
  "(() => { try { null.x } catch (e) { return e.name + ': ' + e.message } })()", // exceptions in the guest
  "class A { #x = 1; get x() { return this.#x } } new A().x",
  "[...(function* () { yield* [3, 1, 2] })()].sort().toString()", // generators
  "new Map([[1, 'a'], [2, 'b']]).get(2) + new Set('hello').size",
  "Array.from({ length: 500 }, (_, i) => ({ i, s: 'x'.repeat(i) })).at(-1).s.length", // the heap grows
];

await part("programs", async () => {
  using vm = await QuickJS.create({ wasm: module, wasi: () => wasi });
  return PROGRAMS.map((code) => {
    using value = vm.evalCode(code);
    return `${vm.dump(value)}`;
  });
});
await part("host functions", async () => {
  using vm = await QuickJS.create({ wasm: module, wasi: () => wasi });
  // Every use of a handle calls exports from within an import: runs nest.
  using add = vm.newFunction(
    "add",
    (...args: { toNumber(): number }[]) => vm.newNumber(args.reduce((sum, arg) => sum + arg.toNumber(), 0)),
  );
  vm.setProp(vm.global, "add", add);
  using nested = vm.newFunction("nested", (depth: { toNumber(): number }) => {
    const n = depth.toNumber();
    return n === 0 ? vm.newString("bottom") : vm.evalCode(`nested(${n - 1}) + ${n}`);
  });
  vm.setProp(vm.global, "nested", nested);
  using failing = vm.newFunction("failing", () => {
    throw new RangeError("from the host");
  });
  vm.setProp(vm.global, "failing", failing);
  return [
    "add(1, 2, 3.5)",
    "nested(10)",
    "try { failing() } catch (e) { e.name + ': ' + e.message }",
    "[5, 1, 4].sort((a, b) => add(a, -b)).join()",
  ].map((code) => {
    using value = vm.evalCode(code);
    return vm.dump(value);
  });
});
await part("errors and promises", async () => {
  using vm = await QuickJS.create({ wasm: module, wasi: () => wasi });
  let failure = "";
  try {
    vm.evalCode("throw new TypeError('from the guest')").dispose();
  } catch (error) {
    failure = `${(error as Error).name}: ${(error as Error).message}`;
  }
  vm.evalCode("let seen = []; (async () => { for (let i = 0; i < 3; i++) seen.push(await i * 2) })()")
    .dispose();
  const jobs = vm.executePendingJobs();
  using seen = vm.evalCode("seen.join()");
  return [failure, jobs, vm.dump(seen)];
});
await part("snapshots", async () => {
  using vm = await QuickJS.create({ wasm: module, wasi: () => wasi });
  vm.evalCode("globalThis.count = 41; globalThis.next = () => ++count").dispose();
  const snapshot = vm.snapshot();
  vm.evalCode("count = 0").dispose();
  using restored = await QuickJS.restore(snapshot, { wasm: module, wasi: () => wasi });
  using value = restored.evalCode("next()");
  return [vm.dump(vm.evalCode("count")), restored.dump(value)];
});

console.log(
  JSON.stringify({ results, consumed, isFacade: facade !== undefined && WebAssembly === facade as unknown }),
);
