/**
 * Snapshots as their callers meet them: what is refused and with which words, what is bound to what,
 * changes since another snapshot, forks, states of plugins, other processes.
 *
 * @module
 */

import { assert, assertEquals, assertInstanceOf, assertStringIncludes, assertThrows } from "@std/assert";
import {
  type Caller,
  compile,
  DEFAULT_LIMITS,
  defineSyscalls,
  ImportLinker,
  inspectSnapshot,
  isSnapshot,
  PluginError,
  RwasmError,
  RwasmExecutor,
  RwasmModule,
  RwasmStore,
  SnapshotError,
  UsageError,
} from "../../mod.ts";
import { finishFile, Kind, startFile } from "../../lib/run/snapshot_file.ts";
import { Writer } from "../../lib/bytes/writer.ts";
import { assembleWat, compileWat } from "../compile/wat.ts";

/** Counts in memory and asks the host now and then. */
const COUNTER = `(module
  (import "env" "ask" (func $ask (param i32) (result i64)))
  (memory (export "memory") 4) (global $g (export "g") (mut i64) (i64.const 7))
  (table 3 funcref) (elem (i32.const 1) func $add)
  (func $add (param i64) (result i64) (global.set $g (i64.add (global.get $g) (local.get 0))) (global.get $g))
  (func (export "ask") (param i32) (result i64) (call $add (call $ask (local.get 0))))
  (func (export "poke") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
  (func (export "peek") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "fill") (param i32 i32) (local $n i32)
    (loop $l (i32.store (i32.add (local.get 0) (local.get $n)) (i32.mul (local.get $n) (i32.const 0x9e3779b1)))
      (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 4))) (local.get 1))))))`;

function asking(name = "ask", index = 1): ImportLinker<undefined> {
  return new ImportLinker<undefined>().define(
    "env",
    name,
    { index, params: ["i32"], results: ["i64"] },
    (caller, x: number) => caller.pause({ asked: x }),
  );
}

const linker = asking();
const module = compile(assembleWat(COUNTER), { linker });

function counter(fuelLimit?: bigint): RwasmExecutor {
  return new RwasmExecutor(new RwasmStore({ linker, fuelLimit }), module);
}

/** A run that waits for the host. */
function waiting(): RwasmExecutor {
  const executor = counter(10_000n);
  executor.call("poke", [70_000, 42]);
  assertEquals(executor.call("ask", [3]).status, "paused");
  return executor;
}

const restore = (bytes: Uint8Array, options: Partial<Parameters<typeof RwasmExecutor.restore>[1]> = {}) =>
  RwasmExecutor.restore<undefined>(bytes, { module, linker, ...options } as never);

/** What is thrown, which must be a `SnapshotError`. */
function refusal(run: () => unknown): SnapshotError {
  const error = assertThrows(run);
  assertInstanceOf(error, SnapshotError);
  return error;
}

Deno.test("a paused run goes on from its snapshot, and the original goes on, too", () => {
  const executor = waiting(), bytes = executor.snapshot(), copy = restore(bytes);
  assertEquals(copy.paused, { status: "paused", reason: "syscall", payload: undefined });
  for (const each of [executor, copy]) {
    assertEquals(each.resume([5n]), { status: "done", results: [12n] });
    assertEquals(each.call("peek", [70_000]), { status: "done", results: [42] });
    assertEquals(each.global("g"), 12n);
  }
  assertEquals(copy.store.consumedFuel(), executor.store.consumedFuel());
  assertEquals(copy.store.remainingFuel(), executor.store.remainingFuel());
  assertThrows(() => copy.resume(), UsageError, "no run of this executor is paused");
});

Deno.test("an idle executor, and one that has run nothing, can be saved", () => {
  const fresh = restore(counter(9999n).snapshot());
  assertEquals(fresh.store.memory.byteLength, 0);
  assertEquals(fresh.call("peek", [70_000]), { status: "done", results: [0] });
  assertEquals(fresh.store.remainingFuel()! < 9999n, true);
  const idle = counter();
  idle.call("poke", [8, 5]);
  assertEquals(restore(idle.snapshot()).call("peek", [8]), { status: "done", results: [5] });
});

Deno.test("a snapshot of a restored run is the same snapshot", () => {
  const bytes = waiting().snapshot();
  assertEquals(restore(bytes).snapshot(), bytes);
});

Deno.test("resuming with wrong results keeps a restored run paused", () => {
  const copy = restore(waiting().snapshot());
  assertThrows(() => copy.resume([]), UsageError, "1 result expected, 0 found");
  assertThrows(() => copy.resume([1.5]), UsageError, "result 0 must be i64");
  assertEquals(copy.resume([1n]).status, "done");
});

Deno.test("inspectSnapshot() tells what a snapshot is of", () => {
  const executor = waiting(), attachment = new TextEncoder().encode("level 3");
  const info = inspectSnapshot(executor.snapshot({ attachment }));
  assertEquals(info, {
    version: 1,
    needsBase: false,
    module: info.module,
    instantiated: true,
    paused: { reason: "syscall", results: ["i64"] },
    consumedFuel: executor.store.consumedFuel(),
    fuelLimit: 10_000n,
    limits: DEFAULT_LIMITS,
    memoryBytes: 4 * 65_536,
    states: [],
    attachment,
  });
  assertEquals(info.module, inspectSnapshot(counter().snapshot()).module);
  assertEquals(inspectSnapshot(counter().snapshot()).instantiated, false);
  assert(isSnapshot(executor.snapshot()) && !isSnapshot(module.encode()) && !isSnapshot(new Uint8Array(3)));
  for (const other of [undefined, null, 5, "RWSNAP", []]) assert(!isSnapshot(other as unknown as Uint8Array));
});

const good = waiting().snapshot();

/** Damaged files, and what is said about them. */
const DAMAGED: readonly (readonly [name: string, make: () => unknown, code: string, text: string])[] = [
  ["something else", () => module.encode(), "NotASnapshot", "does not begin as a snapshot does"],
  ["no bytes", () => new Uint8Array(0), "Truncated", "the file ends after 0 bytes"],
  ["no array", () => "snapshot", "NotASnapshot", "a snapshot is a Uint8Array"],
  ["what was transferred", () => transferred(good.slice()), "NotASnapshot", "and are gone"],
  [
    "a part of what was transferred",
    () => transferred(good.slice().subarray(9)),
    "NotASnapshot",
    "and are gone",
  ],
  ["a proxy of bytes", () => new Proxy(good, {}), "NotASnapshot", "a snapshot is a Uint8Array"],
  ["a header", () => good.slice(0, 40), "Truncated", "the file ends after 40 bytes"],
  ["half a file", () => good.slice(0, 300), "Truncated", `after 300 of ${good.length} bytes`],
  ["a file with more behind it", () => Uint8Array.from([...good, 0]), "Corrupt", "its checksum is wrong"],
  ["a later version", () => good.with(8, 2), "WrongVersion", "version 2, this library reads 1"],
  ["a changed byte", () => good.with(200, good[200]! ^ 1), "Corrupt", "its checksum is wrong"],
  ["a changed checksum", () => good.with(30, good[30]! ^ 1), "Corrupt", "its checksum is wrong"],
  ["another kind", () => signed(good, 9), "Corrupt", "a snapshot of kind 9 does not exist"],
];

function transferred(bytes: Uint8Array<ArrayBuffer>): Uint8Array {
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
}

function signed(bytes: Uint8Array, kind: number = Kind.Full): Uint8Array {
  const writer = new Writer(bytes.length);
  writer.block(bytes);
  return finishFile(writer, kind);
}

for (const [name, make, code, text] of DAMAGED) {
  Deno.test(`${name} is refused as ${code}`, () => {
    const error = refusal(() => restore(make() as Uint8Array));
    assertEquals(error.code, code);
    assertStringIncludes(error.message, `Cannot restore: `);
    assertStringIncludes(error.message, text);
    assertEquals(refusal(() => inspectSnapshot(make() as Uint8Array)).code, code);
  });
}

Deno.test("a snapshot wants its module", () => {
  const decoded = RwasmModule.decode(module.encode());
  const others = [
    decoded,
    compileWat(COUNTER.replace("const 7", "const 8"), { linker }),
    compileWat(COUNTER, {
      linker,
      consumeFuel: false,
    }),
  ];
  for (const module of others) assertEquals(refusal(() => restore(good, { module })).code, "WrongModule");
  // The same source compiled again is the same module.
  assertEquals(
    restore(good, { module: compile(assembleWat(COUNTER), { linker }) }).resume([1n]).status,
    "done",
  );
});

Deno.test("a snapshot wants its host functions, and says what differs", () => {
  const renamed = asking("tell"),
    retyped = new ImportLinker<undefined>()
      .define("env", "ask", { index: 1, params: ["i32"], results: ["i32"] }, () => 1);
  const cases = [
    [renamed, 'host function 1 was "env"."ask"(i32) -> (i64), the linker has "env"."tell"(i32) -> (i64)'],
    [retyped, 'the linker has "env"."ask"(i32) -> (i32)'],
    [asking("ask", 2), "the linker has nothing"],
    [undefined, "the linker has nothing"],
  ] as const;
  for (const [linker, text] of cases) {
    const error = refusal(() => restore(good, { linker } as never));
    assertEquals(error.code, "WrongLinker");
    assertStringIncludes(error.message, text);
  }
  const more = asking().define("env", "other", { index: 9, params: [], results: [] }, () => {});
  assertEquals(restore(good, { linker: more } as never).resume([1n]).status, "done");
});

Deno.test("limits are those of the snapshot, unless the host names others; a file cannot ask for more than the default", () => {
  const small = new RwasmExecutor(
    new RwasmStore({ linker, limits: { memoryPages: 9, callDepth: 50 } }),
    module,
  );
  small.call("poke", [4, 4]);
  const bytes = small.snapshot();
  assertEquals(restore(bytes).store.limits, { ...DEFAULT_LIMITS, memoryPages: 9, callDepth: 50 });
  assertEquals(restore(bytes, { limits: { memoryPages: 6 } }).store.limits.memoryPages, 6);
  const narrow = refusal(() => restore(bytes, { limits: { memoryPages: 3 } }));
  assertEquals(narrow.code, "LimitTooSmall");
  assertStringIncludes(narrow.message, "the snapshot has 4 pages of memory");
  assertStringIncludes(narrow.message, "limits.memoryPages is 3");
  assertEquals(refusal(() => restore(bytes, { limits: { tables: 0 } })).code, "LimitTooSmall");
  assertEquals(refusal(() => restore(bytes, { limits: { tableElements: 2 } })).code, "LimitTooSmall");
  const wide = new RwasmExecutor(new RwasmStore({ linker, limits: { memoryPages: 20_000 } }), module)
    .snapshot();
  const refused = refusal(() => restore(wide));
  assertEquals(refused.code, "LimitTooSmall");
  assertStringIncludes(refused.message, "its run has limits.memoryPages 20000");
  assertEquals(restore(wide, { limits: { memoryPages: 20_000 } }).store.limits.memoryPages, 20_000);
  assertThrows(() => restore(wide, { limits: { memoryPages: -1 } }), UsageError, "memoryPages");
});

Deno.test("a snapshot since another one is small, and wants that one", () => {
  const executor = counter();
  executor.call("fill", [0, 200_000]);
  const base = executor.snapshot();
  executor.call("poke", [100_000, 1]);
  executor.call("ask", [1]);
  const change = executor.snapshot({ since: base });
  assert(base.length > 100_000 && change.length < 7000, `${base.length} and ${change.length} bytes`);
  const copy = restore(change, { base });
  assertEquals(copy.store.memory.view(), executor.store.memory.view());
  assertEquals(copy.resume([1n]), { status: "done", results: [8n] });
  assertEquals(inspectSnapshot(change).needsBase, true);

  assertEquals(refusal(() => restore(change)).code, "BaseMissing");
  assertEquals(refusal(() => restore(change, { base: good })).code, "WrongBase");
  assertEquals(refusal(() => restore(change, { base: change })).code, "WrongBase");
  assertEquals(refusal(() => restore(change, { base: base.with(500, 1) })).code, "Corrupt");
  assertEquals(refusal(() => executor.snapshot({ since: change })).code, "WrongBase");
  assertEquals(refusal(() => executor.snapshot({ since: base.with(500, 1) })).code, "Corrupt");
  const other = compileWat(`(module (memory 1))`);
  const foreign = new RwasmExecutor(new RwasmStore(), other);
  assertEquals(refusal(() => foreign.snapshot({ since: base })).code, "WrongModule");
});

Deno.test("a change that says it is whole, and a whole that wants a base, are refused", () => {
  const executor = counter();
  executor.call("fill", [0, 100_000]);
  const base = executor.snapshot(), change = executor.snapshot({ since: base });
  // Without the base's digest in its head, a change reads as another module or a damaged head.
  assertInstanceOf(refusal(() => restore(signed(change, Kind.Full))), SnapshotError);
  assertInstanceOf(refusal(() => restore(signed(base, Kind.Change), { base })), SnapshotError);
});

Deno.test("a fork and its original go on without each other", () => {
  const executor = waiting(), fork = executor.fork();
  assertEquals(fork.resume([100n]), { status: "done", results: [107n] });
  assertEquals(executor.resume([1n]), { status: "done", results: [8n] });
  fork.call("poke", [70_000, 1]);
  assertEquals(executor.call("peek", [70_000]), { status: "done", results: [42] });
  assertEquals(fork.call("peek", [70_000]), { status: "done", results: [1] });
  const data = new RwasmStore<{ n: number }>({ data: { n: 1 } });
  const idle = new RwasmExecutor(data, compileWat(`(module (func (export "f") (result i32) i32.const 4))`));
  assertEquals(idle.fork().store.data, { n: 1 });
  assertEquals(idle.fork({ data: { n: 2 } }).store.data, { n: 2 });
});

Deno.test("nothing is saved or copied at the wrong moment", () => {
  const seen: unknown[] = [];
  const early = new ImportLinker<undefined>().define(
    "env",
    "f",
    { index: 1, params: [], results: [] },
    () => {
      for (const attempt of [() => executor.snapshot(), () => executor.fork()]) {
        seen.push(assertThrows(attempt, UsageError).code);
      }
    },
  );
  const wat = `(module (import "env" "f" (func $f)) (func (export "main") (call $f)))`;
  const store = new RwasmStore({ linker: early }),
    executor = new RwasmExecutor(store, compileWat(wat, { linker: early }));
  assertEquals(executor.call("main").status, "done");
  assertEquals(seen, ["Reentrant", "Reentrant"]);

  const shared = new RwasmStore({ linker }), first = new RwasmExecutor(shared, module);
  first.instantiate();
  const second = new RwasmExecutor(shared, module);
  second.call("ask", [1]);
  assertEquals(assertThrows(() => first.snapshot(), UsageError).code, "Paused");
  second.resume([1n]);
  assertEquals(assertThrows(() => first.snapshot(), UsageError).code, "StaleInstance");
  second[Symbol.dispose]();
  assertEquals(assertThrows(() => second.snapshot(), UsageError).code, "Disposed");
});

Deno.test("arguments that make no sense are usage errors", () => {
  const executor = counter();
  assertEquals(assertThrows(() => executor.snapshot(null as never), UsageError).code, "InvalidOptions");
  assertEquals(
    assertThrows(() => executor.snapshot({ attachment: "text" as never }), UsageError).code,
    "InvalidOptions",
  );
  assertEquals(
    assertThrows(() => RwasmExecutor.restore(good, undefined as never), UsageError).code,
    "InvalidOptions",
  );
  assertEquals(assertThrows(() => restore(good, { module: 1 as never }), UsageError).code, "InvalidModule");
  assertEquals(assertThrows(() => restore(good, { linker: {} as never }), UsageError).code, "InvalidLinker");
  assertEquals(assertThrows(() => executor.fork(1 as never), UsageError).code, "InvalidOptions");
  assertEquals(
    assertThrows(() => executor.fork({ engine: "fast" as never }), UsageError).code,
    "UnknownEngine",
  );
});

// ── pauses of every kind ────────────────────────────────────────────────────────────────────────

Deno.test("every reason to pause survives", () => {
  const spin = compileWat(`(module (func (export "main") (param i32) (result i32)
    (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 0)))`);
  const fresh = (fuelLimit?: bigint) =>
    new RwasmExecutor(new RwasmStore({ fuelLimit }), spin, { onOutOfFuel: "pause" });
  const pause: Readonly<Record<string, (executor: RwasmExecutor) => void>> = {
    fuel: (executor) => {
      executor.store.resetFuel(40n);
      executor.call("main", [50]);
    },
    step: (executor) => void executor.call("main", [50], { step: true }),
    deadline: (executor) => void executor.call("main", [50], { timeoutMs: 0 }),
    abort: (executor) => void executor.call("main", [50], { signal: AbortSignal.abort("enough") }),
    breakpoint: (executor) => {
      executor.instantiate();
      executor.addBreakpoint({ function: "main" });
      executor.call("main", [50]);
    },
  };
  for (const [reason, make] of Object.entries(pause)) {
    const executor = fresh();
    make(executor);
    assertEquals(executor.paused?.reason, reason);
    const copy = RwasmExecutor.restore(executor.snapshot(), { module: spin, onOutOfFuel: "pause" });
    assertEquals(copy.paused?.reason, reason);
    if (copy.paused?.reason === "fuel") {
      assertEquals(copy.paused, executor.paused);
      copy.store.addFuel(1000);
    }
    assertEquals(copy.resume(), { status: "done", results: [0] }, reason);
  }
});

Deno.test("an asynchronous run can be saved while it waits its turn, and while it waits for its host", async () => {
  const wat = `(module (import "env" "later" (func $later (param i32) (result i32)))
    (func (export "main") (param i32) (result i32)
      (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
      (call $later (local.get 0))))`;
  const linker = new ImportLinker<undefined>().define(
    "env",
    "later",
    { index: 1, params: ["i32"], results: ["i32"], async: true },
    async (_caller, x: number) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return x + 9;
    },
  );
  const module = compileWat(wat, { linker }), store = new RwasmStore({ linker });
  const executor = new RwasmExecutor(store, module);
  const run = executor.callAsync("main", [400_000], { sliceFuel: 200_000 });
  await new Promise((resolve) => setTimeout(resolve));
  const turn = executor.snapshot();
  while (inspectSnapshot(executor.snapshot()).paused?.reason === "step") {
    await new Promise((resolve) => setTimeout(resolve));
  }
  const asked = executor.snapshot();
  assertEquals(await run, { status: "done", results: [9] });
  assertEquals(inspectSnapshot(turn).paused, { reason: "step", results: [] });
  assertEquals(await RwasmExecutor.restore(turn, { module, linker }).resumeAsync(), {
    status: "done",
    results: [9],
  });
  assertEquals(inspectSnapshot(asked).paused, { reason: "syscall", results: ["i32"] });
  assertEquals(RwasmExecutor.restore(asked, { module, linker }).resume([3]), {
    status: "done",
    results: [3],
  });
});

// ── states of plugins ───────────────────────────────────────────────────────────────────────────

/** A plugin that counts its calls in a place of its own. */
function countingPlugin() {
  let count = 0;
  return defineSyscalls({
    module: "count",
    functions: {
      next: {
        index: 5,
        params: [],
        results: ["i32"],
        call: (caller: Caller<{ seed: number }>) => caller.data.seed + count++,
      },
    },
    state: {
      save: () => Uint8Array.of(count),
      restore(_store, bytes) {
        if (bytes.length !== 1) throw new Error("that is no count");
        count = bytes[0]!;
      },
    },
  });
}

const NEXT =
  `(module (import "count" "next" (func $n (result i32))) (func (export "next") (result i32) (call $n)))`;

Deno.test("plugins save and restore what they keep", () => {
  const make = () => new ImportLinker<{ seed: number }>().use(countingPlugin());
  const linker = make(), module = compileWat(NEXT, { linker });
  const executor = new RwasmExecutor(new RwasmStore({ linker, data: { seed: 10 } }), module);
  for (const expected of [10, 11, 12]) {
    assertEquals(executor.call("next"), { status: "done", results: [expected] });
  }
  const bytes = executor.snapshot();
  assertEquals(inspectSnapshot(bytes).states, ["count"]);
  const copy = RwasmExecutor.restore(bytes, { module, linker: make(), data: { seed: 20 } });
  assertEquals(copy.call("next"), { status: "done", results: [23] });
  const fork = executor.fork({ linker: make() });
  assertEquals(fork.call("next"), { status: "done", results: [13] });
  assertEquals(executor.call("next"), { status: "done", results: [13] });
});

Deno.test("a state without its plugin, and plugins that fail, are told", () => {
  const make = () => new ImportLinker<{ seed: number }>().use(countingPlugin());
  const linker = make(), module = compileWat(NEXT, { linker }), data = { seed: 0 };
  const bytes = new RwasmExecutor(new RwasmStore({ linker, data }), module).snapshot();
  const stateless = { ...countingPlugin(), state: undefined };
  const { state: _, ...without } = stateless;
  const error = refusal(() =>
    RwasmExecutor.restore(bytes, { module, data, linker: new ImportLinker<{ seed: number }>().use(without) })
  );
  assertEquals(error.code, "WrongLinker");
  assertStringIncludes(error.message, 'there is state of "count"');

  const failing = (state: unknown) => {
    const plugin = { ...countingPlugin(), state } as never;
    return new ImportLinker<{ seed: number }>().use(plugin);
  };
  const throws = () => {
    throw new Error("out of paper");
  };
  const saves = [[throws, "out of paper"], [() => "text", "save() must return a Uint8Array"]] as const;
  for (const [save, text] of saves) {
    const store = new RwasmStore({ linker: failing({ save, restore() {} }), data });
    const error = assertThrows(() => new RwasmExecutor(store, module).snapshot(), PluginError, text);
    assertEquals(error.code, "StateNotSaved");
  }
  const broken = failing({ name: "count", save: () => new Uint8Array(0), restore: throws });
  const refused = assertThrows(
    () => RwasmExecutor.restore(bytes, { module, data, linker: broken }),
    PluginError,
  );
  assertEquals([refused.code, (refused.cause as Error).message], ["StateNotRestored", "out of paper"]);
});

Deno.test("a plugin's state is checked when the plugin is used", () => {
  const use = (state: unknown) => new ImportLinker().use({ module: "m", functions: {}, state } as never);
  const cases: readonly (readonly [state: unknown, text: string])[] = [
    [1, `"state" must be an object with save and restore, not 1`],
    [{ save() {} }, `"state.restore" must be a function`],
    [{ restore() {} }, `"state.save" must be a function`],
    [{ save() {}, restor() {}, restore: undefined }, "must be a function"],
    [{ save() {}, restore() {}, name: 7 }, `"name" of a state`],
  ];
  for (const [state, text] of cases) assertThrows(() => use(state), PluginError, text);
  const state = { name: "same", save: () => new Uint8Array(0), restore() {} };
  const linker = use(state);
  linker.use({ module: "other", functions: {}, state }); // the same object is the same state
  const twice = { ...state };
  assertEquals(
    assertThrows(() => linker.use({ module: "third", functions: {}, state: twice }), PluginError).code,
    "DuplicateState",
  );
});

// ── elsewhere ───────────────────────────────────────────────────────────────────────────────────

Deno.test("a snapshot taken in one process resumes in another, from another working directory, without permissions", async () => {
  const here = new URL("../../mod.ts", import.meta.url).href;
  const script = (body: string) =>
    `import { compile, ImportLinker, RwasmExecutor, RwasmStore } from "${here}";
     const wasm = Uint8Array.fromBase64("${assembleWat(COUNTER).toBase64()}");
     const linker = new ImportLinker().define("env", "ask", { index: 1, params: ["i32"], results: ["i64"] }, (caller) => caller.pause());
     const module = compile(wasm, { linker });
     ${body}`;
  const run = async (body: string, cwd: string): Promise<string> => {
    const file = `${cwd}/script.ts`;
    await Deno.writeTextFile(file, script(body));
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--no-config", "--no-remote", "--no-check", file],
      cwd,
      env: { NO_COLOR: "1" },
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout).trim();
  };
  const [one, two] = [await Deno.makeTempDir(), await Deno.makeTempDir()];
  try {
    const bytes = await run(
      `const executor = new RwasmExecutor(new RwasmStore({ linker, fuelLimit: 9_999_999n }), module);
       executor.call("fill", [1000, 90000]); executor.call("ask", [4]);
       console.log(executor.snapshot().toBase64());`,
      one,
    );
    const body =
      `const executor = RwasmExecutor.restore(Uint8Array.fromBase64("${bytes}"), { module, linker });
      console.log(executor.resume([35n]).results[0], executor.call("peek", [5000]).results[0], executor.store.consumedFuel());`;
    const here = counter(9_999_999n);
    here.call("fill", [1000, 90000]);
    here.call("ask", [4]);
    const [asked, peeked] = [here.resume([35n]), here.call("peek", [5000])];
    if (asked.status !== "done" || peeked.status !== "done") throw new Error("it did not end");
    assertEquals(
      await run(body, two),
      `${asked.results[0]}n ${peeked.results[0]} ${here.store.consumedFuel()}n`,
    );
  } finally {
    await Deno.remove(one, { recursive: true });
    await Deno.remove(two, { recursive: true });
  }
});

Deno.test("a memory of 1 GiB that is almost empty makes a small snapshot, soon", () => {
  const wide = compileWat(`(module (memory (export "memory") 16384)
    (func (export "poke") (param i32 i32) (i32.store (local.get 0) (local.get 1))))`);
  const executor = new RwasmExecutor(new RwasmStore(), wide);
  executor.call("poke", [2 ** 30 - 4096, 77]);
  const bytes = executor.snapshot();
  assert(bytes.length < 2000, `${bytes.length} bytes`);
  const copy = RwasmExecutor.restore(bytes, { module: wide });
  assertEquals(new DataView(copy.store.memory.read(2 ** 30 - 4096, 4).buffer).getUint32(0, true), 77);
});

Deno.test("a small file that claims or unpacks to much is refused, soon", () => {
  const { zstdCompressSync } = globalThis.process.getBuiltinModule("node:zlib");
  const bomb = zstdCompressSync(new Uint8Array(256 * 1024 * 1024));
  const file = (claimed: number) => {
    const writer = startFile();
    writer.u32(claimed);
    writer.u8(1);
    writer.u32(bomb.length);
    writer.block(bomb);
    return finishFile(writer, Kind.Full);
  };
  const began = performance.now();
  for (const [claimed, text] of [[100, "is damaged"], [2 ** 32 - 1, "larger than what it is for"]] as const) {
    const error = refusal(() => restore(file(claimed)));
    assertEquals(error.code, "Corrupt");
    assertStringIncludes(error.message, text);
  }
  assert(bomb.length < 20_000 && performance.now() - began < 1000);
});

Deno.test("errors of snapshots are of the one family", () => {
  assertInstanceOf(refusal(() => restore(new Uint8Array(100))), RwasmError);
  assertEquals(refusal(() => restore(new Uint8Array(100))).name, "SnapshotError");
});
