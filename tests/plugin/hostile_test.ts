/**
 * Host functions that misbehave at random: 2,000 calls from a fixed seed, each with a few acts such as
 * wrong values, throws, proxies, thenables, stored callers, re-entry and extreme pointers. Whatever
 * they do, the host gets an outcome, nothing else is thrown, and the store works afterwards.
 *
 * @module
 */

import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import {
  type Caller,
  compile,
  ImportLinker,
  type Outcome,
  RwasmError,
  RwasmExecutor,
  RwasmStore,
  TrapCode,
  type ValueType,
} from "../../mod.ts";
import { assembleWat } from "../compile/wat.ts";

const CALLS = 2000, SEED = 0x5eed_0004;

// deno-lint-ignore no-explicit-any -- that is the point
type Anything = any;

/** A generator of u32 (xorshift), so that a failing call can be run again. */
function generator(seed: number): (bound: number) => number {
  let state = seed >>> 0 || 1;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state = (state ^ state << 5) >>> 0;
    return state % bound;
  };
}

function fail(): never {
  throw new RangeError("hostile");
}

const throwing = new Proxy({}, {
  get: fail,
  has: fail,
  getPrototypeOf: fail,
  ownKeys: fail,
  getOwnPropertyDescriptor: fail,
});

function revoked(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

/** Values that a host function may return or throw, or hand to the caller. */
const VALUES: readonly (() => Anything)[] = [
  ...[
    undefined,
    null,
    true,
    0,
    -0,
    1,
    -1,
    NaN,
    Infinity,
    0.5,
    2 ** 31,
    2 ** 32,
    2 ** 53,
    -(2 ** 31) - 1,
    1e300,
  ],
  ...[
    0n,
    -1n,
    2n ** 63n,
    2n ** 64n,
    -(2n ** 63n) - 1n,
    1n << 20_000n,
    "",
    "7",
    "x".repeat(10_000),
    "\u001b[2J\ud800",
  ],
  ...[Symbol("s"), Symbol.iterator, {}, [], [1], [1, 2n], [1, 2n, 3], [[1, 2n]], () => 1, class {}, throwing],
  ...[Object.create(null), new Date(NaN), new Map(), new Uint8Array(8), new WeakMap(), /x/],
].map((value) => () => value).concat([
  // deno-lint-ignore no-sparse-arrays -- a hole
  () => [, 1],
  () => new Array(2 ** 32 - 1),
  () => revoked({}),
  () => revoked([1, 2n]),
  () => revoked(() => 1),
  () => new Proxy([1, 2n], { get: fail }),
  () => new Proxy([1, 2n], { get: (target, key) => key === "length" ? 2 ** 32 : Reflect.get(target, key) }),
  () => Object.assign([1, 2n], { [Symbol.iterator]: fail }),
  () =>
    Object.assign([1, 2n], {
      [Symbol.iterator]: () => ({ next: () => ({ done: false, value: 1 }) }),
      length: 3,
    }),
  () => Object.assign([1, 2n], { then: fail }),
  () => Object.defineProperty([1, 2n], 1, { get: fail }),
  () => ({ then: (resolve: (value: number) => void) => resolve(1) }),
  () => ({
    get then() {
      return fail();
    },
  }),
  () => ({ valueOf: fail, toString: fail, [Symbol.toPrimitive]: fail }),
  () => Promise.resolve(1),
  () => new (class extends Promise<number> {})((resolve) => resolve(1)),
  () => Object.defineProperty(new Error("x"), "message", { get: fail }),
  () => Object.assign(new Error("x"), { name: Symbol("n"), message: throwing }),
  () =>
    (function* () {
      yield 1;
    })(),
  () => new RwasmError("Odd", "Cannot be odd: it is even"),
]);

/** A promise that fails; nobody but the machine it is returned to can keep it from ending the process. */
const failing = () => Promise.reject(new Error("nobody looks at this"));

/** Bytes, and what is none, for `memory.write`. */
const BYTES: readonly (() => Anything)[] = [
  () => new Uint8Array(0),
  () => new Uint8Array(16).fill(0xaa),
  () => new Uint8Array(70_000),
  () => new Uint8Array(new SharedArrayBuffer(8)),
  () =>
    new (class extends Uint8Array {
      override get length() {
        return 2 ** 40;
      }
    })(4),
  () =>
    new (class extends Uint8Array {
      override get length(): number {
        return fail();
      }
    })(4),
  () => {
    const bytes = new Uint8Array(8);
    bytes.buffer.transfer();
    return bytes;
  },
  () => new Uint16Array(4),
  () => new Proxy(new Uint8Array(4), {}),
  () => Object.create(Uint8Array.prototype),
];

const POINTERS = [
  0,
  1,
  -1,
  65_528,
  65_535,
  65_536,
  2 ** 31,
  -(2 ** 31),
  2 ** 32 - 1,
  2 ** 53,
  -0,
  NaN,
  Infinity,
  0.5,
];

/** What one call can see. */
interface Scene {
  readonly random: (bound: number) => number;
  readonly executor: RwasmExecutor<unknown>;
  readonly caller: Caller<unknown>;
  /** Callers of earlier calls. */
  readonly kept: Caller<unknown>[];
}

const pick = <Item>({ random }: Scene, list: readonly Item[]): Item => list[random(list.length)]!;
const value = (scene: Scene): Anything => pick(scene, VALUES)();
const pointer = (scene: Scene): Anything => scene.random(4) === 0 ? value(scene) : pick(scene, POINTERS);

/** Keeps going after a failure, as a careless plugin does. */
function swallow(act: () => unknown): void {
  try {
    act();
  } catch {
    // whatever it was
  }
}

/** What a host function may do before it returns; some do not come back. */
const ACTS: { readonly [what: string]: (scene: Scene) => unknown } = {
  nothing: () => {},
  throw: (scene) => {
    throw value(scene);
  },
  keep: ({ kept, caller }) => kept.push(caller),
  "use a kept caller": (scene) => scene.kept.length > 0 && touch(scene, pick(scene, scene.kept)),
  "use a kept caller and swallow": (scene) =>
    swallow(() => scene.kept.length > 0 && touch(scene, pick(scene, scene.kept))),
  pause: (scene) => scene.caller.pause(value(scene)),
  "pause and swallow": (scene) => swallow(() => scene.caller.pause(value(scene))),
  overcharge: ({ caller }) => caller.consumeFuel(1_000_000n),
  touch: (scene) => touch(scene, scene.caller),
  "touch and swallow": (scene) => swallow(() => touch(scene, scene.caller)),
  read: (scene) => scene.caller.memory.read(pointer(scene), pointer(scene)),
  "read and swallow": (scene) => swallow(() => scene.caller.memory.read(pointer(scene), pointer(scene))),
  write: (scene) => scene.caller.memory.write(pointer(scene), pick(scene, BYTES)()),
  "write and swallow": (scene) =>
    swallow(() => scene.caller.memory.write(pointer(scene), pick(scene, BYTES)())),
  "write the memory to itself": ({ caller: { memory } }) =>
    memory.write(1, memory.view().subarray(0, 60_000)),
  "detach the view": ({ caller }) => swallow(() => (caller.memory.view().buffer as ArrayBuffer).transfer()),
  "fill the view": (scene) => scene.caller.memory.view().fill(scene.random(256)),
  call: ({ executor }) => executor.call("healthy", [1]),
  "call and swallow": ({ executor }) => swallow(() => executor.call("healthy", [1])),
  "resume and swallow": (scene) => swallow(() => scene.executor.resume([value(scene)])),
  "reset and swallow": ({ executor }) => swallow(() => executor.store.reset()),
  "instantiate and swallow": ({ executor }) => swallow(() => executor.instantiate()),
  "another executor": ({ executor }) =>
    new RwasmExecutor(executor.store, executor.module).call("healthy", [1]),
  "memory of the store": (scene) => scene.executor.store.memory.read(pointer(scene), 1),
  "fuel of the store": (scene) => swallow(() => scene.executor.store.tryConsumeFuel(value(scene))),
  "declare more": (scene) =>
    swallow(() =>
      scene.executor.store.linker!.define(value(scene), value(scene), value(scene), value(scene))
    ),
  "declare a taken name": ({ executor }) =>
    swallow(() =>
      executor.store.linker!.define("m", "healthy", { index: 99, params: [], results: [] }, () => {})
    ),
  recurse: () => {
    const deeper = (): number => 1 + deeper();
    return deeper();
  },
  "recurse into the caller": ({ caller }) => {
    const deeper = (): number => caller.memory.read(0, 1)[0]! + deeper();
    return deeper();
  },
  "change the caller": (scene) => {
    swallow(() => Object.setPrototypeOf(scene.caller, null));
    swallow(() => Object.defineProperty(scene.caller, "data", { get: fail }));
  },
  "borrow a method": (scene) => Reflect.apply(Object.getPrototypeOf(scene.caller).halt, value(scene), []),
};

/** Uses one member of a caller. */
function touch(scene: Scene, caller: Caller<unknown>): unknown {
  const members: (() => unknown)[] = [
    () => caller.data,
    () => caller.memory.byteLength,
    () => caller.consumeFuel(value(scene)),
    () => caller.tryConsumeFuel(value(scene)),
    () => caller.consumeFuel(scene.random(200_000)),
    () => caller.remainingFuel(),
    () => caller.resetFuel(value(scene)),
    () => caller.pause(value(scene)),
    () => caller.halt(),
    () => caller.trap(value(scene)),
    () => caller.trap(pick(scene, Object.keys(TrapCode)) as "OutOfFuel"),
  ];
  return pick(scene, members)();
}

const SIGNATURES: {
  readonly [name: string]: readonly [params: ValueType[], results: ValueType[], right: Anything];
} = {
  none: [[], [], undefined],
  i32: [["i32"], ["i32"], 1],
  i64: [["i64", "i32"], ["i64"], 1n],
  f32: [["f32"], ["f32"], 1],
  two: [["f64"], ["i32", "i64"], [1, 2n]],
};

function types(keyword: string, list: readonly ValueType[]): string {
  return list.length === 0 ? "" : `(${keyword} ${list.join(" ")})`;
}

/** Exports one function per signature that hands the call on, and one that always works. */
const GUEST = assembleWat(`(module
  ${
  Object.entries(SIGNATURES).map(([name, [params, results]]) =>
    `(import "m" "${name}" (func $${name} ${types("param", params)} ${types("result", results)}))`
  ).join("\n")
}
  (import "m" "healthy" (func $healthy (param i32) (result i32)))
  (memory (export "memory") 1 1)
  ${
  Object.entries(SIGNATURES).map(([name, [params, results]]) =>
    `(func (export "${name}") ${types("param", params)} ${types("result", results)}
      (call $${name} ${params.map((_, at) => `(local.get ${at})`).join(" ")}))`
  ).join("\n")
}
  (func (export "healthy") (param i32) (result i32) (call $healthy (local.get 0))))`);

const ARGUMENTS: { readonly [Type in ValueType]?: Anything } = { i32: -1, i64: -1n, f32: 0.5, f64: -0 };

Deno.test(`${CALLS} hostile calls of host functions end as outcomes, and the store works after each`, async () => {
  const random = generator(SEED), kept: Caller<unknown>[] = [];
  const endings = new Map<string, number>();
  let log: string[] = [];

  const linker = new ImportLinker<unknown>();
  linker.define("m", "healthy", { index: 0, params: ["i32"], results: ["i32"] }, (_caller, x) => (x + 1) | 0);
  Object.entries(SIGNATURES).forEach(([name, [params, results, right]], at) => {
    const act = (caller: Caller<unknown>): unknown => {
      const scene: Scene = { random, executor, caller, kept };
      for (let acts = 1 + random(3); acts > 0; acts--) {
        const what = pick(scene, Object.keys(ACTS));
        log.push(what);
        ACTS[what]!(scene);
      }
      if (kept.length > 64) kept.length = 0;
      const kind = random(8);
      const returned = kind < 3 ? right : kind === 3 ? failing() : value(scene);
      log.push(`return a ${typeof returned}`);
      return returned;
    };
    linker.define("m", name, { index: at + 1, params, results, fuel: { const: 10 } }, act as () => never);
  });
  const store = new RwasmStore<unknown>({ linker, data: {}, fuelLimit: 100_000n });
  const executor: RwasmExecutor<unknown> = new RwasmExecutor(store, compile(GUEST, { linker }));

  /** An outcome, or the error of a call that made no sense. */
  const attempt = (run: () => Outcome): Outcome | undefined => {
    try {
      return run();
    } catch (error) {
      assertInstanceOf(error, RwasmError);
      return undefined;
    }
  };

  for (let call = 0; call < CALLS; call++) {
    const name = Object.keys(SIGNATURES)[random(Object.keys(SIGNATURES).length)]!;
    const [params, results] = SIGNATURES[name]!;
    log = [`call ${call}: ${name}`];
    try {
      store.resetFuel(100_000n);
      let outcome: Outcome = executor.call(name, params.map((type) => ARGUMENTS[type]));
      const scene: Scene = { random, executor, caller: kept[0]!, kept };
      for (let tries = 0; outcome.status === "paused" && tries < 3; tries++) {
        log.push("resume");
        outcome = attempt(() =>
          executor.resume(random(2) === 0 ? value(scene) : [value(scene), value(scene)])
        ) ?? outcome;
      }
      const ending = outcome.status === "trap" ? outcome.trap.code : outcome.status;
      endings.set(ending, (endings.get(ending) ?? 0) + 1);
      if (outcome.status === "trap") assert(outcome.trap.message.length < 1000, outcome.trap.message);
      if (outcome.status === "done") assertEquals(outcome.results.length, results.length);
      if (outcome.status === "paused") store.reset();
      store.resetFuel(100_000n);
      assertEquals(executor.call("healthy", [call]), { status: "done", results: [call + 1] });
      assertEquals(store.memory.byteLength, 65_536);
    } catch (error) {
      throw new Error(`seed ${SEED}: ${log.join(", ")}`, { cause: error });
    }
  }
  // Rejections that nobody looks at would end the process here.
  await new Promise((resolve) => setTimeout(resolve, 1));
  // The acts reach every kind of ending, or the test would show less than it says.
  for (const ending of ["done", "paused", "HostError", "BadSignature", "OutOfFuel", "MemoryOutOfBounds"]) {
    assert((endings.get(ending) ?? 0) >= 20, `${ending}: ${JSON.stringify([...endings])}`);
  }
});
