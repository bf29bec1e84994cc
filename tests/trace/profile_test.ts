/**
 * Profiles: every unit of fuel is there once, at the function, stack and instruction that charged it;
 * runs under a profiler end as runs without one.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  assemble,
  compile,
  fuelByFunction,
  fuelByOperator,
  fuelByPlace,
  ImportLinker,
  type Outcome,
  type Profile,
  Profiler,
  RwasmExecutor,
  RwasmModule,
  RwasmStore,
  UsageError,
  type Value,
} from "../../mod.ts";
import { compileWat } from "../compile/wat.ts";
import { type Import, type Input, scriptedLinker, toConfig } from "../golden/fact.ts";
import { generateModule } from "../generate/generate.ts";
import {
  Failures,
  fromBase64,
  type JsonValue,
  listShared,
  readShared,
  sharedTest,
  toValue,
} from "../harness.ts";
import { Oracle } from "./profile_oracle.ts";

const sum = (amounts: Iterable<bigint>): bigint => Array.from(amounts).reduce((a, b) => a + b, 0n);

/** What of a profile does not add up to the fuel of its stores. */
function problemsOf(profile: Profile, consumed: bigint): string[] {
  const totals = {
    fuel: profile.fuel,
    stacks: sum(profile.stacks.fuel),
    functions: sum(fuelByFunction(profile).map(({ self }) => self)),
    places: sum(fuelByPlace(profile).map(({ fuel }) => fuel)),
    operators: sum(fuelByOperator(profile).map(({ fuel }) => fuel)),
  };
  return Object.entries(totals).filter(([, total]) => total !== consumed)
    .map(([name, total]) => `${name} sum up to ${total}, consumed is ${consumed}`);
}

/** Fuel by stack, as the oracle writes stacks. */
function stacksOf({ stacks, functions, modules }: Profile): Map<string, bigint> {
  const paths: string[] = [], found = new Map<string, bigint>();
  stacks.parents.forEach((parent, node) => {
    if (node === 0) return void paths.push("");
    const { index, pc, name } = functions[stacks.functions[node]];
    const label = pc === undefined
      ? name.slice(1, -1)
      : String(index ?? (pc < modules[0].sourcePc ? "instantiate" : "entry"));
    paths.push(parent === 0 ? label : `${paths[parent]},${label}`);
    if (stacks.fuel[node] > 0n) found.set(paths[node], stacks.fuel[node]);
  });
  return found;
}

function sorted<K, V>(map: Map<K, V>): [K, V][] {
  return [...map].sort(([a], [b]) => a < b ? -1 : 1);
}

const outcomeOf = (outcome: Outcome): unknown =>
  outcome.status === "trap"
    ? [outcome.trap.code, outcome.trap.pc]
    : outcome.status === "done"
    ? outcome.results
    : [outcome.reason];

/** Runs the same three times: alone, profiled, and with the oracle. */
function compare(
  what: string,
  failures: Failures,
  start: (options: { tracer?: Profiler | Oracle }) => { outcome: Outcome; store: RwasmStore<never> },
  oracle = true,
): void {
  const profiler = new Profiler();
  const plain = start({}), profiled = start({ tracer: profiler });
  const [alone, with_] = [plain, profiled].map(({ outcome, store }) => {
    return Deno.inspect([outcomeOf(outcome), store.consumedFuel(), store.memory.view().length]);
  });
  if (alone !== with_) failures.add(`${what}: ${with_} instead of ${alone}`);
  const profile = profiler.profile();
  for (const problem of problemsOf(profile, profiled.store.consumedFuel())) {
    failures.add(`${what}: ${problem}`);
  }
  if (!oracle) return;
  const wanted = new Oracle();
  start({ tracer: wanted });
  const stacks = Deno.inspect(sorted(stacksOf(profile)), { depth: 4, iterableLimit: Infinity });
  const expected = Deno.inspect(sorted(wanted.stacks), { depth: 4, iterableLimit: Infinity });
  if (stacks !== expected) failures.add(`${what}: stacks ${stacks} instead of ${expected}`);
  const charges = profile.charges.filter(({ host }) => !host)
    .map(({ pc, count, fuel }) => [pc, [count, fuel]]);
  const right = sorted(wanted.charges);
  if (
    Deno.inspect(charges, { iterableLimit: Infinity }) !== Deno.inspect(right, { iterableLimit: Infinity })
  ) {
    failures.add(`${what}: charges ${Deno.inspect(charges)} instead of ${Deno.inspect(right)}`);
  }
}

interface Program {
  readonly wasm: string;
  readonly fpu: boolean;
  readonly imports?: readonly Import[];
  readonly cases?: readonly { readonly entry: string; readonly inputs: readonly Input[] }[];
  readonly entry?: string;
  readonly inputs?: readonly Input[];
  readonly expected?: readonly { readonly fuel: string }[];
}

/** Most fuel of a golden run that is stepped through. */
const STEPPED = 100_000n;

for (const name of listShared("golden/programs")) {
  sharedTest(`a profile of golden program ${name} has every unit of its fuel, in its place`, () => {
    const failures = new Failures();
    const program = readShared<Program>(`golden/programs/${name}.json`);
    const linker = scriptedLinker(program.imports ?? []);
    const cases = program.cases ?? [{ entry: program.entry!, inputs: program.inputs! }];
    let runs = 0;
    for (const { entry, inputs } of cases) {
      const config = toConfig({ builtinsFuel: true }, entry, program.fpu ? "deterministic" : "trap");
      const module = compile(fromBase64(program.wasm), { ...config, linker });
      inputs.slice(0, 2).forEach((input, i) => {
        const fuelLimit = input.fuelLimit == null ? undefined : BigInt(input.fuelLimit);
        const start = (options: { tracer?: Profiler | Oracle }) => {
          const data = { script: input.script ?? [], calls: [] };
          const store = new RwasmStore({ linker, data, ...fuelLimit === undefined ? {} : { fuelLimit } });
          const executor = new RwasmExecutor(store, module, options);
          let outcome = executor.call(entry, input.args.map(toValue));
          for (let resumes = 0; outcome.status === "paused" && resumes < 100; resumes++) {
            const step = input.script![data.calls.length - 1];
            outcome = executor.resume(step.interrupt!.map(toValue));
          }
          return { outcome, store: store as unknown as RwasmStore<never> };
        };
        runs++;
        const cheap = start({}).store.consumedFuel() < STEPPED;
        compare(`${entry} input ${i}`, failures, start, cheap);
      });
    }
    assert(runs > 0);
    failures.report();
  });
}

/** Scripts of the official suite that have every kind of control, call and bulk operation. */
const SCRIPTS = [
  "block",
  "br_table",
  "bulk",
  "call",
  "call_indirect",
  "fac",
  "func",
  "i64",
  "if",
  "left-to-right",
  "loop",
  "memory_grow",
  "return_call",
  "return_call_indirect",
  "select",
  "switch",
  "table_grow",
  "unwind",
];

interface SpecCommand {
  readonly type: string;
  readonly wasm?: string;
  readonly action?: { readonly type: string; readonly field: string; readonly args?: readonly JsonValue[] };
}

sharedTest("profiles of the official suite have every unit of its fuel", () => {
  const failures = new Failures(), known = listShared("spec");
  let runs = 0;
  for (const name of SCRIPTS.filter((name) => known.includes(name))) {
    let module: RwasmModule | undefined;
    for (
      const { type, wasm, action } of readShared<{ commands: SpecCommand[] }>(`spec/${name}.json`).commands
    ) {
      if (type === "module") {
        try {
          module = compile(fromBase64(wasm!));
        } catch {
          module = undefined; // it imports what this test does not offer
        }
      }
      if (module === undefined || action?.type !== "invoke" || !/^assert_(return|trap)$/.test(type)) continue;
      if (module.exports.every((entry) => entry.name !== action.field)) continue;
      const start = (options: { tracer?: Profiler | Oracle }) => {
        const store = new RwasmStore({ fuelLimit: 200_000 });
        const outcome = new RwasmExecutor(store, module!, options).call(
          action.field,
          action.args!.map(toValue),
        );
        return { outcome, store: store as unknown as RwasmStore<never> };
      };
      compare(`${name} ${action.field}`, failures, start, ++runs % 5 === 0);
    }
  }
  failures.report();
  assert(runs > 1000, `only ${runs} runs`);
});

Deno.test("profiles of generated programs agree with single steps, stack by stack and charge by charge", () => {
  const failures = new Failures();
  let done = 0;
  for (let seed = 0; seed < 60; seed++) {
    const { wasm, deep } = generateModule(seed, { floats: seed % 2 === 0 });
    // Their recursion is as deep as the stack, and the oracle writes every stack.
    if (deep) continue;
    const linker = new ImportLinker();
    let index = 0;
    const parsed = new WebAssembly.Module(wasm);
    const imports = WebAssembly.Module.imports(parsed);
    if (imports.some(({ kind }) => kind !== "function")) continue;
    let module: RwasmModule;
    try {
      for (const { module, name } of imports) {
        linker.define(module, name, { index: index++, params: [], results: [] }, () => {});
      }
      module = compile(wasm, { linker });
    } catch {
      continue; // an import with a type: the differential campaign has the host for it
    }
    for (const { name, params } of module.exports) {
      const start = (options: { tracer?: Profiler | Oracle }) => {
        const store = new RwasmStore({ linker, fuelLimit: 60_000 });
        const values = params.map((type): Value => type === "i64" ? 5n : type.endsWith("ref") ? null : 5);
        const outcome = new RwasmExecutor(store, module, options).call(name, values);
        return { outcome, store: store as unknown as RwasmStore<never> };
      };
      compare(`seed ${seed} ${name}`, failures, start);
      done++;
    }
  }
  failures.report();
  assert(done >= 40, `only ${done} runs`);
});

/** Runs a function of a module in text under a profiler. */
function profileOf(
  text: string,
  name: string,
  params: readonly Value[] = [],
  linker?: ImportLinker<unknown>,
): { profile: Profile; outcome: Outcome; store: RwasmStore<unknown> } {
  const module = compileWat(text, linker === undefined ? {} : { linker });
  const profiler = new Profiler(), store = new RwasmStore<unknown>(linker === undefined ? {} : { linker });
  const outcome = new RwasmExecutor(store, module, { tracer: profiler }).call(name, params);
  return { profile: profiler.profile(), outcome, store };
}

/** Fuel and calls by stack of names. */
function named({ stacks, functions }: Profile): Record<string, [fuel: bigint, calls: number]> {
  const paths: string[] = [], found: Record<string, [bigint, number]> = {};
  stacks.parents.forEach((parent, node) => {
    const name = node === 0 ? "" : functions[stacks.functions[node]].name;
    paths.push(parent === 0 ? name : `${paths[parent]};${name}`);
    if (stacks.fuel[node] > 0n) found[paths[node]] = [stacks.fuel[node], stacks.calls[node]];
  });
  return found;
}

Deno.test("recursion, direct and by tail calls, is a stack of frames or one frame", () => {
  const { profile } = profileOf(
    `(module
      (func $down (param i32) (if (local.get 0) (then (call $down (i32.sub (local.get 0) (i32.const 1))))))
      (func $around (param i32)
        (if (local.get 0) (then (return_call $around (i32.sub (local.get 0) (i32.const 1))))))
      (func $main (export "main") (call $down (i32.const 2)) (call $around (i32.const 2))))`,
    "main",
  );
  const found = named(profile);
  assertEquals(Object.keys(found), [
    "main",
    "main;down",
    "main;down;down",
    "main;down;down;down",
    "main;around",
  ]);
  assertEquals(found["main;around"][1], 3);
  assertEquals(found["main;down"][1], 1);
  const down = fuelByFunction(profile).find((row) => profile.functions[row.function].name === "down")!;
  assertEquals([down.calls, down.self, down.total], [3, down.self, down.self], "recursion counts once");
});

Deno.test("operators get what the schedule says, and entries the rest", () => {
  const { profile } = profileOf(
    `(module (memory 1)
      (func (export "main") (param i32 i64) (result i32) (local i32)
        (i32.store (i32.const 0) (local.get 0))
        (memory.fill (i32.const 0) (i32.const 1) (i32.const 640))
        (i32.load (i32.const 0))))`,
    "main",
    [7, 1n],
  );
  const rows = fuelByOperator(profile).map(({ operator, count, fuel }) => [operator, count, fuel]);
  assertEquals(rows, [
    ["(instantiate)", 1, 1024n],
    ["memory.fill", 1, 13n], // 3, and 10 for 640 bytes
    ["(function entry)", 1, 5n], // 1, three slots of parameters, one local
    ["i32.const", 5, 5n],
    ["i32.load", 1, 2n],
    ["i32.store", 1, 2n],
    ["local.get", 1, 1n],
  ]);
  const places = fuelByPlace(profile);
  assert(places.every(({ offset, operator }) => offset !== undefined || operator === "(instantiate)"));
  assertEquals(
    places.map(({ offset }) => offset ?? 0),
    places.map(({ offset }) => offset ?? 0).sort((a, b) => a - b),
  );
});

Deno.test("what a host function charges belongs to the stack that called it", () => {
  const linker = new ImportLinker();
  linker.define("env", "work", { index: 1, params: [], results: [] }, (caller) => {
    caller.consumeFuel(2n ** 60n + 1n);
    caller.tryConsumeFuel(10);
  });
  const text = `(module (import "env" "work" (func $work))
    (func $inner (call $work)) (func (export "main") (call $inner) (call $inner)))`;
  const { profile, store } = profileOf(text, "main", [], linker);
  assertEquals(profile.fuel, store.consumedFuel());
  assertEquals(named(profile)["main;inner;work"], [2n * (2n ** 60n + 11n), 2]);
  const host = profile.charges.filter(({ host }) => host);
  assertEquals(host.map(({ fuel }) => fuel), [2n * (2n ** 60n + 11n)]);
  assertEquals(problemsOf(profile, store.consumedFuel()), []);
});

Deno.test("a run that a host function starts is a stack of its own, and what the host charges stays where it was", () => {
  const linker = new ImportLinker<unknown>();
  const executors: RwasmExecutor<unknown>[] = [];
  linker.define("env", "again", { index: 1, params: [], results: [] }, (caller) => {
    caller.consumeFuel(100);
    executors[0].callFunction(1, []);
    caller.consumeFuel(20);
    executors[0].callFunction(2, []); // it traps, which is its outcome
    caller.consumeFuel(3);
  });
  const module = compileWat(
    `(module (import "env" "again" (func $again)) (func $inner nop) (func $broken nop unreachable)
      (func (export "main") (call $again) (call $inner)))`,
    { linker },
  );
  const profiler = new Profiler(), store = new RwasmStore<unknown>({ linker });
  executors.push(new RwasmExecutor(store, module, { tracer: profiler }));
  assertEquals(executors[0].call("main").status, "done");
  const profile = profiler.profile(), found = named(profile);
  assertEquals(found["main;again"], [123n, 1]);
  assertEquals([found["inner"], found["main;inner"], found["broken"]], [[1n, 1], [1n, 1], [1n, 1]]);
  assertEquals(problemsOf(profile, store.consumedFuel()), []);
});

Deno.test("what is charged between runs belongs to the host", () => {
  const profiler = new Profiler(), store = new RwasmStore();
  store.tryConsumeFuel(1000); // before the profiler is there
  const executor = new RwasmExecutor(store, compileWat('(module (func (export "f") nop))'), {
    tracer: profiler,
  });
  executor.call("f");
  store.tryConsumeFuel(7);
  executor.call("f");
  store.tryConsumeFuel(8);
  const profile = profiler.profile();
  assertEquals(named(profile), { "(host)": [15n, 0], f: [2n, 2] });
  assertEquals(problemsOf(profile, store.consumedFuel() - 1000n), []);
});

Deno.test("a host function that resets the counter takes nothing out of the profile", () => {
  const linker = new ImportLinker();
  linker.define("env", "reset", { index: 1, params: [], results: [] }, (caller) => {
    caller.consumeFuel(100);
    caller.resetFuel();
    caller.consumeFuel(5);
  });
  const { profile } = profileOf(
    '(module (import "env" "reset" (func $r)) (func (export "main") (call $r) (call $r)))',
    "main",
    [],
    linker,
  );
  assertEquals(named(profile)["main;r"], [210n, 2]);
});

Deno.test("charges that the driver performs are at their instruction", () => {
  const module = assemble(
    "ConsumeFuel 0x7fffffff\nI32Const 0x7ffffff0\nConsumeFuelStack\nConsumeFuel 3\nReturn",
  );
  const profiler = new Profiler(), store = new RwasmStore();
  const executor = new RwasmExecutor(store, module, { tracer: profiler });
  executor.execute();
  executor.execute();
  const profile = profiler.profile();
  assertEquals(profile.charges.map(({ pc, count, fuel }) => [pc, count, fuel]), [
    [0, 2, 2n * 0x7fffffffn],
    [2, 2, 2n * 0x7ffffff0n],
    [3, 2, 6n],
  ]);
  assertEquals(problemsOf(profile, store.consumedFuel()), []);
});

Deno.test("a run that ends without fuel is in the profile as far as it paid", () => {
  const module = compileWat('(module (func (export "f") (loop (br 0))))');
  for (const limit of [0, 1, 2, 3, 1000, 1001]) {
    const profiler = new Profiler(), store = new RwasmStore({ fuelLimit: limit });
    const outcome = new RwasmExecutor(store, module, { tracer: profiler }).call("f");
    assertEquals(outcome.status, "trap");
    assertEquals(problemsOf(profiler.profile(), store.consumedFuel()), []);
  }
});

Deno.test("paused runs, turns, steps and breakpoints change no profile", async () => {
  const module = compileWat(`(module
    (func $leaf (param i32) (result i32) (i32.mul (local.get 0) (local.get 0)))
    (func (export "f") (param i32) (result i32) (local i32)
      (loop
        (local.set 1 (i32.add (local.get 1) (call $leaf (local.get 0))))
        (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
      (local.get 1)))`);
  const once = (use: (executor: RwasmExecutor, store: RwasmStore) => void | Promise<void>, options = {}) => {
    const profiler = new Profiler(), store = new RwasmStore(options);
    const executor = new RwasmExecutor(store, module, { tracer: profiler, onOutOfFuel: "pause" });
    const finish = () => ({ found: named(profiler.profile()), fuel: store.consumedFuel() });
    const waiting = use(executor, store);
    return waiting === undefined ? finish() : waiting.then(finish);
  };
  const wanted = await once((executor) => void executor.call("f", [50]));
  assertEquals(sum(Object.values(wanted.found).map(([fuel]) => fuel)), wanted.fuel);
  const steps = await once((executor) => {
    let outcome = executor.call("f", [50], { step: true });
    while (outcome.status === "paused") outcome = executor.step();
  });
  assertEquals(steps, wanted, "by steps");
  const turns = await once(async (executor) => {
    await executor.callAsync("f", [50], { sliceFuel: 37 });
  });
  assertEquals(turns, wanted, "by turns");
  const refueled = await once((executor, store) => {
    let outcome = executor.call("f", [50]);
    while (outcome.status === "paused") {
      store.addFuel(9);
      outcome = executor.resume();
    }
  }, { fuelLimit: 10 });
  assertEquals(refueled, wanted, "out of fuel again and again");
});

Deno.test("stacks beyond the bound are told apart by function, and lose nothing", () => {
  const module = compileWat(`(module
    (func $a (param i32) (if (local.get 0) (then (call $b (i32.sub (local.get 0) (i32.const 1))))))
    (func $b (param i32) (if (local.get 0) (then (call $a (i32.sub (local.get 0) (i32.const 1))))))
    (func (export "main") (call $a (i32.const 100))))`);
  const profiler = new Profiler({ stacks: 10 }), store = new RwasmStore();
  new RwasmExecutor(store, module, { tracer: profiler }).call("main");
  const profile = profiler.profile(), found = named(profile);
  assert(profile.stacks.parents.length <= 16);
  assert(found["(more stacks);a"][0] > 0n && found["(more stacks);b"][0] > 0n);
  assertEquals(problemsOf(profile, store.consumedFuel()), []);
  for (const stacks of [0, -1, 1.5, 2 ** 24 + 1, NaN]) {
    assertThrows(() => new Profiler({ stacks }), UsageError, "Cannot make a profiler");
  }
});

Deno.test("a decoded module is profiled by its instructions", () => {
  const compiled = compileWat(
    '(module (func $g) (func (export "main") (call $g) (call $g)))',
    { entrypoint: "main" },
  );
  const module = RwasmModule.decode(compiled.encode());
  const profiler = new Profiler(), store = new RwasmStore();
  new RwasmExecutor(store, module, { tracer: profiler }).execute();
  const profile = profiler.profile();
  assertEquals(problemsOf(profile, store.consumedFuel()), []);
  assertEquals(fuelByOperator(profile).map(({ operator }) => operator), ["ConsumeFuel"]);
  const deepest = Object.keys(named(profile)).sort((a, b) => b.length - a.length)[0];
  assertEquals(deepest.replaceAll(/\d+/g, "n"), "function at n;function at n");
});

Deno.test("functions of the same name are told apart, whatever they are called", () => {
  const { profile } = profileOf(
    `(module (func $a (call $b)) (func $b) (func $c (call $a))
      (func (export "main") (call $c)))`,
    "main",
  );
  assertEquals(profile.functions.slice(-4).map(({ name }) => name), ["a", "b", "c", "main"]);
  const module = compileWat(`(module (func $a) (func $b) (func (export "(host)")))`);
  const names = new Map([[0, "f"], [1, "f"]]);
  const twice = new RwasmModule({ ...module, info: { ...module.info!, functionNames: names } });
  const profiler = new Profiler();
  new RwasmExecutor(new RwasmStore(), twice, { tracer: profiler }).call("(host)");
  const found = profiler.profile().functions.map(({ name }) => name);
  assertEquals(new Set(found).size, found.length);
  assertEquals(found.slice(-3), ["f [0]", "f [1]", "(host) [2]"]);
  assertEquals(found[0], "(host)");
});

Deno.test("one profiler serves several stores and modules", () => {
  const profiler = new Profiler();
  const first = compileWat('(module (func $f (export "f") nop))');
  const second = compileWat('(module (func $g (export "g") nop nop))');
  const stores = [first, second, first].map((module, n) => {
    const store = new RwasmStore();
    new RwasmExecutor(store, module, { tracer: profiler }).call(n === 1 ? "g" : "f");
    return store;
  });
  const profile = profiler.profile();
  assertEquals(profile.modules, [first, second]);
  assertEquals(problemsOf(profile, sum(stores.map((store) => store.consumedFuel()))), []);
  assertEquals(named(profile), { f: [2n, 2], g: [1n, 1] });
});
