/** What the compiler refuses, what it emits beside function bodies, and what a module carries. */

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  type CompilationConfig,
  compile,
  CompileError,
  ImportLinker,
  LinkError,
  REFERENCE_LIMITS,
  RwasmExecutor,
  RwasmModule,
  RwasmStore,
  type SyscallFuel,
  type SyscallSignature,
  UsageError,
  type Value,
} from "../../mod.ts";
import { Op } from "../../lib/isa/opcode.ts";
import { assembleWat, compileWat, functionFacts } from "./wat.ts";

const host = () =>
  new ImportLinker()
    .define("env", "twice", { index: 5, params: ["i32"], results: ["i32"] }, (_, x) => 2 * x)
    .define("env", "i64", { index: 6, params: ["i64"], results: [] }, () => {});

function results(module: RwasmModule, name: string, params: Value[] = [], linker?: ImportLinker): Value[] {
  const outcome = new RwasmExecutor(new RwasmStore(linker === undefined ? {} : { linker }), module).call(
    name,
    params,
  );
  assert(outcome.status === "done", Deno.inspect(outcome));
  return outcome.results;
}

/** [what, module, configuration, class, code, part of the message] */
const REFUSED: [
  string,
  string,
  CompilationConfig,
  new (...args: never[]) => Error,
  string,
  string,
][] = [
  [
    "an imported memory",
    '(import "env" "m" (memory 1))',
    {},
    CompileError,
    "NotSupportedImportType",
    '"env"."m"',
  ],
  [
    "an imported table",
    '(import "env" "t" (table 1 funcref))',
    {},
    CompileError,
    "NotSupportedImportType",
    '"env"."t"',
  ],
  [
    "several imports without a place, all at once",
    '(import "env" "m" (memory 1)) (import "env" "t" (table 1 funcref)) (import "env" "g" (global i32))',
    {},
    CompileError,
    "NotSupportedImportType",
    `Cannot compile imports: 3 have no place in rWasm
  "env"."m": an imported memory
  "env"."t": an imported table
  "env"."g": an imported global
  at byte offset`,
  ],
  [
    "unknown functions together with imports without a place",
    '(import "env" "f" (func)) (import "env" "m" (memory 1)) (import "env" "t" (table 1 funcref))',
    {},
    LinkError,
    "UnresolvedImportFunction",
    `Cannot link module: 3 of 3 imports do not match
  "env"."f": unknown; the module wants () -> ()
  "env"."m": an imported memory has no place in rWasm
  "env"."t": an imported table has no place in rWasm`,
  ],
  [
    "an imported global without a default value",
    '(import "env" "g" (global i32))',
    {},
    CompileError,
    "NotSupportedImportType",
    "defaultImportedGlobalValue",
  ],
  [
    "an import without a linker",
    '(import "env" "f" (func))',
    {},
    LinkError,
    "UnresolvedImportFunction",
    "env",
  ],
  [
    "an import of another type",
    '(import "env" "twice" (func (param i64)))',
    { linker: host() },
    LinkError,
    "MalformedImportFunctionType",
    "(i64)",
  ],
  [
    "a start section when told so",
    "(func $s) (start $s)",
    { allowStartSection: false },
    CompileError,
    "StartSectionsAreNotAllowed",
    "allowStartSection",
  ],
  [
    "an entry point that is not exported",
    '(func (export "main"))',
    { entrypoint: "mian" },
    CompileError,
    "MissingEntrypoint",
    'did you mean "main"',
  ],
  [
    "an entry point with references when told so",
    '(func (export "main") (param funcref))',
    { entrypoint: "main", allowFuncRefFunctionTypes: false },
    CompileError,
    "MalformedFuncType",
    "funcref",
  ],
  [
    "a routed function with parameters when told so",
    '(func (export "a") (param i32))',
    { stateRouter: { states: [["a", 1]] }, allowMalformedEntrypointFuncType: false },
    CompileError,
    "MalformedFuncType",
    '"a"',
  ],
  [
    "too much memory",
    "(memory 65)",
    { limits: { memoryPages: 64 } },
    CompileError,
    "MaxReadonlyDataReached",
    "64",
  ],
  [
    "too large a table",
    "(table 1025 funcref)",
    { limits: REFERENCE_LIMITS },
    CompileError,
    "TableSizeExceedsLimit",
    "1024",
  ],
  [
    "too many types",
    "(type (func)) (type (func (param i32)))",
    { limits: { functionTypes: 1 } },
    CompileError,
    "TooManyFunctionTypes",
    "2",
  ],
  [
    "too many tables",
    "(table 1 funcref) (table 1 funcref)",
    { limits: { tables: 1 } },
    CompileError,
    "TooManyTables",
    "2",
  ],
  [
    "too many segments",
    '(memory 1) (data "a") (data "b")',
    { limits: { segments: 1 } },
    CompileError,
    "TooManySegments",
    "2",
  ],
  [
    "too high a stack",
    `(func ${"(local i64)".repeat(5000)})`,
    { limits: REFERENCE_LIMITS },
    CompileError,
    "StackHeightExceeded",
    "10000",
  ],
  [
    "too much code",
    `(func ${"i32.const 1 drop ".repeat(1000)})`,
    { limits: { codeLength: 1000 } },
    CompileError,
    "CodeSizeExceeded",
    "1000",
  ],
  [
    "more code than a tiny limit",
    "(func)",
    { limits: { codeLength: 3 } },
    CompileError,
    "CodeSizeExceeded",
    "3",
  ],
  ["an unknown option", "", { fuel: true } as CompilationConfig, UsageError, "InvalidConfig", '"fuel"'],
  ["an option of the wrong type", "", { consumeFuel: 1 } as never, UsageError, "InvalidConfig", "boolean"],
  ["floats it does not know", "", { floats: "fast" } as never, UsageError, "InvalidConfig", "deterministic"],
  ["a limit out of range", "", { limits: { memoryPages: 1e9 } }, UsageError, "InvalidLimit", "memoryPages"],
  [
    "a router of the wrong form",
    "",
    { stateRouter: { states: [["a", -1]] } },
    UsageError,
    "InvalidConfig",
    "state",
  ],
];

for (const [what, text, config, type, code, part] of REFUSED) {
  Deno.test(`compile() refuses ${what}`, () => {
    const error = assertThrows(() => compileWat(`(module ${text})`, config), type as never) as CompileError;
    assertEquals(error.code, code);
    assertStringIncludes(error.message, part);
  });
}

Deno.test("compile() refuses a metered parameter that is not an i32, but only when it charges", () => {
  const linker = new ImportLinker().define("env", "f", {
    index: 1,
    params: ["i32"],
    results: [],
    fuel: { const: 2n ** 40n },
  }, () => {});
  const text = '(module (import "env" "f" (func (param i32))))';
  const error = assertThrows(() => compileWat(text, { linker }), CompileError);
  assertEquals(error.code, "SyscallFuelOutOfBounds");
  compileWat(text, { linker, builtinsConsumeFuel: false });
});

/** [policy, argument, fuel or trap]: the figures of the specification, in an import with a later i64 parameter. */
const POLICIES: [SyscallFuel, number, bigint | string][] = [
  [{ linear: { base: 7, param: 2, wordCost: 5 } }, 0, 7n],
  [{ linear: { base: 7, param: 2, wordCost: 5 } }, 1, 12n],
  [{ linear: { base: 7, param: 2, wordCost: 5 } }, 33, 17n],
  [{ linear: { base: 7, param: 2, wordCost: 5 } }, 2 ** 27, 20_971_527n],
  [{ linear: { base: 7, param: 2, wordCost: 5 } }, 2 ** 27 + 1, "IntegerOverflow"],
  [{ quadratic: { param: 2, wordCost: 3, divisor: 512, rate: 20 } }, 0, 0n],
  [{ quadratic: { param: 2, wordCost: 3, divisor: 512, rate: 20 } }, 33, 120n],
  [{ quadratic: { param: 2, wordCost: 3, divisor: 512, rate: 20 } }, 3200, 6380n],
  [{ quadratic: { param: 2, wordCost: 3, divisor: 512, rate: 20 } }, 1_310_720, 67_993_600n],
  [{ quadratic: { param: 2, wordCost: 3, divisor: 512, rate: 20 } }, 1_310_721, "IntegerOverflow"],
  [{ quadratic: { param: 2, wordCost: 3, divisor: 0, rate: 20 } }, 1, "IntegerDivisionByZero"],
];

for (const [fuel, argument, expected] of POLICIES) {
  Deno.test(`a host function with fuel ${JSON.stringify(fuel)} charges ${expected} for ${argument}`, () => {
    const signature: SyscallSignature = { index: 1, params: ["i32", "i64"], results: [], fuel };
    const linker = new ImportLinker().define("env", "f", signature, () => {});
    const module = compileWat(
      '(module (import "env" "f" (func $f (param i32 i64))) (export "f" (func $f)))',
      { linker },
    );
    const store = new RwasmStore({ linker });
    const outcome = new RwasmExecutor(store, module).call("f", [argument, 0n]);
    if (outcome.status === "trap") assertEquals(outcome.trap.code, expected);
    else assertEquals(store.consumedFuel() - 3n, expected); // 3 slots of parameters
  });
}

Deno.test("an intrinsic replaces direct, indirect, tail and exported calls, and pays no syscall fuel", () => {
  const linker = new ImportLinker()
    .intrinsic("env", "add5", { index: 1, params: ["i32"], results: ["i32"] }, {
      replace: [["I32Const", 5], ["I32Add"]],
    })
    .intrinsic("env", "ignore", { index: 2, params: ["i64", "i32"], results: [] }, "remove");
  const module = compileWat(
    `(module (type $t (func (param i32)(result i32)))
       (import "env" "add5" (func $a (type $t))) (import "env" "ignore" (func $i (param i64 i32)))
       (table funcref (elem $a)) (export "exported" (func $a))
       (func (export "direct") (result i32) i32.const 1 call $a i64.const 3 i32.const 4 call $i)
       (func (export "indirect") (result i32) i32.const 1 i32.const 0 call_indirect (type $t))
       (func (export "tail") (result i32) (local i64) i32.const 1 return_call $a))`,
    { linker },
  );
  for (const [name, params] of [["exported", [1]], ["direct", []], ["indirect", []], ["tail", []]] as const) {
    assertEquals(results(module, name, [...params], linker), [6], name);
  }
  assert(!module.opcodes.includes(Op.Call));
});

Deno.test("the state router runs the export of a state, and nothing for other states", () => {
  const module = compileWat(
    `(module (memory (export "m") 1) (func (export "a") i32.const 0 i32.const 11 i32.store)
       (func (export "b") i32.const 0 i32.const 22 i32.store))`,
    { stateRouter: { states: [["a", 1], ["missing", 3], ["b", 2]] } },
  );
  for (const [state, value] of [[1, 11], [2, 22], [3, 0]]) {
    const store = new RwasmStore();
    const outcome = new RwasmExecutor(store, module).execute([state], { params: ["i32"], results: [] });
    assertEquals(outcome, { status: "done", results: [] });
    assertEquals(store.memory.read(0, 1)[0], value);
  }
});

Deno.test("the state router may ask the host for the state", () => {
  const linker = new ImportLinker().define(
    "env",
    "state",
    { index: 9, params: [], results: ["i32"] },
    () => 2,
  );
  const module = compileWat(
    `(module (memory 1) (func (export "a") unreachable) (func (export "b") i32.const 0 i32.const 22 i32.store))`,
    { linker, stateRouter: { states: [["a", 1], ["b", 2]], opcode: ["Call", 9] } },
  );
  const store = new RwasmStore({ linker });
  assertEquals(new RwasmExecutor(store, module).execute().status, "done");
  assertEquals(store.memory.read(0, 1)[0], 22);
});

/** [function, StackCheck]: locals and operands, without parameters. */
const HEIGHTS: [string, number][] = [
  ["", 0],
  ["(param i64 i64)(result i64) local.get 0 local.get 1 i64.add", 4],
  ["(param i32)(result i64) local.get 0 i64.load", 4],
  ["(param i32)(result i64) local.get 0 i64.load8_s", 3],
  ["(param i32 i64) local.get 0 local.get 1 i64.store", 5],
  ["(param i32)(result i64) local.get 0 i64.extend_i32_s", 4],
  ["(param i64)(result i64) local.get 0 i64.clz", 5],
  ["(param i64)(result i64) local.get 0 i64.popcnt", 3],
  ["(param i64)(local i64) local.get 0 local.set 1", 4],
  ["(param i64)(result i64)(local i64) local.get 0 local.tee 1", 5],
  ["(param i32)(result i32) local.get 0 memory.grow", 3],
  ["(param i32 i32 i32) local.get 0 local.get 1 local.get 2 memory.fill", 5],
];

for (const [source, height] of HEIGHTS) {
  Deno.test(`compile() reserves ${height} slots for (func ${source})`, () => {
    assertEquals(functionFacts(compileWat(`(module (memory 1) (func ${source}))`))[0].height, height);
  });
}

Deno.test("return_call_indirect reserves the slot its shuffle needs (a defect of the reference)", () => {
  // 30 arguments over 1 parameter: the shuffle of 31 slots takes one more than the operands do.
  const params = "i32 ".repeat(30);
  const module = compileWat(
    `(module (type $t (func (param ${params})(result i32))) (table funcref (elem $f))
       (func $f (type $t) local.get 29)
       (func (export "main") (param i32)(result i32) ${"i32.const 7 ".repeat(29)} local.get 0 i32.const 0
         return_call_indirect (type $t)))`,
  );
  assertEquals(functionFacts(module)[1].height, 32);
  assertEquals(results(module, "main", [42]), [42]);
});

Deno.test("locals of more slots than one BulkConst holds are all zeroed", () => {
  const module = compileWat(
    `(module (func (export "f") (result i64) ${"(local i64)".repeat(6000)} local.get 5999))`,
  );
  assertEquals(results(module, "f"), [0n]);
});

Deno.test("an active segment that does not fit traps at instantiation and copies nothing", () => {
  const module = compileWat('(module (memory 1) (data (i32.const 65535) "ab"))');
  const outcome = new RwasmExecutor(new RwasmStore(), module).instantiate();
  assert(outcome.status === "trap");
  assertEquals(outcome.trap.code, "MemoryOutOfBounds");
  compileWat('(module (memory 1) (data (i32.const 65536) ""))');
});

Deno.test("globals take extended constant expressions, references and the default of imported ones", () => {
  const module = compileWat(
    `(module (import "env" "g" (global $g i64)) (func $f (export "f") (result i32) i32.const 3)
       (table 1 funcref)
       (global $sum i64 (i64.add (global.get $g) (i64.mul (i64.const -3) (i64.const 4))))
       (global $ref (mut funcref) (ref.func $f)) (global $none externref (ref.null extern))
       (global $pi (export "pi") f64 (f64.const 3.25))
       (func (export "sum") (result i64) global.get $sum)
       (func (export "call") (result i32) i32.const 0 global.get $ref table.set 0 i32.const 0 call_indirect (result i32))
       (func (export "none") (result i32) global.get $none ref.is_null))`,
    { defaultImportedGlobalValue: -1n },
  );
  assertEquals(results(module, "sum"), [-13n]);
  assertEquals(results(module, "call"), [3]);
  assertEquals(results(module, "none"), [1]);
  const executor = new RwasmExecutor(new RwasmStore(), module);
  executor.instantiate();
  assertEquals(executor.global("pi"), 3.25);
});

Deno.test("a br_table shares one trampoline per frame", () => {
  const entries = "0 1 ".repeat(200);
  const module = compileWat(
    `(module (func (export "f") (param i32)(result i32)
       block (result i32) block (result i32) i32.const 9 i32.const 8 i32.const 5 local.get 0 br_table ${entries} 0 end
       i32.const 1 i32.add end))`,
  );
  assert(module.length < 2 * 401 + 40, `${module.length} instructions`);
  assertEquals(results(module, "f", [0]), [6]);
  assertEquals(results(module, "f", [1]), [5]);
  assertEquals(results(module, "f", [400]), [6]);
});

Deno.test("a compiled module carries exports, names, types and where each instruction came from", () => {
  const wasm = assembleWat(
    `(module $shop (import "env" "twice" (func $twice (param i32)(result i32)))
       (func $main (export "run") (param i32)(result i32) local.get 0 call $twice unreachable)
       (global (export "counter") (mut i64) (i64.const 4)) (memory (export "memory") 1))`,
  );
  const linker = host();
  const module = compile(wasm, { linker });
  assertEquals(module.exports.map(({ name, params, results }) => ({ name, params, results })), [
    { name: "run", params: ["i32"], results: ["i32"] },
  ]);
  const info = module.info!;
  assertEquals(info.moduleName, "shop");
  assertEquals(info.functionNames.get(1), "main");
  assertEquals(info.globalExports, [{ name: "counter", index: 0, type: "i64", mutable: true }]);
  assertEquals(info.functionImports[0].syscall, 5);
  assertEquals(module.hint, wasm);
  const outcome = new RwasmExecutor(new RwasmStore({ linker }), module).call("run", [1]);
  assert(outcome.status === "trap");
  assertEquals(outcome.trap.functionName, "main");
  assertEquals(wasm[outcome.trap.wasmOffset!], 0x00); // the `unreachable` itself
});

Deno.test("compile() gives the same bytes every time, and keeps nothing of its input", () => {
  const wasm = assembleWat(
    '(module (memory 1) (data (i32.const 0) "abc") (func (export "f") (result i32) i32.const 1))',
  );
  const first = compile(wasm, { entrypoint: "f" }), bytes = first.encode();
  assertEquals(compile(wasm, { entrypoint: "f" }).encode(), bytes);
  wasm.fill(0);
  assertEquals(first.encode(), bytes);
  assertEquals(
    new RwasmExecutor(new RwasmStore(), RwasmModule.decode(bytes)).execute([], {
      params: [],
      results: ["i32"],
    }),
    {
      status: "done",
      results: [1],
    },
  );
});
