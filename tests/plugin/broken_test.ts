/**
 * A plugin broken in every way a row can say, and the exact message its author gets: when the plugin is
 * used, when a program is compiled with it, and when a program calls it.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type Caller,
  compile,
  ImportLinker,
  LinkError,
  PluginError,
  RwasmExecutor,
  RwasmStore,
  type SyscallPlugin,
} from "../../mod.ts";
import { assembleWat } from "../compile/wat.ts";

/** A program that hands each call on to the host. */
const GUEST = assembleWat(`(module
  (import "kv" "get" (func $get (param i32 i64) (result i64)))
  (import "kv" "pair" (func $pair (result i32 i64)))
  (import "kv" "note" (func $note (param i32)))
  (memory (export "memory") 1)
  (func (export "get") (param i32 i64) (result i64) (call $get (local.get 0) (local.get 1)))
  (func (export "pair") (result i32 i64) (call $pair))
  (func (export "note") (param i32) (call $note (local.get 0))))`);

// deno-lint-ignore no-explicit-any -- rows replace parts by anything
type Loose = any;

/** A healthy plugin, each time a new one. */
function healthy(): Loose {
  return {
    module: "kv",
    functions: {
      get: {
        index: 1,
        params: ["i32", "i64"],
        results: ["i64"],
        call: (_: unknown, _key: number, b: bigint) => b,
      },
      pair: { index: 2, params: [], results: ["i32", "i64"], call: () => [1, 2n] },
      note: { index: 3, params: ["i32"], results: [], call: () => {} },
    },
  };
}

/** Breaks a healthy plugin in place, or gives what stands for it. */
type Break = (plugin: Loose) => unknown;

function broken(how: Break): SyscallPlugin {
  const plugin = healthy();
  const other = how(plugin);
  return typeof other === "object" && other !== null ? other as SyscallPlugin : plugin;
}

// ── when it is used ─────────────────────────────────────────────────────────────────────────────

const LOAD: { readonly [what: string]: readonly [how: Break, code: string, message: string] } = {
  "no function at all": [
    (p) => void (p.functions.get.call = undefined),
    "InvalidFunction",
    `Cannot use plugin "kv": function "kv"."get": "call" must be a function, not undefined`,
  ],
  "a name for its function that is no function": [
    (p) => void (p.functions.get.call = "kv_get"),
    "InvalidFunction",
    `Cannot use plugin "kv": function "kv"."get": "call" must be a function, not "kv_get"`,
  ],
  "a generator function": [
    (p) => void (p.functions.get.call = function* () {}),
    "InvalidFunction",
    `Cannot use plugin "kv": function "kv"."get": "call" is a generator function, which never returns results`,
  ],
  "a function that takes more than the signature has": [
    (p) => void (p.functions.get.call = (_c: unknown, a: number, b: bigint, c: number) => b + BigInt(a + c)),
    "InvalidFunction",
    `Cannot use plugin "kv": function "kv"."get": "call" takes 3 arguments after the caller, the signature has 2 parameters
  hint: call gets the caller, then one argument per parameter`,
  ],
  "an async function that says it is not": [
    (p) => void Object.assign(p.functions.get, { async: false, call: async () => await 0n }),
    "InvalidFunction",
    `Cannot use plugin "kv": function "kv"."get": "call" is an async function, but "async" is false`,
  ],
  "a word where async must be true or false": [
    (p) => void (p.functions.get.async = "yes"),
    "InvalidFunction",
    `Cannot use plugin "kv": function "kv"."get": "async" must be true or false, not "yes"`,
  ],
  "no index": [
    (p) => void (delete p.functions.get.index),
    "InvalidSignature",
    `Cannot use plugin "kv": function "kv"."get": "index" must be an integer from 0 to 2^32 - 1, not undefined`,
  ],
  "a negative index": [
    (p) => void (p.functions.get.index = -1),
    "InvalidSignature",
    `Cannot use plugin "kv": function "kv"."get": "index" must be an integer from 0 to 2^32 - 1, not -1`,
  ],
  "an index of 33 bits": [
    (p) => void (p.functions.get.index = 2 ** 32),
    "InvalidSignature",
    `Cannot use plugin "kv": function "kv"."get": "index" must be an integer from 0 to 2^32 - 1, not 4294967296`,
  ],
  "an index that another of its functions has": [
    (p) => void (p.functions.pair.index = 1),
    "DuplicateSyscall",
    `Cannot use plugin "kv": index 1 of "kv"."pair" is already taken by "kv"."get" of plugin "kv"
  hint: the code calls a function by its index, so each needs its own`,
  ],
  "a type that does not exist": [
    (p) => void (p.functions.get.params[1] = "u64"),
    "InvalidSignature",
    `Cannot use plugin "kv": function "kv"."get": "params" has "u64" at position 1, which is not a value type
  hint: did you mean "i64"?`,
  ],
  "a misspelled type": [
    (p) => void (p.functions.get.params[1] = "i46"),
    "InvalidSignature",
    `Cannot use plugin "kv": function "kv"."get": "params" has "i46" at position 1, which is not a value type
  hint: did you mean "i64"?`,
  ],
  "one type where a list must be": [
    (p) => void (p.functions.get.params = "i32"),
    "InvalidSignature",
    `Cannot use plugin "kv": function "kv"."get": "params" must be an array of value types, not "i32"`,
  ],
  "a misspelled key": [
    (p) => {
      p.functions.get.result = p.functions.get.results;
      delete p.functions.get.results;
    },
    "UnknownKey",
    `Cannot use plugin "kv": there are 2 problems
  function "kv"."get": it has "result" (did you mean "results"?)
  function "kv"."get": "results" must be an array of value types, not undefined`,
  ],
  "misspelled fuel": [
    (p) => void (p.functions.get.feul = { const: 5 }),
    "UnknownKey",
    `Cannot use plugin "kv": function "kv"."get": it has "feul"
  hint: did you mean "fuel"?`,
  ],
  "fuel that is a number": [
    (p) => void (p.functions.get.fuel = 5),
    "InvalidFuel",
    `Cannot use plugin "kv": function "kv"."get": "fuel" must be an object with exactly one of const, linear and quadratic`,
  ],
  "fuel of two forms": [
    (p) => void (p.functions.get.fuel = { const: 5, linear: { base: 1, param: 2, wordCost: 1 } }),
    "InvalidFuel",
    `Cannot use plugin "kv": function "kv"."get": "fuel" must be an object with exactly one of const, linear and quadratic`,
  ],
  "negative fuel": [
    (p) => void (p.functions.get.fuel = { const: -5 }),
    "InvalidFuel",
    `Cannot use plugin "kv": function "kv"."get": "fuel.const" must be an integer from 0 to 2^64 - 1, not -5`,
  ],
  "fuel metered by an i64": [
    (p) => void (p.functions.get.fuel = { linear: { base: 1, param: 1, wordCost: 1 } }),
    "InvalidFuel",
    `Cannot use plugin "kv": function "kv"."get": "fuel.linear.param" is 1 and must be an i32 parameter, but it is i64
  hint: param counts parameters from the last one, starting at 1`,
  ],
  "fuel metered by a parameter it does not have": [
    (p) => void (p.functions.get.fuel = { linear: { base: 1, param: 3, wordCost: 1 } }),
    "InvalidFuel",
    `Cannot use plugin "kv": function "kv"."get": "fuel.linear.param" is 3 and must be an i32 parameter, but there is no such parameter
  hint: param counts parameters from the last one, starting at 1`,
  ],
  "fuel with a misspelled number": [
    (p) => void (p.functions.get.fuel = { linear: { base: 1, param: 2, wordcost: 1 } }),
    "InvalidFuel",
    `Cannot use plugin "kv": function "kv"."get": "fuel.linear" has no "wordcost"
  hint: it has base, param, wordCost`,
  ],
  "fuel without a divisor": [
    (p) => void (p.functions.get.fuel = { quadratic: { param: 2, wordCost: 1, rate: 1 } }),
    "InvalidFuel",
    `Cannot use plugin "kv": function "kv"."get": "fuel.quadratic.divisor" must be an integer from 0 to 2^32 - 1, not undefined`,
  ],
  "an import module that is no text": [
    (p) => void (p.module = 7),
    "InvalidName",
    `Cannot use a plugin: the "module" of a plugin must be a string, not 7`,
  ],
  "an import module that is no Unicode": [
    (p) => void (p.module = "kv\ud800"),
    "InvalidName",
    `Cannot use a plugin: the "module" of a plugin "kv\\u{d800}" has an unpaired surrogate`,
  ],
  "no functions": [
    (p) => void (delete p.functions),
    "InvalidPlugin",
    `Cannot use a plugin: it has neither "functions" nor a default export that has them
  hint: a plugin file has \`export default defineSyscalls({ module, functions })\``,
  ],
  "functions under another name": [
    (p) => {
      p.function = p.functions;
      delete p.functions;
    },
    "UnknownKey",
    `Cannot use a plugin: it has "function"
  hint: did you mean "functions"?`,
  ],
  "a function that is null": [
    (p) => void (p.functions.get = null),
    "InvalidPlugin",
    `Cannot use plugin "kv": function "kv"."get": it must be an object, not null
  hint: a plugin file has \`export default defineSyscalls({ module, functions })\``,
  ],
  "its parts from a prototype": [
    (p) => Object.create(p),
    "InvalidPlugin",
    `Cannot use a plugin: it has neither "functions" nor a default export that has them
  hint: a plugin file has \`export default defineSyscalls({ module, functions })\``,
  ],
  "only a namespace without default": [
    (p) => ({ plugin: p }),
    "InvalidPlugin",
    `Cannot use a plugin: it has neither "functions" nor a default export that has them
  hint: a plugin file has \`export default defineSyscalls({ module, functions })\``,
  ],
  "a default export that is no plugin": [
    (_p) => ({ default: "kv" }),
    "InvalidPlugin",
    `Cannot use a plugin: its default export must be an object, not "kv"
  hint: a plugin file has \`export default defineSyscalls({ module, functions })\``,
  ],
  "a getter that throws": [
    (p) =>
      void Object.defineProperty(p.functions, "get", {
        enumerable: true,
        get: () => {
          throw new RangeError("no");
        },
      }),
    "InvalidPlugin",
    `Cannot use plugin "kv": function "kv"."get": reading the declaration failed`,
  ],
  "several problems in several functions": [
    (p) => {
      p.functions.get.params = ["int"];
      p.functions.get.index = 1.5;
      p.functions.pair.call = undefined;
      p.functions.note.index = 2;
    },
    "InvalidSignature",
    `Cannot use plugin "kv": there are 3 problems
  function "kv"."get": "index" must be an integer from 0 to 2^32 - 1, not 1.5
  function "kv"."get": "params" has "int" at position 0, which is not a value type (value types are i32, i64, f32, f64, funcref, externref)
  function "kv"."pair": "call" must be a function, not undefined`,
  ],
};

for (const [what, [how, code, message]] of Object.entries(LOAD)) {
  Deno.test(`a plugin is refused when it has ${what}`, () => {
    const linker = new ImportLinker();
    const error = assertThrows(() => linker.use(broken(how)), PluginError);
    assertEquals(error.message, message);
    assertEquals(error.code, code);
    assertEquals(linker.entries(), [], "nothing is added");
  });
}

// ── when a program is compiled with it ──────────────────────────────────────────────────────────

const LINK: { readonly [what: string]: readonly [how: Break, code: string, message: string] } = {
  "another type for a result": [
    (p) => void (p.functions.get.results = ["i32"]),
    "MalformedImportFunctionType",
    `Cannot link module: 1 of 3 imports does not match
  "kv"."get": signature mismatch: the module wants (i32, i64) -> (i64), plugin "kv" declares (i32, i64) -> (i32)
  hint: change the declared params and results, or use the plugin version the module was built for`,
  ],
  "parameters in another order": [
    (p) => void (p.functions.get.params = ["i64", "i32"]),
    "MalformedImportFunctionType",
    `Cannot link module: 1 of 3 imports does not match
  "kv"."get": signature mismatch: the module wants (i32, i64) -> (i64), plugin "kv" declares (i64, i32) -> (i64)
  hint: change the declared params and results, or use the plugin version the module was built for`,
  ],
  "a misspelled function": [
    (p) => {
      p.functions.gett = p.functions.get;
      delete p.functions.get;
    },
    "UnresolvedImportFunction",
    `Cannot link module: 1 of 3 imports does not match
  "kv"."get": unknown; the module wants (i32, i64) -> (i64); did you mean "gett" (plugin "kv")?
  hint: declare the missing functions with linker.define() or linker.use(plugin)`,
  ],
  "another import module": [
    (p) => void (p.module = "kb"),
    "UnresolvedImportFunction",
    `Cannot link module: 3 of 3 imports do not match
  "kv"."get": unknown; the module wants (i32, i64) -> (i64); did you mean "kb"."get" (plugin "kb")?
  "kv"."pair": unknown; the module wants () -> (i32, i64); did you mean "kb"."pair" (plugin "kb")?
  "kv"."note": unknown; the module wants (i32) -> (); did you mean "kb"."note" (plugin "kb")?
  hint: declare the missing functions with linker.define() or linker.use(plugin)`,
  ],
  "nothing of what the program wants": [
    (p) => void (p.functions = {}),
    "UnresolvedImportFunction",
    `Cannot link module: 3 of 3 imports do not match
  "kv"."get": unknown; the module wants (i32, i64) -> (i64)
  "kv"."pair": unknown; the module wants () -> (i32, i64)
  "kv"."note": unknown; the module wants (i32) -> ()
  hint: declare the missing functions with linker.define() or linker.use(plugin)`,
  ],
  "two functions that are wrong": [
    (p) => {
      delete p.functions.note;
      p.functions.pair.results = ["i32"];
    },
    "UnresolvedImportFunction",
    `Cannot link module: 2 of 3 imports do not match
  "kv"."pair": signature mismatch: the module wants () -> (i32, i64), plugin "kv" declares () -> (i32)
  "kv"."note": unknown; the module wants (i32) -> ()
  hint: declare the missing functions with linker.define() or linker.use(plugin)`,
  ],
};

for (const [what, [how, code, message]] of Object.entries(LINK)) {
  Deno.test(`a program is refused when the plugin has ${what}`, () => {
    const linker = new ImportLinker().use(broken(how));
    const error = assertThrows(() => compile(GUEST, { linker }), LinkError);
    assertEquals(error.message, message);
    assertEquals(error.code, code);
  });
}

// ── when a program calls it ─────────────────────────────────────────────────────────────────────

/** Replaces one function and calls it; the message is the first line, then the hint. */
const CALL: {
  readonly [what: string]: readonly [
    name: "get" | "pair" | "note",
    call: (caller: Caller, ...args: Loose[]) => unknown,
    code: string,
    message: string,
  ];
} = {
  "returns nothing": [
    "get",
    () => {},
    "BadSignature",
    `signature mismatch: host function "kv"."get" of plugin "kv" must return i64 (a bigint from -2^63 to 2^64 - 1), not undefined`,
  ],
  "returns a number for an i64": [
    "get",
    () => 1,
    "BadSignature",
    `signature mismatch: host function "kv"."get" of plugin "kv" must return i64 (a bigint from -2^63 to 2^64 - 1), not the number 1`,
  ],
  "returns a bigint of 65 bits": [
    "get",
    () => 2n ** 64n,
    "BadSignature",
    `signature mismatch: host function "kv"."get" of plugin "kv" must return i64 (a bigint from -2^63 to 2^64 - 1), not the bigint 18446744073709551616n`,
  ],
  "returns text": [
    "get",
    () => "8",
    "BadSignature",
    `signature mismatch: host function "kv"."get" of plugin "kv" must return i64 (a bigint from -2^63 to 2^64 - 1), not the string "8"`,
  ],
  "returns a list for one result": [
    "get",
    () => [1n],
    "BadSignature",
    `signature mismatch: host function "kv"."get" of plugin "kv" must return i64 (a bigint from -2^63 to 2^64 - 1), not an array`,
  ],
  "returns a promise": [
    "get",
    () => Promise.resolve(1n),
    "BadSignature",
    `signature mismatch: host function "kv"."get" of plugin "kv" returned a promise
  hint: declare it with async: true, or call caller.pause() and resume() with the results`,
  ],
  "returns a promise that fails": [
    "get",
    () => Promise.reject(new Error("later")),
    "BadSignature",
    `signature mismatch: host function "kv"."get" of plugin "kv" returned a promise
  hint: declare it with async: true, or call caller.pause() and resume() with the results`,
  ],
  "returns something like a promise": [
    "get",
    () => ({ then: () => {} }),
    "BadSignature",
    `signature mismatch: host function "kv"."get" of plugin "kv" returned a promise
  hint: declare it with async: true, or call caller.pause() and resume() with the results`,
  ],
  "returns one value of two": [
    "pair",
    () => [1],
    "BadSignature",
    `signature mismatch: host function "kv"."pair" of plugin "kv" must return an array of 2 values, not an array of 1 value`,
  ],
  "returns three values of two": [
    "pair",
    () => [1, 2n, 3],
    "BadSignature",
    `signature mismatch: host function "kv"."pair" of plugin "kv" must return an array of 2 values, not an array of more than 2 values`,
  ],
  "returns two values in the wrong order": [
    "pair",
    () => [2n, 1],
    "BadSignature",
    `signature mismatch: host function "kv"."pair" of plugin "kv" must return i32 (an integer number from -2^31 to 2^32 - 1) as result 0, not the bigint 2n`,
  ],
  "returns a fraction for an i32": [
    "pair",
    () => [1.5, 2n],
    "BadSignature",
    `signature mismatch: host function "kv"."pair" of plugin "kv" must return i32 (an integer number from -2^31 to 2^32 - 1) as result 0, not the number 1.5`,
  ],
  "returns an i32 of 33 bits": [
    "pair",
    () => [2 ** 32, 2n],
    "BadSignature",
    `signature mismatch: host function "kv"."pair" of plugin "kv" must return i32 (an integer number from -2^31 to 2^32 - 1) as result 0, not the number 4294967296`,
  ],
  "returns an object for two results": [
    "pair",
    () => ({ 0: 1, 1: 2n, length: 2 }),
    "BadSignature",
    `signature mismatch: host function "kv"."pair" of plugin "kv" must return an array of 2 values, not an object`,
  ],
  "returns a value where none is declared": [
    "note",
    () => 0,
    "BadSignature",
    `signature mismatch: host function "kv"."note" of plugin "kv" must return nothing (undefined), not the number 0`,
  ],
  "throws an error": [
    "note",
    () => {
      throw new TypeError("no such key");
    },
    "HostError",
    `host function failed: host function "kv"."note" of plugin "kv" threw "TypeError: no such key"`,
  ],
  "throws no error": [
    "note",
    () => {
      throw "no";
    },
    "HostError",
    `host function failed: host function "kv"."note" of plugin "kv" threw the string "no"`,
  ],
  "throws what cannot be described": [
    "note",
    () => {
      throw new Proxy(new Error("x"), {
        get: () => {
          throw 1;
        },
        getPrototypeOf: () => {
          throw 2;
        },
      });
    },
    "HostError",
    `host function failed: host function "kv"."note" of plugin "kv" threw something that cannot be described`,
  ],
  "is a class": [
    "note",
    class Note {} as Loose,
    "HostError",
    `host function failed: host function "kv"."note" of plugin "kv" threw "TypeError: Class constructor Note cannot be invoked without 'new'"`,
  ],
  "reads beyond the memory": [
    "note",
    (caller) => void caller.memory.read(65_530, 7),
    "MemoryOutOfBounds",
    `out of bounds memory access: read of 7 bytes at 65530 by host function "kv"."note" of plugin "kv"; memory has 65536 bytes`,
  ],
  "reads at a pointer of 2^31": [
    "note",
    (caller) => void caller.memory.read(-(2 ** 31), 1),
    "MemoryOutOfBounds",
    `out of bounds memory access: read of 1 bytes at 0x80000000 by host function "kv"."note" of plugin "kv"; memory has 65536 bytes`,
  ],
  "reads a fraction of a byte": [
    "note",
    (caller) => void caller.memory.read(0, 0.5),
    "HostError",
    `host function failed: host function "kv"."note" of plugin "kv" threw "Cannot read guest memory: length is the number 0.5, not an integer"`,
  ],
  "writes text": [
    "note",
    (caller) => caller.memory.write(0, "text" as Loose),
    "HostError",
    `host function failed: host function "kv"."note" of plugin "kv" threw "Cannot write guest memory: bytes must be a Uint8Array, not the string \\"text\\""`,
  ],
  "charges more fuel than there is": [
    "note",
    (caller) => caller.consumeFuel(10_001n),
    "OutOfFuel",
    `out of fuel: host function "kv"."note" of plugin "kv" needed 10001, 8962 of 10000 left`,
  ],
  "charges negative fuel": [
    "note",
    (caller) => caller.consumeFuel(-1),
    "HostError",
    `host function failed: host function "kv"."note" of plugin "kv" threw "Cannot consume fuel: fuel must be an integer from 0 to 2^64 - 1, not -1"`,
  ],
  "raises a trap that does not exist": [
    "note",
    (caller) => caller.trap("Oops" as Loose),
    "HostError",
    `host function failed: host function "kv"."note" of plugin "kv" threw "Cannot trap: the string \\"Oops\\" is not the name of a trap"`,
  ],
  "raises a trap": [
    "note",
    (caller) => caller.trap("IntegerOverflow"),
    "IntegerOverflow",
    `integer overflow: raised by host function "kv"."note" of plugin "kv"`,
  ],
  "catches the end of its call and goes on": [
    "note",
    (caller) => {
      try {
        caller.consumeFuel(10_001n);
      } catch {
        return;
      }
    },
    "OutOfFuel",
    `out of fuel: host function "kv"."note" of plugin "kv" needed 10001, 8962 of 10000 left`,
  ],
};

for (const [what, [name, call, code, message]] of Object.entries(CALL)) {
  Deno.test(`a call traps when the function ${what}`, () => {
    const linker = new ImportLinker<unknown>().use(broken((plugin) => {
      plugin.functions[name].call = call;
    }));
    const store = new RwasmStore<unknown>({ linker, fuelLimit: 10_000n });
    const executor = new RwasmExecutor(store, compile(GUEST, { linker }));
    const outcome = executor.call(name, ({ get: [7, 8n], pair: [], note: [7] })[name]);
    assert(outcome.status === "trap");
    const { trap } = outcome, hint = trap.hint === undefined ? "" : `\n  hint: ${trap.hint}`;
    assertEquals(trap.message.split("\n")[0] + hint, message);
    assertEquals(trap.code, code);
    const other = name === "note" ? executor.call("get", [7, 8n]) : executor.call("note", [7]);
    assertEquals(other.status, "done", "the store is usable");
  });
}
