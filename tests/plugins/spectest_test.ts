import { assertEquals, assertThrows } from "@std/assert";
import { compile, CompileError, ImportLinker, RwasmExecutor, RwasmStore } from "../../mod.ts";
import spectest, { createSpectest } from "../../plugins/spectest.ts";
import { assembleWat } from "../compile/wat.ts";
import { guest } from "./guest.ts";

Deno.test("spectest prints the arguments of each of its functions as a line", () => {
  const lines: string[] = [];
  const { call } = guest(
    `(module
      (import "spectest" "print" (func $print))
      (import "spectest" "print_i32" (func $i32 (param i32)))
      (import "spectest" "print_i64" (func $i64 (param i64)))
      (import "spectest" "print_f32" (func $f32 (param f32)))
      (import "spectest" "print_f64" (func $f64 (param f64)))
      (import "spectest" "print_i32_f32" (func $i32_f32 (param i32 f32)))
      (import "spectest" "print_f64_f64" (func $f64_f64 (param f64 f64)))
      (func (export "main")
        (call $print)
        (call $i32 (i32.const -1))
        (call $i64 (i64.const -9223372036854775808))
        (call $f32 (f32.const 0.5))
        (call $f64 (f64.const -0))
        (call $i32_f32 (i32.const 24) (f32.const inf))
        (call $f64_f64 (f64.const 1e300) (f64.const 0.1))))`,
    createSpectest({ write: (line) => void lines.push(line) }),
  );
  assertEquals(call("main").status, "done");
  assertEquals(lines, ["", "-1", "-9223372036854775808", "0.5", "-0", "24 Infinity", "1e+300 0.1"]);
});

Deno.test("spectest costs no fuel", () => {
  assertEquals(Object.values(spectest.functions).filter(({ fuel }) => fuel !== undefined), []);
});

Deno.test("of what else spectest has, integer globals work with an option, tables and memories do not", () => {
  const linker = new ImportLinker<undefined>().use(spectest);
  const globals = assembleWat(`(module
    (import "spectest" "global_i32" (global $i32 i32)) (import "spectest" "global_i64" (global $i64 i64))
    (func (export "sum") (result i64) (i64.add (i64.extend_i32_s (global.get $i32)) (global.get $i64))))`);
  const module = compile(globals, { linker, defaultImportedGlobalValue: 666n });
  assertEquals(new RwasmExecutor(new RwasmStore({ linker }), module).call("sum"), {
    status: "done",
    results: [1332n],
  });
  const refused = [
    `(module (import "spectest" "global_i32" (global i32)))`,
    `(module (import "spectest" "table" (table 10 20 funcref)))`,
    `(module (import "spectest" "memory" (memory 1 2)))`,
  ];
  for (const text of refused) {
    const error = assertThrows(() => compile(assembleWat(text), { linker }), CompileError);
    assertEquals(error.code, "NotSupportedImportType", text);
  }
});
