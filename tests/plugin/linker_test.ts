import { assert, assertEquals, assertStrictEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { LinkError, PluginError } from "../../lib/error.ts";
import type { ValueType } from "../../lib/isa/module.ts";
import { checkImports, ImportLinker, type WantedFunction } from "../../lib/plugin/linker.ts";
import { defineSyscalls, type Intrinsic } from "../../lib/plugin/plugin.ts";

const NAMES: Record<string, ValueType> = {
  i: "i32",
  I: "i64",
  f: "f32",
  F: "f64",
  r: "funcref",
  x: "externref",
};

/** Types by letters: "iI" is i32, i64. */
const types = (letters: string): ValueType[] => Array.from(letters, (letter) => NAMES[letter]!);

/** A signature by letters: "iI>F". */
function signature(index: number, text: string) {
  const [params, results] = text.split(">") as [string, string];
  return { index, params: types(params), results: types(results) };
}

/** An import as a module wants it: `wanted("env.get", "i>I")`. */
function wanted(name: string, text: string): WantedFunction {
  const [module, field] = name.split(".") as [string, string];
  const { params, results } = signature(0, text);
  return { module, name: field, params, results };
}

const nothing = () => {};

Deno.test("define() declares a function that is found by name and by index", () => {
  const linker = new ImportLinker();
  const call = () => 7n;
  assertStrictEquals(
    linker.define("env", "get", { ...signature(5, "iF>I"), fuel: { const: 10 } }, call),
    linker,
  );
  const syscall = linker.resolve("env", "get");
  assertEquals(syscall, {
    module: "env",
    name: "get",
    index: 5,
    params: ["i32", "f64"],
    results: ["i64"],
    fuel: { const: 10 },
    intrinsic: undefined,
    call,
    plugin: "define()",
    async: false,
  });
  assertStrictEquals(linker.bySyscall(5), syscall);
  assertStrictEquals(linker.resolve("env", "put"), undefined);
  assertStrictEquals(linker.resolve("venv", "get"), undefined);
  assertStrictEquals(linker.bySyscall(6), undefined);
});

Deno.test("declarations are copied and frozen: changing them later changes nothing", () => {
  const params: ValueType[] = ["i32"], linear = { base: 1, param: 1, wordCost: 2 };
  const declaration = { index: 1, params, results: [] as ValueType[], fuel: { linear } };
  const linker = new ImportLinker().define("m", "f", declaration, nothing);
  params.push("i64");
  declaration.index = 2;
  declaration.results.push("i32");
  linear.base = 99;
  const syscall = linker.resolve("m", "f")!;
  assertEquals([syscall.index, syscall.params, syscall.results], [1, ["i32"], []]);
  assertEquals(syscall.fuel, { linear: { base: 1, param: 1, wordCost: 2 } });
  const parts = [
    syscall,
    syscall.params,
    syscall.results,
    syscall.fuel!,
    (syscall.fuel as { linear: object }).linear,
  ];
  assert(parts.every(Object.isFrozen));
});

Deno.test("names that objects have from their prototype are names like any other", () => {
  const linker = new ImportLinker();
  const names = ["__proto__", "constructor", "toString", "then", "", "hasOwnProperty", "\u0000", "🦕"];
  for (const name of names) assertStrictEquals(linker.resolve(name, name), undefined, name);
  for (const [index, name] of names.entries()) linker.define(name, name, signature(index, ">"), nothing);
  for (const [index, name] of names.entries()) assertEquals(linker.resolve(name, name)?.index, index, name);
  const plugin = { module: "p", functions: { ["__proto__"]: { ...signature(100, ">"), call: nothing } } };
  assertEquals(linker.use(plugin).resolve("p", "__proto__")?.index, 100);
});

Deno.test("entries() are sorted by module, then name, in code point order, however they were added", () => {
  const names = [["a", "b"], ["a", "bb"], ["a", "\uffee"], ["a", "\u{10000}"], ["aa", "a"], ["b", ""], [
    "b",
    "a",
  ]];
  const orders = [names, names.toReversed(), [...names.slice(3), ...names.slice(0, 3)]];
  for (const order of orders) {
    const linker = new ImportLinker();
    for (const [module, name] of order) {
      linker.define(
        module!,
        name!,
        signature(names.findIndex((n) => n[0] === module && n[1] === name), ">"),
        nothing,
      );
    }
    assertEquals(linker.entries().map((entry) => [entry.module, entry.name]), names);
  }
});

const p = { index: 0, params: [], results: [] };
const metered = { index: 0, params: ["i32", "i64"], results: [] };

const REFUSED: { readonly [what: string]: readonly [signature: unknown, code: string, text: string] } = {
  "no signature": [undefined, "InvalidSignature", "must be an object, not undefined"],
  "a string": ["i32", "InvalidSignature", 'must be an object, not "i32"'],
  "no index": [{ params: [], results: [] }, "InvalidSignature", '"index" must be an integer'],
  "index -1": [{ ...p, index: -1 }, "InvalidSignature", '"index"'],
  "index 2^32": [{ ...p, index: 2 ** 32 }, "InvalidSignature", '"index"'],
  "index 1.5": [{ ...p, index: 1.5 }, "InvalidSignature", '"index"'],
  "index NaN": [{ ...p, index: NaN }, "InvalidSignature", '"index"'],
  "a bigint index": [{ ...p, index: 1n }, "InvalidSignature", '"index"'],
  "an inherited index": [Object.create({ index: 1, params: [], results: [] }), "InvalidSignature", '"index"'],
  "no params": [{ index: 0, results: [] }, "InvalidSignature", '"params" must be an array'],
  "params as a string": [{ ...p, params: "i32" }, "InvalidSignature", '"params" must be an array'],
  "an unknown type": [{ ...p, params: ["i32", "i46"] }, "InvalidSignature", 'did you mean "i64"?'],
  "a type that is no string": [{ ...p, results: [127] }, "InvalidSignature", "has 127 at position 0"],
  "a hole": [{ ...p, params: [, "i32"] }, "InvalidSignature", "has undefined at position 0"], // deno-lint-ignore no-sparse-arrays
  "1001 params": [{ ...p, params: Array(1001).fill("i32") }, "InvalidSignature", "1001 types"],
  "fuel as a number": [{ ...p, fuel: 5 }, "InvalidFuel", "exactly one of const, linear and quadratic"],
  "fuel null": [{ ...p, fuel: null }, "InvalidFuel", "exactly one of"],
  "empty fuel": [{ ...p, fuel: {} }, "InvalidFuel", "exactly one of"],
  "two fuel forms": [
    { ...metered, fuel: { const: 1, linear: { base: 0, param: 2, wordCost: 0 } } },
    "InvalidFuel",
    "exactly one of",
  ],
  "an unknown fuel form": [{ ...p, fuel: { cubic: 1 } }, "InvalidFuel", "exactly one of"],
  "negative const": [{ ...p, fuel: { const: -1 } }, "InvalidFuel", '"fuel.const"'],
  "fractional const": [{ ...p, fuel: { const: 0.5 } }, "InvalidFuel", '"fuel.const"'],
  "const 2^64": [{ ...p, fuel: { const: 2n ** 64n } }, "InvalidFuel", '"fuel.const"'],
  "a huge const": [{ ...p, fuel: { const: 1n << 100_000n } }, "InvalidFuel", "not a huge bigint"],
  "an inexact const": [{ ...p, fuel: { const: 2 ** 60 } }, "InvalidFuel", '"fuel.const"'],
  "linear without base": [
    { ...metered, fuel: { linear: { param: 2, wordCost: 1 } } },
    "InvalidFuel",
    "fuel.linear.base",
  ],
  "linear with rate": [
    { ...metered, fuel: { linear: { base: 0, param: 2, wordCost: 1, rate: 1 } } },
    "InvalidFuel",
    'has no "rate"',
  ],
  "linear null": [{ ...metered, fuel: { linear: null } }, "InvalidFuel", '"fuel.linear" must be an object'],
  "base 2^32": [
    { ...metered, fuel: { linear: { base: 2 ** 32, param: 2, wordCost: 1 } } },
    "InvalidFuel",
    "fuel.linear.base",
  ],
  "param 0": [
    { ...metered, fuel: { linear: { base: 0, param: 0, wordCost: 1 } } },
    "InvalidFuel",
    "no such parameter",
  ],
  "param 3 of 2": [
    { ...metered, fuel: { linear: { base: 0, param: 3, wordCost: 1 } } },
    "InvalidFuel",
    "no such parameter",
  ],
  "a metered i64": [
    { ...metered, fuel: { linear: { base: 0, param: 1, wordCost: 1 } } },
    "InvalidFuel",
    "it is i64",
  ],
  "a quadratic metered i64": [
    { ...metered, fuel: { quadratic: { param: 1, wordCost: 1, divisor: 1, rate: 1 } } },
    "InvalidFuel",
    "it is i64",
  ],
  "quadratic without divisor": [
    { ...metered, fuel: { quadratic: { param: 2, wordCost: 1, rate: 1 } } },
    "InvalidFuel",
    "fuel.quadratic.divisor",
  ],
  "async as a string": [{ ...p, async: "yes" }, "InvalidFunction", '"async" must be true or false'],
};

for (const [what, [wrong, code, text]] of Object.entries(REFUSED)) {
  Deno.test(`define() and use() refuse ${what}`, () => {
    const linker = new ImportLinker();
    const byDefine = assertThrows(
      () => linker.define("m", "f", wrong as typeof p, nothing),
      PluginError,
      'Cannot define host function "m"."f": ',
    );
    assertEquals(byDefine.code, code);
    assertStringIncludes(byDefine.message, text);
    const declaration = typeof wrong === "object"
      ? Object.assign(Object.create(Object.getPrototypeOf(wrong)), wrong)
      : {};
    declaration.call = nothing;
    const plugin = {
      module: "m",
      functions: { good: { ...signature(1, ">"), call: nothing }, f: declaration },
    };
    const byUse = assertThrows(
      () => linker.use(plugin),
      PluginError,
      'Cannot use plugin "m": ',
    );
    assertStringIncludes(byUse.message, 'function "m"."f": ');
    assertEquals(byUse.code, code);
    assertEquals(linker.entries(), [], "all or nothing");
  });
}

Deno.test("fuel is kept with const as a number up to 2^32 - 1 and a bigint above", () => {
  const kept = (fuel: { const: number | bigint }) =>
    new ImportLinker().define("m", "f", { ...signature(0, ">"), fuel }, nothing).bySyscall(0)!.fuel;
  assertEquals(kept({ const: 0 }), { const: 0 });
  assertEquals(kept({ const: 7n }), { const: 7 });
  assertEquals(kept({ const: 2 ** 32 - 1 }), { const: 2 ** 32 - 1 });
  assertEquals(kept({ const: 2 ** 32 }), { const: 2n ** 32n });
  assertEquals(kept({ const: 2n ** 64n - 1n }), { const: 2n ** 64n - 1n });
});

Deno.test("a divisor of 0 is declared, as in the reference: each call traps", () => {
  const quadratic = { param: 2, wordCost: 1, divisor: 0, rate: 1 };
  const linker = new ImportLinker().define(
    "m",
    "f",
    { ...signature(0, "iI>"), fuel: { quadratic } },
    nothing,
  );
  assertEquals(linker.bySyscall(0)?.fuel, { quadratic });
});

Deno.test("async functions are recognized, others may say that they are", () => {
  const linker = new ImportLinker();
  linker.define("m", "a", signature(0, ">"), async () => await Promise.resolve());
  linker.define("m", "b", { ...signature(1, ">"), async: true }, () => Promise.resolve());
  linker.define("m", "c", signature(2, ">"), nothing);
  assertEquals([0, 1, 2].map((index) => linker.bySyscall(index)!.async), [true, true, false]);
  const error = assertThrows(
    () =>
      linker.define("m", "d", { ...signature(3, ">"), async: false }, async () => await Promise.resolve()),
    PluginError,
  );
  assertEquals(error.code, "InvalidFunction");
});

Deno.test("define() refuses names and functions that are none", () => {
  const linker = new ImportLinker();
  const cases: [unknown, unknown, unknown, string][] = [
    [7, "f", nothing, "InvalidName"],
    ["m", undefined, nothing, "InvalidName"],
    ["m", Symbol("f"), nothing, "InvalidName"],
    ["m", "\ud800", nothing, "InvalidName"],
    ["m", "f", undefined, "InvalidFunction"],
    ["m", "f", {}, "InvalidFunction"],
  ];
  for (const [module, name, call, code] of cases) {
    const error = assertThrows(
      () => linker.define(module as string, name as string, signature(0, ">"), call as () => void),
      PluginError,
    );
    assertEquals(error.code, code);
  }
  assertEquals(linker.entries(), []);
});

Deno.test("a name or an index can be declared once, and the error says who has it", () => {
  const kv = defineSyscalls({
    module: "env",
    name: "kv store",
    functions: { get: { index: 1, params: [], results: [], call: () => {} } },
  });
  const linker = new ImportLinker().use(kv);
  const name = assertThrows(() => linker.define("env", "get", signature(2, ">"), nothing), PluginError);
  assertEquals(name.code, "DuplicateSyscall");
  assertStringIncludes(name.message, '"env"."get" is already declared by plugin "kv store"');
  const index = assertThrows(() => linker.define("env", "put", signature(1, ">"), nothing), PluginError);
  assertEquals(index.code, "DuplicateSyscall");
  assertStringIncludes(
    index.message,
    'index 1 of "env"."put" is already taken by "env"."get" of plugin "kv store"',
  );
  assertThrows(() => linker.use(kv), PluginError, "already declared");
  assertThrows(() => linker.intrinsic("env", "x", signature(1, ">"), "remove"), PluginError, "already taken");
});

Deno.test("use() refuses a plugin whose own functions share an index, and adds none of it", () => {
  const linker = new ImportLinker();
  const functions = {
    a: { ...signature(1, ">"), call: nothing },
    b: { ...signature(1, ">"), call: nothing },
  };
  const error = assertThrows(() => linker.use({ module: "m", functions }), PluginError);
  assertStringIncludes(error.message, 'index 1 of "m"."b" is already taken by "m"."a"');
  assertEquals(linker.entries(), []);
  assertStrictEquals(linker.bySyscall(1), undefined);
});

Deno.test("use() takes a plugin, or a namespace whose default export is one", () => {
  const plugin = { module: "m", functions: { f: { ...signature(1, "i>"), call: nothing } } };
  const namespace = Object.assign(Object.create(null), { default: plugin, other: 1 });
  assertEquals(new ImportLinker().use(plugin).entries().map((e) => [e.name, e.plugin]), [[
    "f",
    'plugin "m"',
  ]]);
  assertEquals(new ImportLinker().use(namespace).entries().length, 1);
  assertEquals(new ImportLinker().use({ module: "empty", functions: {} }).entries(), []);
});

const throwing = (what: string) =>
  new Proxy({}, {
    ownKeys: () => {
      throw new RangeError(what);
    },
    getOwnPropertyDescriptor: () => {
      throw new RangeError(what);
    },
  });

const JUNK_PLUGINS: { readonly [what: string]: unknown } = {
  "undefined": undefined,
  "null": null,
  "a string": "./kv.ts",
  "an empty object": {},
  "a namespace without default": { functionz: {} },
  "a default that is no object": { default: 7 },
  "a default that is null": { default: null },
  "a default that is no plugin": { default: {} },
  "no module": { functions: {} },
  "a module that is no string": { module: 7, functions: {} },
  "a name that is no string": { module: "m", name: 7, functions: {} },
  "functions null": { module: "m", functions: null },
  "functions as a string": { module: "m", functions: "abc" },
  "a function that is null": { module: "m", functions: { f: null } },
  "a bare function": { module: "m", functions: { f: nothing } },
  "inherited properties": Object.create({ module: "m", functions: {} }),
  "a throwing proxy": throwing("plugin"),
  "throwing functions": { module: "m", functions: throwing("functions") },
  "a throwing declaration": { module: "m", functions: { f: throwing("declaration") } },
  "a throwing getter": {
    module: "m",
    get functions() {
      throw new TypeError("getter");
    },
  },
  "a revoked proxy": (() => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  })(),
  "a promise": Promise.resolve({}),
};

for (const [what, junk] of Object.entries(JUNK_PLUGINS)) {
  Deno.test(`use() refuses ${what} with a PluginError`, () => {
    const linker = new ImportLinker();
    assertThrows(() => linker.use(junk as { default: never }), PluginError, "Cannot use ");
    assertEquals(linker.entries(), []);
  });
}

Deno.test("a getter is read once: it cannot show one value to the check and another to the linker", () => {
  let reads = 0;
  const declaration = {
    get index() {
      return ++reads === 1 ? 5 : "changed";
    },
    params: [],
    results: [],
    call: nothing,
  };
  const linker = new ImportLinker().use({ module: "m", functions: { f: declaration as never } });
  assertEquals(linker.resolve("m", "f")?.index, 5);
  assertEquals(reads, 1);
});

Deno.test("intrinsic() keeps frozen instructions, and calling it all the same is an error", () => {
  const replace: [string, number?][] = [["I32Const", 7], ["I32Add"]];
  const linker = new ImportLinker().intrinsic("m", "seven", signature(3, "i>i"), { replace });
  linker.intrinsic("m", "gone", signature(4, "iI>"), "remove");
  replace[0]![1] = 8;
  replace.push(["Drop"]);
  const intrinsic = linker.resolve("m", "seven")!.intrinsic as { replace: unknown[] };
  assertEquals(intrinsic, { replace: [["I32Const", 7], ["I32Add"]] });
  assert(
    Object.isFrozen(intrinsic) && Object.isFrozen(intrinsic.replace) &&
      intrinsic.replace.every(Object.isFrozen),
  );
  assertEquals(linker.resolve("m", "gone")!.intrinsic, "remove");
  const call = linker.bySyscall(3)!.call as () => unknown;
  assertEquals(assertThrows(() => call(), PluginError).code, "IntrinsicCalled");
});

const INTRINSICS: { readonly [what: string]: readonly [intrinsic: unknown, text: string] } = {
  "nothing": [undefined, "must be"],
  "another word": ["delete", "must be"],
  "a replace that is no array": [{ replace: "I32Add" }, "must be"],
  "remove with results": ["remove", "the function has results"],
  "an instruction that is no array": [{ replace: ["I32Add"] }, "instruction 0 must be an array"],
  "an unknown opcode": [{ replace: [["I32Add"], ["I32Ad"]] }, 'instruction 1 has no opcode named "I32Ad"'],
  "an opcode of Object.prototype": [{ replace: [["constructor"]] }, "has no opcode"],
  "an opcode that is no string": [{ replace: [[21]] }, "has no opcode named 21"],
  "CallInternal": [{ replace: [["CallInternal", 0]] }, "CallInternal, refers to code"],
  "ReturnCallInternal": [{ replace: [["ReturnCallInternal", 0]] }, "ReturnCallInternal, refers to code"],
  "RefFunc": [{ replace: [["RefFunc", 0]] }, "RefFunc, refers to code"],
  "a missing immediate": [{ replace: [["I32Const"]] }, "I32Const, needs an integer"],
  "an immediate too many": [{ replace: [["I32Add", 1]] }, "I32Add, needs no immediate"],
  "a constant out of range": [{ replace: [["I32Const", 2 ** 32]] }, "not 4294967296"],
  "a fractional constant": [{ replace: [["I32Const", 0.5]] }, "not 0.5"],
  "a bigint constant": [{ replace: [["I32Const", 1n]] }, "needs an integer"],
  "a negative depth": [{ replace: [["LocalGet", -1]] }, "from 0 to 4294967295"],
  "a table index of 65536": [{ replace: [["TableGet", 65536]] }, "from 0 to 65535"],
  "trap 14": [{ replace: [["Trap", 14]] }, "from 0 to 13"],
  "a branch before the body": [{ replace: [["Drop"], ["Br", -2]] }, "instruction 1, Br, branches out"],
  "a branch behind the end": [
    { replace: [["BrIfNez", 3], ["Drop"]] },
    "instruction 0, BrIfNez, branches out",
  ],
  "a br_table that does not fit": [
    { replace: [["BrTable", 2], ["Br", 2], ["Drop"]] },
    "BrTable, branches out",
  ],
  "a CallIndirect without payload": [{ replace: [["CallIndirect", 0]] }, "must be followed by TableGet"],
};

for (const [what, [intrinsic, text]] of Object.entries(INTRINSICS)) {
  Deno.test(`intrinsic() refuses ${what}`, () => {
    const linker = new ImportLinker();
    const error = assertThrows(
      () => linker.intrinsic("m", "f", signature(0, "i>i"), intrinsic as Intrinsic),
      PluginError,
      'Cannot define intrinsic "m"."f": ',
    );
    assertEquals(error.code, "InvalidIntrinsic");
    assertStringIncludes(error.message, text);
  });
}

Deno.test("intrinsic() takes immediates at the ends of their ranges, and branches to the end", () => {
  const replace: [string, number?][] = [
    ["I32Const", -(2 ** 31)],
    ["I32Const", 2 ** 32 - 1],
    ["TableGet", 65535],
    ["Trap", 13],
    ["CallIndirect", 0],
    ["TableGet", 0],
    ["BrTable", 1],
    ["Br", -7],
    ["BrIfEqz", 1],
  ];
  const linker = new ImportLinker().intrinsic("m", "f", signature(0, "i>i"), { replace });
  assertEquals(linker.bySyscall(0)!.intrinsic, { replace });
  assertEquals(
    assertThrows(
      () => linker.intrinsic("m", "g", { ...signature(1, ">"), fuel: { const: 1 } }, "remove"),
      PluginError,
    ).code,
    "InvalidFuel",
  );
});

Deno.test("checkImports() accepts imports that match, and none at all", () => {
  const linker = new ImportLinker().define("env", "get", signature(1, "iI>F"), () => 0);
  checkImports([wanted("env.get", "iI>F"), wanted("env.get", "iI>F")], linker, "module");
  checkImports([], undefined, "module");
});

Deno.test("checkImports() lists all problems in one error", () => {
  const plugin = {
    module: "env",
    name: "./kv.ts",
    functions: {
      _kv_get: { ...signature(1, "iii>i"), call: nothing },
      _sleep: { ...signature(2, "I>"), call: nothing },
    },
  };
  const linker = new ImportLinker().use(plugin);
  linker.define("wasi_snapshot_preview1", "fd_write", signature(3, "iiii>i"), () => 0);
  const imports = [
    wanted("env._kv_get", "iii>i"),
    wanted("env._kv_gte", "iii>i"),
    wanted("env._sleep", "i>"),
    wanted("wasi_snapshot_preview2.fd_write", "iiii>i"),
    wanted("env.random", ">I"),
  ];
  const error = assertThrows(() => checkImports(imports, linker, "app.wasm"), LinkError);
  assertEquals(error.code, "UnresolvedImportFunction");
  assertEquals(
    error.message,
    `Cannot link app.wasm: 4 of 5 imports do not match
  "env"."_kv_gte": unknown; the module wants (i32, i32, i32) -> (i32); did you mean "_kv_get" (plugin "./kv.ts")?
  "env"."_sleep": signature mismatch: the module wants (i32) -> (), plugin "./kv.ts" declares (i64) -> ()
  "wasi_snapshot_preview2"."fd_write": unknown; the module wants (i32, i32, i32, i32) -> (i32); did you mean "wasi_snapshot_preview1"."fd_write" (define())?
  "env"."random": unknown; the module wants () -> (i64)
  hint: declare the missing functions with linker.define() or linker.use(plugin)`,
  );
});

const KNOWN: { readonly [name: string]: string } = {
  "wasi_snapshot_preview1.fd_write": "plugins/wasi_snapshot_preview1.ts offers WASI",
  "wasi_unstable.fd_write": "plugins/wasi_unstable.ts offers the older WASI",
  "env.abort": "plugins/assemblyscript.ts offers what AssemblyScript imports",
  "console.log": "plugins/console.ts offers log functions",
  "spectest.print": "plugins/spectest.ts offers the print functions of the test suite",
  "wbg.__wbindgen_throw": "wasm-bindgen modules come with JavaScript",
  "./app_bg.js.__wbindgen_throw": "wasm-bindgen modules come with JavaScript",
  "gojs.runtime": "build Go programs with GOOS=wasip1",
};

Deno.test("checkImports() says which plugin offers what toolchains import, once each", () => {
  for (const [name, advice] of Object.entries(KNOWN)) {
    const at = name.lastIndexOf("."), module = name.slice(0, at);
    const imports = [name.slice(at + 1), "other"].map((name) => ({ module, name, params: [], results: [] }));
    for (const linker of [undefined, new ImportLinker()]) {
      const { hint } = assertThrows(() => checkImports(imports, linker, "module"), LinkError);
      assertEquals(hint!.split(advice).length, 2, `${name}: ${hint}`);
    }
  }
  const { hint } = assertThrows(
    () => checkImports([wanted("env.other", ">")], undefined, "module"),
    LinkError,
  );
  assert(!hint!.includes("plugins/"), hint);
});

Deno.test("checkImports() cuts the types of hostile functions", () => {
  const many = { module: "m", name: "f", params: types("i".repeat(1000)), results: types("I".repeat(1000)) };
  const linker = new ImportLinker().define("m", "f", signature(0, ">"), nothing);
  for (const offered of [undefined, linker]) {
    const { message } = assertThrows(() => checkImports([many], offered, "module"), LinkError);
    assertStringIncludes(message, "i32, … 976 more) -> (i64, ");
    assert(message.length < 1000, message);
  }
});

const MISMATCHES: readonly (readonly [declared: string, wanted: string])[] = [
  ["i>", ">"],
  [">", "i>"],
  ["i>", "I>"],
  ["i>i", "i>"],
  ["iI>", "Ii>"],
  ["f>", "F>"],
  ["r>", "x>"],
  [">iI", ">Ii"],
];

for (const [declared, want] of MISMATCHES) {
  Deno.test(`checkImports() refuses ${declared} where ${want} is wanted`, () => {
    const linker = new ImportLinker().define("m", "f", signature(0, declared), nothing);
    const error = assertThrows(() => checkImports([wanted("m.f", want)], linker, "module"), LinkError);
    assertEquals(error.code, "MalformedImportFunctionType");
    assertStringIncludes(error.message, "1 of 1 import does not match");
  });
}

Deno.test("checkImports() without a linker says that there is none", () => {
  const error = assertThrows(() => checkImports([wanted("m.f", ">")], undefined, "module"), LinkError);
  assertEquals(error.code, "UnresolvedImportFunction");
  assertStringIncludes(error.hint!, "no linker was given");
});

Deno.test("checkImports() shows hostile names escaped, and stays short and quick with many of them", () => {
  const linker = new ImportLinker();
  for (let k = 0; k < 300; k++) linker.define("env", `${"y".repeat(60)}${k}`, signature(k, ">"), nothing);
  const evil = { module: "\u001b[2J\n", name: "x".repeat(50_000), params: [], results: [] };
  const started = performance.now();
  const imports = Array.from(
    { length: 20_000 },
    (_, k) => k === 0 ? evil : wanted(`env.${"x".repeat(60)}${k}`, ">"),
  );
  const error = assertThrows(() => checkImports(imports, linker, "module"), LinkError);
  const took = performance.now() - started;
  assertStringIncludes(error.message, String.raw`"\u{1b}[2J\u{a}"."xxxxxxxx`);
  assertStringIncludes(error.message, "… and 19000 more");
  assert(error.message.length < 200_000, String(error.message.length));
  assert(took < 3000, `${took} ms`);
});

Deno.test("the linker's error does not depend on the order of declarations", () => {
  const text = (names: readonly string[]) => {
    const linker = new ImportLinker();
    for (const name of names) linker.define("m", name, signature(name.charCodeAt(2), ">"), nothing);
    return assertThrows(() => checkImports([wanted("m.aax", ">")], linker, "module"), LinkError).message;
  };
  assertEquals(text(["aab", "aac", "aad"]), text(["aad", "aab", "aac"]));
});
