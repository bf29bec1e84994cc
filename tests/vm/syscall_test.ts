/**
 * Host functions: what they get, what they may return, how they end a run, and what happens when
 * they misbehave. Whatever a plugin does, the run ends with an outcome and the store stays usable.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertStrictEquals, assertThrows } from "@std/assert";
import { PluginError, RwasmError, Trap, UsageError, VerifyError } from "../../lib/error.ts";
import { ImportLinker } from "../../lib/plugin/linker.ts";
import type { Caller, SyscallFunction, Value } from "../../lib/plugin/plugin.ts";
import { RwasmExecutor } from "../../lib/run/executor.ts";
import { runUnverified } from "../../lib/run/prepared.ts";
import type { Outcome } from "../../lib/vm/outcome.ts";
import { RwasmStore } from "../../lib/vm/store.ts";
import { explained, program, setUp, show, signature } from "./notation.ts";

/** Calls one host function of a type such as "i32 -> i64" with its parameters, and ends with its results. */
function callHost(type: string, params: readonly Value[], call: SyscallFunction<unknown>): Outcome {
  return setUp("Call 1, Return", { hosts: [[type, call]] }).executor.execute(params, signature(type));
}

Deno.test("a host function gets its arguments in the API's types, and its results come back unchanged", () => {
  const type = "i32 i64 f32 f64 funcref externref -> externref funcref f64 f32 i64 i32";
  // deno-fmt-ignore
  const rows: readonly (readonly Value[])[] = [
    [-1, -(2n ** 63n), 1.5, 1e300, 7, 0],
    [2 ** 31 - 1, 2n ** 63n - 1n, -0, -Infinity, 2 ** 32 - 1, 2 ** 32 - 2],
    [0, 0n, NaN, NaN, null, null],
  ];
  for (const row of rows) {
    let seen: unknown[] = [];
    const outcome = callHost(type, row, (_caller, ...args) => {
      seen = args;
      return [...args].reverse();
    });
    assertEquals(seen, [...row]);
    assertEquals(outcome, { status: "done", results: [...row].reverse() });
  }
});

Deno.test("unsigned integers are accepted and read back signed", () => {
  const outcome = callHost(
    "i32 i64 -> i32 i64",
    [2 ** 32 - 1, 2n ** 64n - 1n],
    () => [2 ** 32 - 2, 2n ** 64n - 2n],
  );
  assertEquals(show(outcome), "done -2 -2n");
});

Deno.test("an f32 result is rounded, and every NaN arrives as the canonical one", () => {
  assertEquals(show(callHost("-> f32", [], () => 0.1)), `done ${Math.fround(0.1)}`);
  const { executor } = setUp("Call 1, Return", { hosts: [["-> f64", () => NaN]] });
  assertEquals(show(executor.execute([], signature("-> i64"))), `done ${0x7ff8000000000000n}n`);
});

interface Refusal {
  readonly type: string;
  readonly returned: unknown;
  readonly detail: RegExp;
}

const thenable = { then: (done: (value: number) => void) => done(1) };

// deno-fmt-ignore
const REFUSALS: readonly Refusal[] = [
  { type: "->", returned: 1, detail: /must return nothing \(undefined\), not the number 1/ },
  { type: "->", returned: null, detail: /must return nothing \(undefined\), not null/ },
  { type: "-> i32", returned: undefined, detail: /must return i32 .* not undefined/ },
  { type: "-> i32", returned: [1], detail: /must return i32 .* not an array/ },
  { type: "-> i32", returned: 1n, detail: /must return i32 .* not the bigint 1n/ },
  { type: "-> i32", returned: 1.5, detail: /not the number 1.5/ },
  { type: "-> i32", returned: NaN, detail: /not the number NaN/ },
  { type: "-> i32", returned: 2 ** 32, detail: /not the number 4294967296/ },
  { type: "-> i32", returned: -(2 ** 31) - 1, detail: /not the number -2147483649/ },
  { type: "-> i32", returned: "1", detail: /not the string "1"/ },
  { type: "-> i32", returned: true, detail: /not the boolean true/ },
  { type: "-> i32", returned: Symbol("1"), detail: /not a symbol/ },
  { type: "-> i32", returned: Object(1), detail: /not an object/ },
  { type: "-> i64", returned: 1, detail: /must return i64 .* not the number 1/ },
  { type: "-> i64", returned: 2n ** 64n, detail: /not the bigint 18446744073709551616n/ },
  { type: "-> i64", returned: -(2n ** 63n) - 1n, detail: /not the bigint -9223372036854775809n/ },
  { type: "-> i64", returned: 2n ** 5000n, detail: /not a bigint of more than 65 bits/ },
  { type: "-> f64", returned: "1", detail: /must return f64 \(a number\), not the string "1"/ },
  { type: "-> f32", returned: 1n, detail: /must return f32/ },
  { type: "-> funcref", returned: -1, detail: /must return funcref/ },
  { type: "-> externref", returned: 2 ** 32 - 1, detail: /must return externref/ },
  { type: "-> i32 i64", returned: [1], detail: /must return an array of 2 values, not an array of 1 value/ },
  { type: "-> i32 i64", returned: [1, 2n, 3], detail: /must return an array of 2 values, not an array of more than 2 values/ },
  { type: "-> i32 i64", returned: 5, detail: /must return an array of 2 values, not the number 5/ },
  { type: "-> i32 i64", returned: [1, 2], detail: /must return i64 .* as result 1, not the number 2/ },
  { type: "-> i32", returned: thenable, detail: /returned a promise/ },
];

for (const { type, returned, detail } of REFUSALS) {
  Deno.test(`a result that is no "${type}" is BadSignature: ${detail.source}`, () => {
    const outcome = callHost(type, [], () => returned);
    assertEquals(show(outcome), "trap BadSignature");
    assertMatch(explained(outcome), detail);
    assertMatch(explained(outcome), /host function "env"\."f1" of define\(\)/);
  });
}

Deno.test("a promise is refused, and its rejection does not end the process", async () => {
  const outcome = callHost("->", [], () => Promise.reject(new Error("nobody waits for this")));
  assertEquals(show(outcome), "trap BadSignature");
  // An unhandled rejection would fail this test when the queue of promises runs empty.
  await new Promise((resolve) => setTimeout(resolve, 0));
});

const ENDS: readonly (readonly [string, string, (caller: Caller) => unknown])[] = [
  ["pauses", "paused", (caller) => caller.pause()],
  ["halts", "done", (caller) => caller.halt()],
  ["traps", "trap IntegerOverflow", (caller) => caller.trap("IntegerOverflow")],
  ["runs out of fuel", "trap OutOfFuel", (caller) => caller.consumeFuel(100)],
  ["reads outside", "trap MemoryOutOfBounds", (caller) => caller.memory.read(0, 1)],
];

for (const [what, ending, act] of ENDS) {
  Deno.test(`an async function that ${what} ends as ${ending}, and its promise is looked after`, async () => {
    const call = async (caller: Caller) => await act(caller);
    const { executor } = setUp("Call 1, Return", { hosts: [["->", call as never]], fuelLimit: 10 });
    assertEquals(show(executor.execute()), ending);
    await new Promise((resolve) => setTimeout(resolve, 0));
  });
}

Deno.test("a promise is not asked for its own catch or then more than once", async () => {
  let asked = 0;
  class Watched extends Promise<void> {
    override catch(): never {
      throw new Error(`asked ${++asked} times`);
    }
  }
  assertEquals(show(callHost("->", [], () => Watched.reject(new Error("x")))), "trap BadSignature");
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(asked, 0);
});

Deno.test("a trap tells the host function it happened in as data", () => {
  const origin = { module: "env", name: "f1", plugin: "define()" };
  const acts: readonly (readonly [string, (caller: Caller) => unknown])[] = [
    ["BadSignature", () => "text"],
    ["HostError", () => {
      throw 1;
    }],
    ["IntegerOverflow", (caller) => caller.trap("IntegerOverflow")],
    ["OutOfFuel", (caller) => caller.consumeFuel(100)],
    ["MemoryOutOfBounds", (caller) => caller.memory.read(0, 1)],
  ];
  for (const [code, act] of acts) {
    const { executor } = setUp("Call 1, Return", { hosts: [["->", act as never]], fuelLimit: 10 });
    const outcome = executor.execute();
    assert(outcome.status === "trap");
    assertEquals([outcome.trap.code, outcome.trap.syscall], [code, origin]);
  }
  const own = setUp("Unreachable").executor.execute();
  assert(own.status === "trap");
  assertStrictEquals(own.trap.syscall, undefined);
});

const PERMISSIONS: readonly (readonly [message: string, hint: string | undefined])[] = [
  [
    'Requires read access to "/etc/hosts", run again with the --allow-read flag',
    "run deno with --allow-read=/etc/hosts",
  ],
  [
    'Requires net access to "example.com:443", run again with the --allow-net flag',
    "run deno with --allow-net=example.com:443",
  ],
  ["Requires read access to <CWD>, run again with the --allow-read flag", "run deno with --allow-read"],
  ['Requires read access to "<TMP>", run again with the --allow-read flag', "run deno with --allow-read"],
  ["something else", undefined],
];

for (const [message, hint] of PERMISSIONS) {
  Deno.test(`a host function without permission hints: ${hint}`, () => {
    const outcome = callHost("->", [], () => {
      throw new Deno.errors.NotCapable(message);
    });
    assert(outcome.status === "trap");
    assertEquals([outcome.trap.code, outcome.trap.hint], ["HostError", hint]);
  });
}

Deno.test("only what Deno throws for a permission hints at one", () => {
  const text = 'Requires read access to "/x", run again with the --allow-read flag';
  for (const thrown of [new Error(text), text, { name: "NotCapable", message: text }]) {
    const outcome = callHost("->", [], () => {
      throw thrown;
    });
    assertEquals(outcome.status === "trap" && outcome.trap.hint, undefined);
  }
});

Deno.test("what a host function throws becomes a HostError with plugin, function and cause", () => {
  const cause = new TypeError("no such key");
  const linker = new ImportLinker();
  linker.use({
    module: "kv",
    name: "store",
    functions: {
      get: {
        index: 1,
        params: [],
        results: [],
        call: () => {
          throw cause;
        },
      },
    },
  });
  const outcome = new RwasmExecutor(new RwasmStore<unknown>({ linker }), program("Call 1, Return")).execute();
  assert(outcome.status === "trap");
  assertEquals(outcome.trap.code, "HostError");
  assertStrictEquals(outcome.trap.cause, cause);
  assertMatch(
    outcome.trap.message,
    /host function "kv"\."get" of plugin "store" threw "TypeError: no such key"/,
  );
});

const hostile = new Proxy({}, {
  get() {
    throw new Error("get");
  },
  getPrototypeOf() {
    throw new Error("getPrototypeOf");
  },
});
const { proxy: revoked, revoke } = Proxy.revocable({}, {});
revoke();

for (
  const [name, thrown] of Object.entries({
    nothing: undefined,
    text: "text\n\x1b[31m",
    hostile,
    revoked,
    symbol: Symbol(),
  })
) {
  Deno.test(`a host function may throw anything (${name}); the run ends and the text is safe to print`, () => {
    const outcome = callHost("->", [], () => {
      throw thrown;
    });
    assertEquals(show(outcome), "trap HostError");
    // deno-lint-ignore no-control-regex -- control characters are what must not be there
    assert(!/[\x00-\x09\x0b-\x1f]/.test(explained(outcome)));
  });
  Deno.test(`a host function may return anything (${name})`, () => {
    const ending = show(callHost("-> i32 i32", [], () => thrown));
    assert(ending === "trap BadSignature" || ending === "trap HostError", ending);
  });
}

Deno.test("a getter that throws in returned results is a HostError", () => {
  const values = new Proxy([1, 2], {
    get(target, key) {
      if (key === "1") throw new RangeError("raw");
      return Reflect.get(target, key);
    },
  });
  assertEquals(show(callHost("-> i32 i32", [], () => values)), "trap HostError");
});

// ── how a host function ends the run ────────────────────────────────────────────────────────────

const MEMORY = "C 1, MemoryGrow, Drop, Call 1, Return";

// deno-fmt-ignore
const ENDINGS: readonly (readonly [what: string, use: (caller: Caller) => unknown, ending: string])[] = [
  ["pause", (caller) => caller.pause(), "paused"],
  ["halt", (caller) => caller.halt(), "done 0"],
  ["trap", (caller) => caller.trap("IntegerOverflow"), "trap IntegerOverflow"],
  ["trap ExecutionHalted", (caller) => caller.trap("ExecutionHalted"), "done 0"],
  ["trap InterruptionCalled", (caller) => caller.trap("InterruptionCalled"), "paused"],
  ["consumeFuel", (caller) => caller.consumeFuel(1000), "trap OutOfFuel"],
  ["memory.read", (caller) => caller.memory.read(65530, 7), "trap MemoryOutOfBounds"],
  ["memory.read of a negative pointer", (caller) => caller.memory.read(-4, 4), "trap MemoryOutOfBounds"],
  ["memory.read of a negative length", (caller) => caller.memory.read(4, -4), "trap MemoryOutOfBounds"],
  ["memory.read of 2^53 bytes", (caller) => caller.memory.read(2 ** 52, 2 ** 52), "trap MemoryOutOfBounds"],
  ["memory.write", (caller) => caller.memory.write(65536, Uint8Array.of(1)), "trap MemoryOutOfBounds"],
];

for (const [what, use, ending] of ENDINGS) {
  Deno.test(`${what} ends the run as ${ending}, whether or not the plugin swallows it`, () => {
    for (const swallow of [false, true]) {
      const call = (caller: Caller) => {
        try {
          use(caller);
        } catch (error) {
          assert(error instanceof RwasmError && error.code === "CallEnded", String(error));
          if (!swallow) throw error;
          // What comes after the end has no effect any more, not even another ending.
          for (const [, later] of ENDINGS) {
            assertThrows(() => later(caller), RwasmError, "the call has ended");
          }
        }
        return 5;
      };
      const { executor, store } = setUp(MEMORY, { hosts: [["-> i32", call]], fuelLimit: 10 });
      assertEquals(show(executor.execute([], signature("-> i32"))), ending);
      assertEquals(store.consumedFuel(), 0n);
      // The store goes on working.
      if (ending === "paused") assertEquals(show(executor.resume([5])), "done 5");
      assertEquals(new Uint8Array(store.memory.read(0, 4)), new Uint8Array(4));
    }
  });
}

Deno.test("an unknown trap name is a mistake of the plugin", () => {
  const outcome = callHost("->", [], (caller) => caller.trap("Nonsense" as never));
  assert(outcome.status === "trap");
  assertEquals(outcome.trap.code, "HostError");
  assertEquals((outcome.trap.cause as PluginError).code, "UnknownTrap");
});

Deno.test("a caller is of no use after its call has returned", () => {
  const kept: Caller[] = [];
  const { executor } = setUp("Call 1, Call 1, Return", {
    hosts: [["->", (caller) => void kept.push(caller)]],
  });
  executor.execute();
  assert(kept.length === 2 && kept[0] !== kept[1]);
  const uses: ((caller: Caller) => unknown)[] = [
    (caller) => caller.data,
    (caller) => caller.memory,
    (caller) => caller.consumeFuel(1),
    (caller) => caller.tryConsumeFuel(1),
    (caller) => caller.remainingFuel(),
    (caller) => caller.resetFuel(1),
    (caller) => caller.pause(),
    (caller) => caller.halt(),
    (caller) => caller.trap("OutOfFuel"),
  ];
  for (const use of uses) {
    const error = assertThrows(() => use(kept[0]!), PluginError, "has returned");
    assertEquals((error as PluginError).code, "StaleCaller");
  }
});

Deno.test("a host function cannot run its own store, but another one", () => {
  const codes: string[] = [];
  const attempt = (use: () => unknown) => {
    codes.push((assertThrows(use, UsageError) as UsageError).code);
  };
  const inner = setUp("C 5, Return").executor;
  const hosts = [["-> i32", () => {
    attempt(() => executor.execute());
    attempt(() => executor.call("main"));
    attempt(() => executor.instantiate());
    attempt(() => executor.resume());
    attempt(() => new RwasmExecutor(store, program("Return")).execute());
    attempt(() => store.reset());
    const outcome = inner.execute([], signature("-> i32"));
    return outcome.status === "done" ? outcome.results[0] : -1;
  }]] as const;
  const { executor, store } = setUp("Call 1, Return", { hosts });
  assertEquals(show(executor.execute([], signature("-> i32"))), "done 5");
  assertEquals(codes, new Array(6).fill("Reentrant"));
});

Deno.test("a caller gives data, fuel and memory", () => {
  const linker = new ImportLinker<{ lines: string[] }>();
  linker.define(
    "env",
    "log",
    { index: 1, params: ["i32", "i32"], results: ["i32"] },
    (caller, at, length) => {
      caller.data.lines.push(new TextDecoder().decode(caller.memory.read(at, length)));
      caller.memory.write(at + 1, Uint8Array.of(0x41));
      caller.consumeFuel(2n);
      assertEquals([caller.remainingFuel(), caller.tryConsumeFuel(9)], [8n, false]);
      assertEquals(caller.memory.byteLength, 65536);
      return caller.memory.view()[at + 1]!;
    },
  );
  const data = { lines: [] as string[] };
  const store = new RwasmStore({ linker, data, fuelLimit: 10 });
  const code = "C 1, MemoryGrow, Drop, C 8, C 26984, I32Store 0, C 8, C 2, Call 1, Return";
  assertEquals(show(new RwasmExecutor(store, program(code)).execute([], signature("-> i32"))), "done 65");
  assertEquals(data.lines, ["hi"]);
  assertEquals(store.consumedFuel(), 2n);
});

Deno.test("memory that grows between host calls is seen by each of them", () => {
  const sizes: number[] = [];
  const { executor } = setUp("Call 1, C 2, MemoryGrow, Drop, Call 1, C 3, MemoryGrow, Drop, Call 1, Return", {
    hosts: [["->", (caller) => void sizes.push(caller.memory.view().length)]],
  });
  executor.execute();
  assertEquals(sizes, [0, 2 * 65536, 5 * 65536]);
});

// ── memory of the store, between runs ───────────────────────────────────────────────────────────

Deno.test("store.memory reads copies, writes, and throws the trap when a range is outside", () => {
  const { executor, store } = setUp("C 1, MemoryGrow, Return");
  assertEquals([store.memory.byteLength, store.memory.view().length], [0, 0]);
  assertEquals(store.memory.read(0, 0), new Uint8Array(0));
  executor.execute([], signature("-> i32"));
  store.memory.write(65534, Uint8Array.of(7, 8));
  const copy = store.memory.read(65534, 2);
  copy[0] = 1;
  assertEquals([...store.memory.view().subarray(65534)], [7, 8]);
  assertEquals(store.memory.read(65536, 0), new Uint8Array(0));
  for (const use of [() => store.memory.read(65535, 2), () => store.memory.write(65537, new Uint8Array(0))]) {
    assertEquals((assertThrows(use, Trap) as Trap).code, "MemoryOutOfBounds");
  }
});

Deno.test("store.memory refuses what is no range and no bytes", () => {
  const { store } = setUp("Return");
  const wrong: (() => unknown)[] = [
    () => store.memory.read(0.5, 1),
    () => store.memory.read(0, NaN),
    () => store.memory.read("0" as never, 1),
    () => store.memory.write(1n as never, new Uint8Array(0)),
    () => store.memory.write(0, [1] as never),
    () => store.memory.write(0, undefined as never),
  ];
  for (const use of wrong) assertThrows(use, UsageError, "guest memory");
});

Deno.test("without a linker code with syscalls is refused", () => {
  const error = assertThrows(
    () => new RwasmExecutor(new RwasmStore(), program("Call 7, Return")),
    VerifyError,
  );
  assertEquals([error.code, error.pc], ["UnknownSyscall", 0]);
  assertMatch(error.message, /calls a host function that the linker does not have/);
});

Deno.test("without a linker every syscall traps", () => {
  const unproven = runUnverified(program("Call 7, Return"));
  const outcome = new RwasmExecutor(new RwasmStore(), unproven).execute();
  assertEquals(show(outcome), "trap UnknownExternalFunction");
  assertMatch(explained(outcome), /the linker of the store has no syscall 7/);
});
