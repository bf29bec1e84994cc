/**
 * Out of fuel as a pause: a run that pauses at every charge, refuelled each time by exactly what is
 * missing, ends as one without a limit: the same results, fuel, memory and host calls.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  type Caller,
  compile,
  ImportLinker,
  type Outcome,
  RwasmExecutor,
  RwasmModule,
  RwasmStore,
  UsageError,
} from "../../mod.ts";
import {
  fnv1a64,
  fromBase64,
  lettersToTypes,
  listShared,
  readShared,
  sharedTest,
  toValue,
} from "../harness.ts";
import {
  type Expected,
  type Import,
  type Input,
  type JsonConfig,
  type ScriptStep,
  toConfig,
} from "../golden/fact.ts";
import {
  answer,
  type Guest,
  moduleOf,
  MORE,
  PLACES,
  prepare,
  type Seen,
  seen,
  uninterrupted,
} from "./guests.ts";

/** Runs a guest from no fuel at all, adding what is missing at each pause; how it ended, and how often it paused. */
function fromCharge(
  module: RwasmModule,
  { call, params = [] }: Guest,
): { readonly end: Seen; readonly pauses: number; readonly initializing: number } {
  const { store, executor } = prepare(module, 0n, { onOutOfFuel: "pause" });
  let outcome = executor.call(call, params), pauses = 0, initializing = 0;
  while (outcome.status === "paused") {
    if (outcome.reason === "syscall") {
      outcome = executor.resume(answer(outcome.payload));
      continue;
    }
    assert(outcome.reason === "fuel");
    assertEquals(outcome.remaining, store.remainingFuel());
    assert(outcome.required > outcome.remaining);
    assertEquals(executor.paused, outcome);
    if (store.parked!.initializing) initializing++;
    pauses++;
    // One too little pauses at the same charge again.
    const missing = outcome.required - outcome.remaining;
    store.addFuel(missing - 1n);
    const again = executor.resume();
    assertEquals(again, { ...outcome, remaining: outcome.required - 1n });
    store.addFuel(1);
    outcome = executor.resume();
  }
  return { end: seen(store, outcome), pauses, initializing };
}

for (const guest of [...PLACES, ...MORE]) {
  Deno.test(`out of fuel in ${guest.name} pauses at every charge and ends as without a limit`, () => {
    const module = moduleOf(guest);
    const { end, pauses, initializing } = fromCharge(module, guest);
    assertEquals(end, uninterrupted(module, guest));
    assert(pauses >= 2, `${pauses} pauses`);
    assert(initializing > 0, "the initialization of the memory is charged");
  });
}

for (const guest of PLACES) {
  Deno.test(`a decoded module pauses in ${guest.name} as well`, () => {
    // Without names and types an entry point must be given.
    const module = moduleOf(guest, { entrypoint: guest.call }), { params = [] } = guest;
    const decoded = RwasmModule.decode(module.encode());
    const type = module.exports.find(({ name }) => name === guest.call)!;
    const run = (fuelLimit?: bigint): [Outcome, bigint] => {
      const { store, executor } = prepare(decoded, fuelLimit, { onOutOfFuel: "pause" });
      let outcome = executor.execute(params, type);
      while (outcome.status === "paused") {
        if (outcome.reason === "fuel") store.addFuel(outcome.required - outcome.remaining);
        outcome = executor.resume(outcome.reason === "fuel" ? [] : answer(outcome.payload));
      }
      return [outcome, store.consumedFuel()];
    };
    assertEquals(run(0n), run());
  });
}

/** Runs of one entry point. */
interface Case {
  readonly entry: string;
  readonly inputs: readonly Input[];
  readonly expected: readonly Expected[];
  readonly compileError: string | null;
}

/** A file of `golden/programs`: one entry point, or cases. */
interface Program extends Partial<Case> {
  readonly wasm: string;
  readonly fpu: boolean;
  readonly config?: JsonConfig;
  readonly imports?: readonly Import[];
  readonly cases?: readonly Case[];
}

interface Host {
  readonly script: readonly ScriptStep[];
  readonly calls: unknown[];
  /** How many calls of a function have got beyond their charge. */
  made: number;
}

/** The scripted host of the facts, whose functions charge before they do anything. */
function linkerOf(imports: readonly Import[]): { linker: ImportLinker<Host>; current: { host?: Host } } {
  const current: { host?: Host } = {};
  const linker = new ImportLinker<Host>();
  for (const { module, name, index, params, results, fuel } of imports) {
    const declared = fuel.const === undefined ? {} : { fuel: { const: fuel.const } };
    const signature = {
      index,
      params: lettersToTypes(params),
      results: lettersToTypes(results),
      ...declared,
    };
    linker.define(module, name, signature, (caller: Caller<Host>, ...args) => {
      const host = current.host!, step = host.script[host.made] ?? {};
      if (step.fuel !== undefined) caller.consumeFuel(step.fuel);
      host.made++;
      host.calls.push([index, ...args]);
      if (step.write !== undefined) caller.memory.write(step.write[0], Uint8Array.from(step.write[1]));
      if (step.interrupt !== undefined) caller.pause(step.interrupt.map(toValue));
      if (step.trap === 255) caller.halt();
      if (step.trap !== undefined) caller.trap("IntegerOverflow");
      const values = step.results?.map(toValue) ?? signature.results.map((type) => type === "i64" ? 0n : 0);
      return values.length === 0 ? undefined : values.length === 1 ? values[0] : values;
    });
  }
  return { linker, current };
}

/** Charges after which a long program gets fuel for many at once: what is tested is the pause, not patience. */
const MOST_PAUSES = 1500;

for (const name of listShared("golden/programs")) {
  sharedTest(`programs/${name} pauses at its charges and ends as without a limit`, () => {
    const program = readShared<Program>(`golden/programs/${name}.json`);
    const cases = program.cases ?? [{ ...program as Case, compileError: null }];
    let ran = 0;
    const { linker, current } = linkerOf(program.imports ?? []);
    for (const { entry, inputs, expected, compileError } of cases) {
      // Those that the facts bound may never end without a limit.
      const at = inputs.findLastIndex(({ fuelLimit }, i) => fuelLimit == null && +expected[i].fuel < 4e6);
      if (compileError !== null || at < 0) continue;
      ran++;
      const config = toConfig(program.config ?? {}, entry, program.fpu ? "deterministic" : "trap");
      const module = compile(fromBase64(program.wasm), { ...config, builtinsConsumeFuel: true, linker });
      const input = inputs[at];
      const run = (pauses: boolean): unknown[] => {
        const host: Host = current.host = { script: input.script ?? [], calls: [], made: 0 };
        const store = new RwasmStore<Host>({ linker, data: host, ...pauses ? { fuelLimit: 0 } : {} });
        const executor = new RwasmExecutor(store, module, pauses ? { onOutOfFuel: "pause" } : {});
        let outcome = executor.call(entry, input.args.map(toValue)), paused = 0;
        while (outcome.status === "paused") {
          if (outcome.reason === "syscall") outcome = executor.resume(outcome.payload as never);
          else {
            assert(outcome.reason === "fuel");
            store.addFuel(outcome.required - outcome.remaining);
            if (++paused > MOST_PAUSES) store.addFuel(paused * paused);
            outcome = executor.resume();
          }
        }
        assert(!pauses || paused > 0);
        const ending = outcome.status === "done" ? outcome.results : outcome.trap.message;
        return [ending, store.consumedFuel(), fnv1a64(store.memory.view()), host.calls];
      };
      assertEquals(run(true), run(false), `${name} ${entry}`);
    }
    assert(ran > 0);
  });
}

Deno.test("fuel that is spent elsewhere does not let a run that is paused for it go on", () => {
  const { store, executor } = prepare(moduleOf(PLACES[1]), 1200n, { onOutOfFuel: "pause" });
  const first = executor.call("main", [25]);
  assert(first.status === "paused" && first.reason === "fuel");
  store.addFuel(100);
  assert(store.tryConsumeFuel(store.remainingFuel()!));
  const second = executor.resume();
  assert(second.status === "paused" && second.reason === "fuel");
  assertEquals([second.required, second.remaining, second.pc], [first.required, 0n, first.pc]);
  store.resetFuel();
  assertEquals(executor.resume().status, "done");
});

Deno.test("without onOutOfFuel: pause a run traps as ever, and addFuel is for the next one", () => {
  for (const options of [{}, { onOutOfFuel: "trap" as const }]) {
    const { store, executor } = prepare(moduleOf(PLACES[0]), 10n, options);
    const outcome = executor.call("main", [1]);
    assert(outcome.status === "trap");
    assertEquals(outcome.trap.code, "OutOfFuel");
    store.addFuel(10_000);
    assertEquals(executor.call("main", [1]).status, "done");
  }
});

Deno.test("code that jumps without any charge is not paused: no fuel would help it", () => {
  const body = `(global $g (mut i32) (i32.const 0)) (func (export "main")
    (loop $l (global.set $g (i32.add (global.get $g) (i32.const 1))) (br $l)))`;
  const unmetered = moduleOf({ body }, { consumeFuel: false, entrypoint: "main" });
  const spin = RwasmModule.decode(unmetered.encode());
  const outcome = prepare(spin, 10n, { onOutOfFuel: "pause" }).executor.execute();
  assert(outcome.status === "trap");
  assertStringIncludes(outcome.trap.message, "without a charge");
});

/** A module whose main calls the host function `f` of one i32. */
function callsHost(call: (caller: Caller<{ log: string[] }>, x: number) => unknown) {
  const linker = new ImportLinker<{ log: string[] }>().define(
    "env",
    "free",
    { index: 1, params: ["i32"], results: ["i32"] },
    call as never,
  );
  const module = moduleOf({ body: `(func (export "main") (result i32) (call $free (i32.const 5)))` });
  const store = new RwasmStore({ linker: mergeHost(linker), data: { log: [] as string[] }, fuelLimit: 2000 });
  return { store, executor: new RwasmExecutor(store, module, { onOutOfFuel: "pause" }) };
}

/** The other functions a guest imports, which are not called. */
function mergeHost<T>(linker: ImportLinker<T>): ImportLinker<T> {
  const never = (): never => {
    throw new Error("not called");
  };
  return linker
    .define("env", "fixed", { index: 2, params: ["i32"], results: ["i32"], fuel: { const: 70 } }, never)
    .define("env", "linear", {
      index: 3,
      params: ["i32"],
      results: [],
      fuel: { linear: { base: 5, param: 1, wordCost: 3 } },
    }, never)
    .define("env", "charges", { index: 4, params: ["i32"], results: ["i32"] }, never)
    .define("env", "ask", { index: 5, params: ["i32"], results: ["i32", "i64"] }, never);
}

Deno.test("a host function that charges first is called again, and its first charges are given back", () => {
  let calls = 0;
  const { store, executor } = callsHost((caller, x) => {
    calls++;
    caller.consumeFuel(100);
    caller.memory.read(0, 16);
    caller.consumeFuel(10_000);
    return x + 1;
  });
  const outcome = executor.call("main");
  assert(outcome.status === "paused" && outcome.reason === "fuel");
  assertEquals(outcome.required, 10_100n);
  assertEquals(outcome.remaining, store.remainingFuel());
  assertEquals(calls, 1);
  const before = store.consumedFuel();
  store.addFuel(outcome.required - outcome.remaining);
  assertEquals(executor.resume(), { status: "done", results: [6] });
  assertEquals([calls, store.consumedFuel() - before], [2, 10_100n]);
});

// deno-fmt-ignore
const ACTS: readonly (readonly [what: string, act: (caller: Caller<{ log: string[] }>) => void])[] = [
  ["used the host's context", (caller) => caller.data.log.push("x")],
  ["written memory", (caller) => caller.memory.write(0, Uint8Array.of(1))],
  ["got hold of the live memory", (caller) => caller.memory.view()],
  ["reset the fuel", (caller) => caller.resetFuel(3000)],
  ["charged if possible", (caller) => caller.tryConsumeFuel(1)],
];

for (const [what, act] of ACTS) {
  Deno.test(`a host function that has ${what} before it charges traps: it must not act twice`, () => {
    const { executor } = callsHost((caller) => {
      act(caller);
      caller.consumeFuel(10_000);
      return 1;
    });
    const outcome = executor.call("main");
    assert(outcome.status === "trap");
    assertEquals(outcome.trap.code, "OutOfFuel");
    assertStringIncludes(outcome.trap.message, "let the function charge first");
  });
}

for (const bad of [-1, 1.5, NaN, "5", null, undefined, -1n, 2n ** 64n, {}]) {
  Deno.test(`addFuel(${typeof bad === "object" ? JSON.stringify(bad) : String(bad)}) is refused and changes nothing`, () => {
    const store = new RwasmStore({ fuelLimit: 10 });
    const error = assertThrows(() => store.addFuel(bad as never), UsageError);
    assertEquals((error as UsageError).code, "InvalidFuel");
    assertEquals(store.remainingFuel(), 10n);
  });
}

Deno.test("addFuel keeps what was consumed, stops at 2^64 - 1, and means nothing without a limit", () => {
  const store = new RwasmStore({ fuelLimit: 10 });
  store.tryConsumeFuel(4);
  store.addFuel(5n);
  assertEquals([store.consumedFuel(), store.remainingFuel()], [4n, 11n]);
  store.addFuel(2n ** 64n - 1n);
  assertEquals(store.remainingFuel(), 2n ** 64n - 5n);
  const unbounded = new RwasmStore();
  unbounded.addFuel(5);
  assertEquals(unbounded.remainingFuel(), undefined);
});

Deno.test("onOutOfFuel must be trap or pause", () => {
  const make = () =>
    new RwasmExecutor(new RwasmStore(), moduleOf(PLACES[0]), { onOutOfFuel: "wait" as never });
  assertEquals((assertThrows(make, UsageError) as UsageError).code, "InvalidOptions");
});
