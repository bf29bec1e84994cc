/**
 * The executor's API: exports, globals, argument checks, linking, and what the constructors refuse.
 * The compiled module is written by hand, so that these tests need no compiler.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { LinkError, type RwasmError, UsageError, VerifyError } from "../../lib/error.ts";
import { type ModuleInfo, RwasmModule, type ValueType } from "../../lib/isa/module.ts";
import { ImportLinker } from "../../lib/plugin/linker.ts";
import type { Value } from "../../lib/plugin/plugin.ts";
import { RwasmExecutor } from "../../lib/run/executor.ts";
import { RwasmStore } from "../../lib/vm/store.ts";
import { linkerOf, program, setUp, show, signature } from "./notation.ts";

/**
 * Sets the globals 0 (i32), 1 (i64), 2 (f64), 3 (externref); the entry point at 22 tail-calls
 * function 0; functions: 0 adds at 23, 1 calls the host at 27, 2 reads the i64 at 29.
 */
const CODE = [
  "C 7, GlobalSet 0, C 5, GlobalSet 2, C -1, GlobalSet 3, C 1073217536, GlobalSet 4, C 0, GlobalSet 5, C 1, GlobalSet 6",
  "Return, Return, Return, Return, Return, Return, Return, Return, Return, Return",
  "ReturnCallInternal 23",
  "SignatureCheck 0, ConsumeFuel 1, I32Add, Return",
  "Call 1, Return",
  "GlobalGet 3, GlobalGet 2, Return",
].join(", ");

const ADD = { name: "add", index: 0, ...signature("i32 i32 -> i32") };

const INFO: ModuleInfo = {
  functionExports: [
    ADD,
    { name: "host", index: 1, ...signature("-> i32") },
    { name: "wide", index: 2, ...signature("-> i64") },
    { name: "__proto__", index: 2, ...signature("-> i64") },
  ],
  globalExports: [
    { name: "count", index: 0, type: "i32", mutable: true },
    { name: "wide", index: 1, type: "i64", mutable: true },
    { name: "ratio", index: 2, type: "f64", mutable: true },
    { name: "handle", index: 3, type: "externref", mutable: true },
    { name: "fixed", index: 0, type: "i32", mutable: false },
  ],
  memoryExports: [],
  tableExports: [],
  functionImports: [],
  functionTypes: Uint32Array.of(0, 1, 2),
  types: [signature("i32 i32 -> i32"), signature("-> i32"), signature("-> i64")],
  functionStarts: Uint32Array.of(23, 27, 29),
  functionNames: new Map(),
  snippetNames: [],
  wasmOffsets: new Uint32Array(32),
  entrypoint: ADD,
  metered: true,
  hasRouter: false,
  moduleName: "example",
};

function compiled(info: Partial<ModuleInfo> = {}): RwasmModule {
  return new RwasmModule({ ...program(CODE, { sourcePc: 22 }), info: { ...INFO, ...info } });
}

function executorOf(info: Partial<ModuleInfo> = {}): RwasmExecutor<unknown> {
  const store = new RwasmStore<unknown>({ linker: linkerOf([["-> i32", () => 11]]) });
  return new RwasmExecutor(store, compiled(info));
}

function refusal(
  use: () => unknown,
  kind: new (code: string, message: string) => RwasmError = UsageError,
): RwasmError {
  const error = assertThrows(use, kind);
  return error as RwasmError;
}

Deno.test("call() runs any export on one instance, execute() the entry point", () => {
  const executor = executorOf();
  assertEquals(show(executor.call("add", [40, 2])), "done 42");
  assertEquals(show(executor.call("host")), "done 11");
  assertEquals(show(executor.call("wide")), "done 25769803775n");
  assertEquals(show(executor.call("__proto__")), "done 25769803775n");
  assertEquals(show(executor.execute([40, 3])), "done 43");
  assertEquals(executor.store.consumedFuel(), 2n);
});

Deno.test("exported globals are read and set with their types, in the words the code uses", () => {
  const executor = executorOf();
  assertEquals(refusal(() => executor.global("count")).code, "NotInstantiated");
  executor.instantiate();
  assertEquals(["count", "wide", "ratio", "handle"].map((name) => executor.global(name)), [
    7,
    0x5ffffffffn,
    1.5,
    0,
  ]);
  const values: [string, Value][] = [["count", -3], ["wide", -2n], ["ratio", -0.5], ["handle", null]];
  for (const [name, value] of values) {
    executor.setGlobal(name, value);
    assertEquals(executor.global(name), value);
  }
  assertEquals(show(executor.call("wide")), "done -2n");
});

// deno-fmt-ignore
const GLOBAL_REFUSALS: readonly (readonly [name: string, value: Value, code: string, text: string])[] = [
  ["fixed", 1, "ImmutableGlobal", 'Cannot set global "fixed": it is not mutable'],
  ["cuont", 1, "UnknownExport", 'Cannot set global "cuont": the module exports no such global; did you mean "count"?'],
  ["count", 1n, "InvalidValue", 'Cannot set global "count": the value must be i32 (an integer number from -2^31 to 2^32 - 1), not the bigint 1n'],
  ["wide", 1, "InvalidValue", "not the number 1"],
];

for (const [name, value, code, text] of GLOBAL_REFUSALS) {
  Deno.test(`setGlobal("${name}", ${value}) is ${code}`, () => {
    const executor = executorOf();
    executor.instantiate();
    const error = refusal(() => executor.setGlobal(name, value));
    assertEquals(error.code, code);
    assert(error.message.includes(text), error.message);
  });
}

Deno.test("globals of a stale instance are refused", () => {
  const executor = executorOf();
  executor.instantiate();
  new RwasmExecutor(executor.store, compiled()).instantiate();
  assertEquals(refusal(() => executor.global("count")).code, "StaleInstance");
});

const CALLS: readonly (readonly [name: unknown, params: unknown, code: string, text: string])[] = [
  [
    "ad",
    [1, 2],
    "UnknownExport",
    'Cannot call "ad": the module exports no such function; did you mean "add"?',
  ],
  ["ad", [1, 2], "UnknownExport", 'exported functions: "add", "host", "wide", "__proto__"'],
  ["toString", [], "UnknownExport", 'Cannot call "toString": the module exports no such function'],
  [undefined, [], "UnknownExport", "Cannot call undefined"],
  ["add", [1], "WrongValueCount", 'Cannot call "add": 2 parameters expected, 1 found'],
  ["add", [1], "WrongValueCount", "the function is (i32, i32) -> (i32)"],
  ["add", [1, 2, 3], "WrongValueCount", "2 parameters expected, 3 found"],
  ["add", [1, 2n], "InvalidValue", 'Cannot call "add": parameter 1 must be i32'],
  ["add", [1, 1.5], "InvalidValue", "not the number 1.5"],
  ["add", [2 ** 32, 1], "InvalidValue", "parameter 0 must be i32"],
  ["add", [-(2 ** 31) - 1, 1], "InvalidValue", "parameter 0 must be i32"],
  ["add", [1, undefined], "InvalidValue", "not undefined"],
  ["add", "12", "InvalidValues", "the parameters are the string"],
  ["add", null, "InvalidValues", "the parameters are null"],
  ["add", { length: 2 }, "InvalidValues", "the parameters are an object"],
];

for (const [name, params, code, text] of CALLS) {
  Deno.test(`call(${String(name)}, ${JSON.stringify(params, (_key, value) => typeof value === "bigint" ? `${value}n` : value)}) is ${code}: ${text}`, () => {
    const executor = executorOf();
    const error = refusal(() => executor.call(name as string, params as Value[]));
    assertEquals(error.code, code);
    assert(error.message.includes(text), error.message);
    // Nothing ran: the executor is not even instantiated.
    assertEquals(refusal(() => executor.global("count")).code, "NotInstantiated");
  });
}

Deno.test("a decoded module has no exports, and its types must be given when there are any", () => {
  const { executor } = setUp("I32Add, Return");
  assertEquals(refusal(() => executor.call("add")).code, "NoExports");
  assertEquals(refusal(() => executor.execute([1, 2])).code, "WrongValueCount");
  assertEquals(show(executor.execute([1, 2], signature("i32 i32 -> i32"))), "done 3");
});

const TYPES: readonly unknown[] = [
  null,
  5,
  {},
  { params: [] },
  { params: "i32", results: [] },
  { params: ["i33"], results: [] },
  { params: ["toString"], results: [] },
  { params: [], results: [undefined] },
  { params: [], results: new Array(2) },
];

for (const types of TYPES) {
  Deno.test(`types ${JSON.stringify(types)} are refused`, () => {
    const { executor } = setUp("Return");
    assertEquals(refusal(() => executor.execute([], types as never)).code, "InvalidTypes");
  });
}

Deno.test("execute() without an entry point is refused, with a router it takes the types it is given", () => {
  assertEquals(refusal(() => executorOf({ entrypoint: undefined }).execute()).code, "NoEntrypoint");
  const routed = executorOf({ entrypoint: undefined, hasRouter: true });
  assertEquals(show(routed.execute([1, 2], signature("i32 i32 -> i32"))), "done 3");
});

Deno.test("a getter in the parameters is looked at once", () => {
  const executor = executorOf();
  let looks = 0;
  const params = [1, 2];
  Object.defineProperty(params, 1, { get: () => looks++ === 0 ? 5 : "five" });
  assertEquals(show(executor.call("add", params)), "done 6");
  assertEquals(looks, 1);
});

/** Arrays that do something, or refuse, when they are looked at. */
const HOSTILE_ARRAYS: readonly (() => unknown)[] = [
  () => {
    const { proxy, revoke } = Proxy.revocable([1, 2], {});
    revoke();
    return proxy;
  },
  () =>
    new Proxy([1, 2], {
      get() {
        throw new RangeError("hostile");
      },
    }),
  () =>
    Object.defineProperty([1, 2], 0, {
      get() {
        throw new RangeError("hostile");
      },
    }),
  () => new Proxy([1, 2], { get: (target, key) => key === "length" ? "2" : Reflect.get(target, key) }),
  () => ({ length: 2, 0: 1, 1: 2 }),
];

Deno.test("arrays that cannot be read are refused, in call(), execute() and resume()", () => {
  for (const make of HOSTILE_ARRAYS) {
    const array = make() as never;
    const executor = executorOf();
    assertEquals(refusal(() => executor.call("add", array)).code, "InvalidValues");
    assertEquals(refusal(() => executor.execute(array, signature("i32 i32 ->"))).code, "InvalidValues");
    const types = { params: array, results: [] };
    assertEquals(refusal(() => executor.execute([], types)).code, "InvalidTypes");
    const paused = setUp("Trap InterruptionCalled, Return").executor;
    assertEquals(show(paused.execute()), "paused");
    assertMatch(refusal(() => paused.resume(array)).code, /^(InvalidValues|WrongValueCount)$/);
    assertEquals(refusal(() => paused.resume(new Array(2 ** 32 - 1))).code, "WrongValueCount");
  }
  const types = {
    get params(): never {
      throw new RangeError("hostile");
    },
    results: [],
  };
  assertEquals(refusal(() => executorOf().execute([], types)).code, "InvalidTypes");
});

Deno.test("values that resume or pause the run while they are looked at do not run it twice", () => {
  const { executor, store } = setUp("Call 1, Return", { hosts: [["-> i32", (caller) => caller.pause()]] });
  const once = [7];
  Object.defineProperty(once, 0, { get: () => (executor.resume([5]), 7) });
  const type = signature("-> i32");
  assertEquals(show(executor.execute([], type)), "paused");
  assertEquals(refusal(() => executor.resume(once)).code, "NotPaused");
  const starting = [7];
  Object.defineProperty(starting, 0, { get: () => (executor.execute([], type), 7) });
  const wider = { params: ["i32" as const], results: ["i32" as const] };
  assertEquals(refusal(() => executor.execute(starting, wider)).code, "Paused");
  store.reset();
});

Deno.test("exports are found by name among thousands, by every executor of a module", () => {
  const functionExports = Array.from({ length: 20_000 }, (_, i) => ({
    ...INFO.functionExports[0]!,
    name: `f${i}`,
  }));
  const module = compiled({ functionExports });
  const start = performance.now();
  for (let i = 0; i < 2_000; i++) {
    const executor = new RwasmExecutor(new RwasmStore(), module);
    assertEquals(executor.call("f19999", [1, 2]).status, "done");
  }
  // Looking through the list would take 2,000 × 20,000 comparisons of names.
  assert(performance.now() - start < 1_500, `${performance.now() - start} ms`);
});

const IMPORT = { module: "env", name: "f1", syscall: 1, ...signature("-> i32") };

Deno.test("the imports of a compiled module are linked when the executor is made", () => {
  const { store } = executorOf();
  const make = (functionImports: ModuleInfo["functionImports"], on: RwasmStore<unknown> = store) =>
    new RwasmExecutor(on, compiled({ functionImports }));
  assertEquals(show(make([IMPORT]).call("host")), "done 11");
  // An intrinsic left no call in the code, so nothing has to be there.
  make([{ ...IMPORT, name: "inlined", syscall: -1 }]);
  const unknown = refusal(
    () => make([IMPORT, { ...IMPORT, name: "f2" }, { ...IMPORT, name: "f3" }]),
    LinkError,
  );
  assertEquals(unknown.code, "UnresolvedImportFunction");
  assert(unknown.message.includes('"f2"') && unknown.message.includes('"f3"'), unknown.message);
  const type: { results: ValueType[] } = { results: ["i64"] };
  assertEquals(refusal(() => make([{ ...IMPORT, ...type }]), LinkError).code, "MalformedImportFunctionType");
  const moved = refusal(() => make([{ ...IMPORT, syscall: 2 }]), LinkError);
  assertEquals(moved.code, "SyscallIndexMismatch");
  assertEquals(
    moved.message,
    `Cannot link "example": 1 of 1 import does not match
  "env"."f1": index mismatch: the module calls index 2, define() declares 1
  hint: compile with the linker the module will run with`,
  );
  const all = refusal(
    () => make([{ ...IMPORT, syscall: 2 }, { ...IMPORT, ...type }, { ...IMPORT, name: "f9" }, IMPORT]),
    LinkError,
  );
  assertEquals(all.code, "UnresolvedImportFunction");
  for (
    const text of ["3 of 4 imports do not match", "index mismatch", "signature mismatch", '"f9": unknown']
  ) {
    assert(all.message.includes(text), all.message);
  }
  assertEquals(refusal(() => make([IMPORT], new RwasmStore()), LinkError).code, "UnresolvedImportFunction");
});

Deno.test("constructors refuse what they cannot use", () => {
  const store = new RwasmStore(), module = program("Return");
  const wrong: readonly (readonly [() => unknown, string])[] = [
    [() => new RwasmExecutor({} as never, module), "InvalidStore"],
    [() => new RwasmExecutor(store, new Uint8Array(0) as never), "InvalidModule"],
    [() => new RwasmExecutor(store, module, { engine: "jit" as never }), "UnknownEngine"],
    [() => new RwasmExecutor(store, module, null as never), "InvalidOptions"],
    [() => new RwasmStore(null as never), "InvalidOptions"],
    [() => new RwasmStore(7 as never), "InvalidOptions"],
    [() => new RwasmStore({ limits: null as never }), "InvalidLimit"],
    [() => new RwasmStore({ linker: {} as never }), "InvalidLinker"],
    [() => new RwasmStore({ limits: { memoryPages: -1 } }), "InvalidLimit"],
    [() => new RwasmStore({ limits: { pages: 1 } as never }), "InvalidLimit"],
  ];
  for (const [use, code] of wrong) assertEquals(refusal(use).code, code);
  for (const engine of ["interpreter", "native", "auto", undefined] as const) {
    assertEquals(show(new RwasmExecutor(new RwasmStore(), module, { engine }).execute()), "done");
  }
});

Deno.test("code beyond limits.codeLength, or without immediates, is refused", () => {
  const store = new RwasmStore({ limits: { codeLength: 2 } });
  new RwasmExecutor(store, program("C 1, Return"));
  assertEquals(
    refusal(() => new RwasmExecutor(store, program("C 1, C 1, Return")), VerifyError).code,
    "CodeTooLong",
  );
  const parts = program("C 1, Return");
  const cut = new RwasmModule({
    ...parts,
    opcodes: parts.opcodes,
    immediates: new Int32Array(1),
    data: parts.data,
    elements: parts.elements,
    hint: parts.hint,
    sourcePc: 0,
  });
  assertEquals(refusal(() => new RwasmExecutor(store, cut), VerifyError).code, "InvalidCode");
});

Deno.test("memory and table growth stop at the store's limits", () => {
  const limits = { memoryPages: 3, tableElements: 5, tables: 1 };
  const memory = setUp("C 3, MemoryGrow, C 1, MemoryGrow, Return", { limits }).executor;
  assertEquals(show(memory.execute([], signature("-> i32 i32"))), "done 0 -1");
  const table = setUp(
    "C 0, C 5, TableGrow 7, C 0, C 1, TableGrow 7, C 0, C 1, TableGrow 8, C 0, C 0, TableGrow 9, Return",
    { limits },
  );
  assertEquals(show(table.executor.execute([], signature("-> 4*i32"))), "done 0 -1 -1 0");
});

Deno.test("a linker of another type than the store's context can still be shared", () => {
  const linker = new ImportLinker<number>().define(
    "env",
    "data",
    { index: 1, params: [], results: ["i32"] },
    (caller) => caller.data,
  );
  const store = new RwasmStore({ linker, data: 5 });
  store.data = 6;
  assertEquals(
    show(new RwasmExecutor(store, program("Call 1, Return")).execute([], signature("-> i32"))),
    "done 6",
  );
});
