import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { createWebAssembly, RwasmError, UsageError } from "../../mod.ts";
import { sameAsHost, wat } from "./side_by_side.ts";

const EVERYTHING = `(module
  (func (import "env" "f") (param i32))
  (table (import "env" "t") 1 funcref)
  (memory (import "env" "m") 1)
  (global (import "other" "g") i64)
  (global $own (export "own") (mut f32) (f32.const 1.5))
  (func (export "run"))
  (export "again" (func 0))
  (export "memory" (memory 0))
  (export "table" (table 0)))`;

/** A module with two custom sections named "note" and one named "empty". */
const CUSTOM = Uint8Array.from([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...[0, 7, 4, ...new TextEncoder().encode("note"), 1, 2],
  ...[0, 6, 5, ...new TextEncoder().encode("empty")],
  ...[0, 6, 4, ...new TextEncoder().encode("note"), 3],
]);

sameAsHost("Module.imports() and Module.exports() list descriptors in order", ({ W, module, note }) => {
  note(() => W.Module.imports(module(EVERYTHING)));
  note(() => W.Module.exports(module(EVERYTHING)));
  note(() => W.Module.imports(module("(module)")));
  note(() => W.Module.exports({}));
  note(() => W.Module.imports());
});

sameAsHost("Module.customSections() copies the sections of a name", ({ W, note }) => {
  const module = new W.Module(CUSTOM);
  const bytes = (name?: unknown) =>
    W.Module.customSections(module, name).map((buffer: ArrayBuffer) => [...new Uint8Array(buffer)]);
  note(() => bytes("note"));
  note(() => bytes("empty"));
  note(() => bytes("none"));
  note(() => bytes(undefined));
  note(() => W.Module.customSections(module, "note")[0]);
  note(() => {
    new Uint8Array(W.Module.customSections(module, "note")[0]).fill(9);
    return bytes("note");
  });
});

/** What is and is not a source of bytes, and what is and is not a module. */
const SOURCES: readonly unknown[] = [
  CUSTOM,
  CUSTOM.buffer,
  new Uint8Array([0xff, ...CUSTOM]).subarray(1),
  new Uint8Array(),
  new ArrayBuffer(0),
  new ArrayBuffer(8),
  CUSTOM.subarray(0, 10),
  Uint8Array.of(0, 0x61, 0x73, 0x6d, 2, 0, 0, 0),
  [...CUSTOM],
  "wasm",
  undefined,
  null,
  {},
  { [Symbol.toStringTag]: "ArrayBuffer", byteLength: 8 },
  wat('(module (func (export "f") (result i32) i32.const 1))'),
];

sameAsHost("bytes come from buffers and views, and are checked alike by all ways in", async ({ W, note }) => {
  const settle = async (promise: Promise<unknown>) => {
    let settled: () => unknown;
    try {
      const value = await promise;
      settled = () => value;
    } catch (error) {
      settled = () => {
        throw error;
      };
    }
    note(settled);
  };
  for (const source of SOURCES) {
    note(() => new W.Module(source));
    note(() => W.validate(source));
    await settle(W.compile(source));
    await settle(W.instantiate(source));
  }
});

sameAsHost("a module keeps its own copy of the bytes", ({ W, note }) => {
  const bytes = wat(`(module (func (export "f") (result i32) i32.const 7))`);
  const module = new W.Module(bytes);
  bytes.fill(0);
  note(() => new W.Instance(module).exports.f());
});

sameAsHost(
  "instantiate() gives an instance for a module, and both for bytes",
  async ({ W, note, module }) => {
    const text = `(module (func (import "m" "f")) (func (export "g") (result i32) i32.const 3))`;
    const imports = { m: { f: () => {} } };
    const both = await W.instantiate(wat(text), imports);
    note(() => Object.keys(both));
    note(() => both.module instanceof W.Module);
    note(() => both.instance.exports.g());
    const instance = await W.instantiate(module(text), imports);
    note(() => instance instanceof W.Instance);
    note(() => instance.exports === instance.exports);
    for (const wrong of [undefined, null, 1, {}, { m: {} }, { m: 7 }, { m: { f: 1 } }]) {
      for (const source of [module(text), wat(text)]) {
        const error = await W.instantiate(source, wrong).then(
          () => "instantiated",
          (error: unknown) => error,
        );
        note(() => error);
      }
    }
  },
);

sameAsHost("streams need a response of the right type", async ({ W, note }) => {
  const bytes = wat(`(module (func (export "g") (result i32) i32.const 3))`);
  const response = (type: string, status = 200) =>
    new Response(bytes.slice(), { status, headers: { "content-type": type } });
  const outcome = (promise: Promise<unknown>) => promise.then(String, (error: unknown) => error);
  const streamed = await W.instantiateStreaming(response("application/wasm"));
  note(() => streamed.instance.exports.g());
  const compiled = await W.compileStreaming(Promise.resolve(response("Application/WASM")));
  note(() => compiled instanceof W.Module);
  for (
    const source of [
      response("text/plain"),
      response("application/wasm; x=1"),
      7,
      response("application/wasm", 404),
    ]
  ) {
    const found = await outcome(W.compileStreaming(source));
    note(() => found);
  }
});

sameAsHost("the error classes are errors of their own", ({ W, note }) => {
  for (const name of ["CompileError", "LinkError", "RuntimeError"]) {
    const error = new W[name]("text", { cause: 1 });
    note(() => error instanceof Error);
    note(() => [error.name, error.message, error.cause, `${error}`, Object.keys(error)]);
    note(() => W[name]("called") instanceof W[name]);
    note(() => new W[name]().message);
    note(() => W[name]);
    note(() => Object.prototype.toString.call(error));
    note(() => {
      class Sub extends W[name] {}
      return new Sub() instanceof Sub;
    });
  }
});

sameAsHost("the object and its classes look like the host's", ({ W, note }) => {
  note(() => String(W));
  note(() => Object.keys(W).filter((name) => !/Streaming|Tag|promising|Suspend/.test(name)).sort());
  for (const name of ["Module", "Instance", "Memory", "Table", "Global"]) {
    note(() => W[name]);
    note(() => W[name]());
    note(() => W[name].prototype[Symbol.toStringTag]);
    note(() => Object.keys(W[name].prototype).filter((key) => !/Buffer$/.test(key)).sort());
    note(() => new W[name]());
  }
  note(() => W.Instance.prototype.exports);
  note(() => W.Table.prototype.length);
  note(() => W.Global.prototype.value);
  note(() => new W.Instance({}));
  for (const name of ["compile", "instantiate", "validate"]) note(() => W[name]);
});

Deno.test("what the machine does not accept is invalid, and the error says which proposal it needs", () => {
  const W = createWebAssembly();
  // (module (func (drop (v128.const 0)))): SIMD
  const simd = Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 23, 1, 21, 0],
    ...[0xfd, 12, ...new Array(16).fill(0), 0x1a, 0x0b],
  ]);
  assertEquals(WebAssembly.validate(simd), true);
  assertEquals(W.validate(simd), false);
  const error = assertThrows(() => new W.Module(simd), W.CompileError);
  assertStringIncludes(error.message, "SIMD");
  assertInstanceOf(error.cause, RwasmError);
});

Deno.test("a module beyond the limits is a CompileError that names the limit", () => {
  const W = createWebAssembly({ limits: { memoryPages: 2 } });
  const error = assertThrows(() => new W.Module(wat("(module (memory 3))")), W.CompileError);
  assertStringIncludes(error.message, "limits.memoryPages");
});

Deno.test("an import name that occurs with two types is a CompileError", () => {
  const W = createWebAssembly();
  const twice = (first: string, second: string) =>
    wat(`(module (func $a (import "m" "f") ${first}) (func $b (import "m" "f") ${second})
      (func (export "both") (result i32) (i32.add (call $a) (call $b))))`);
  const error = assertThrows(() =>
    new W.Module(twice("(result i32)", "(result i64)".replace("64", "32 i32")))
  );
  assertInstanceOf(error, W.CompileError);
  let calls = 0;
  const { exports } = new W.Instance(new W.Module(twice("(result i32)", "(result i32)")), {
    m: { f: () => ++calls },
  });
  assertEquals((exports.both as () => number)(), 3);
});

Deno.test("bytes may come from any view, as the interface says, though not every host takes a DataView", () => {
  const W = createWebAssembly();
  assertEquals(W.validate(new DataView(CUSTOM.buffer, 0, 8)), true);
  assertEquals(W.validate(new DataView(CUSTOM.buffer, 1, 8)), false);
  const detached = CUSTOM.slice();
  detached.buffer.transfer();
  assertEquals(W.validate(detached), false);
});

Deno.test("wrong options are UsageErrors", async () => {
  const wrong: readonly (readonly [object, string])[] = [
    [{ fuelLimit: -1 }, "InvalidFuel"],
    [{ limits: { memoryPages: "many" } }, "InvalidLimit"],
    [{ floats: "sloppy" }, "InvalidConfig"],
    [{ engine: "steam" }, "UnknownEngine"],
    [{ fuel: 1 }, "InvalidConfig"],
  ];
  for (const [options, code] of wrong) {
    const error = assertThrows(() => createWebAssembly(options as never), UsageError);
    assertEquals(error.code, code);
  }
  const W = createWebAssembly();
  await assertRejects(() => W.instantiate(7 as never), TypeError);
});

Deno.test("objects of one facade are strangers to another", () => {
  const one = createWebAssembly(), other = createWebAssembly();
  const module = new one.Module(wat(`(module (table (import "m" "t") 0 funcref))`));
  const error = assertThrows(() => new other.Instance(module), TypeError);
  assertStringIncludes(error.message, "facade");
  const t = new other.Table({ element: "anyfunc", initial: 0 });
  assertThrows(() => new one.Instance(module, { m: { t } }), one.LinkError);
});
