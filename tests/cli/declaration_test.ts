import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { assembleWat as wat } from "../compile/wat.ts";
import { commandLine } from "./command_line.ts";

/** Every kind and type, and names that could break out of a text. */
const GUEST = wat(`(module
  (import "env" "log" (func (param i32 i64)))
  (import "env" "log" (func (param i32 i64)))
  (import "env" "ratio" (func (result f32 f64)))
  (import "a\\"b" "\\e2\\80\\aex*/" (global i32))
  (import "env" "memory" (memory 1 2))
  (table (export "table") 3 funcref)
  (global (export "count") (mut i64) (i64.const 0))
  (func (export "add") (param i32 i64 f32 f64) (result i64) local.get 1)
  (func (export "pair") (param externref) (result i32 externref) i32.const 1 local.get 0)
  (func (export "odd \\0aname*/")))`);

Deno.test("inspect --dts declares exports and imports", async () => {
  const { code, out } = await commandLine(["inspect", "x*/y.wasm", "--dts"], { "x*/y.wasm": GUEST });
  assertEquals(code, 0);
  for (
    const line of [
      '  readonly "add": (p0: number, p1: bigint, p2: number, p3: number) => bigint;',
      '  readonly "pair": (p0: unknown) => [number, unknown];',
      '  readonly "table": WebAssembly.Table;',
      '    readonly "ratio": () => [number, number];',
      '  readonly "a\\"b": {',
      '    readonly "\\u202ex*/": WebAssembly.Global;',
      '  /** mutable i64 */\n  readonly "count": WebAssembly.Global;',
    ]
  ) assertStringIncludes(out, line);
  assertEquals(out.match(/"log"/g)?.length, 1, "a name that is imported twice is declared once");
  const { declaration } = JSON.parse(
    (await commandLine(["inspect", "x*/y.wasm", "--dts", "--json"], { "x*/y.wasm": GUEST })).out,
  );
  assertEquals(`${declaration}`, out);
});

Deno.test("the declaration is TypeScript that has the types of the exports", async () => {
  const { out } = await commandLine(["inspect", "x*/y.wasm", "--dts"], { "x*/y.wasm": GUEST });
  const folder = await Deno.makeTempDir({ prefix: "rwasm-dts-" });
  try {
    await Deno.writeTextFile(`${folder}/guest.d.ts`, out);
    await Deno.writeTextFile(
      `${folder}/use.ts`,
      `import type { Exports, Imports } from "./guest.d.ts";
       declare const exports: Exports;
       export const sum: bigint = exports.add(1, 2n, 3, 4);
       export const memory: WebAssembly.Table = exports.table;
       // @ts-expect-error i64 is no number
       exports.add(1, 2, 3, 4);
       export const log: Imports["env"]["log"] = (a: number, b: bigint) => void (BigInt(a) + b);
       exports["odd \\nname*/"]();\n`,
    );
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["check", "--no-config", `${folder}/use.ts`],
      env: { NO_COLOR: "1" },
    }).output();
    assert(success, new TextDecoder().decode(stderr));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("inspect --dts works for modules that cannot be compiled, and not for .rwasm files", async () => {
  const files: Record<string, Uint8Array> = { g: wat('(module (func (export "main")))') };
  await commandLine(["compile", "g", "-o", "r"], files);
  const { code, err } = await commandLine(["inspect", "r", "--dts"], files);
  assertEquals(code, 2);
  assertStringIncludes(err, "a .rwasm file has no export names");
});
