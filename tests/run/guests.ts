/**
 * Guests for the tests of pausing: modules in text, each with what it is about, and a way to run one
 * to its end that notes everything a caller can see.
 *
 * @module
 */

import { type Caller, compile, ImportLinker, RwasmExecutor, RwasmStore } from "../../mod.ts";
import type { CompilationConfig, ExecutorOptions, Outcome, RwasmModule, Value } from "../../mod.ts";
import { assembleWat } from "../compile/wat.ts";
import { fnv1a64, show } from "../harness.ts";

/** What host functions of the guests note. */
export interface Notes {
  /** Their calls. */
  readonly calls: string[];
}

/** Host functions for guests: each notes that it was called, after it charged what it charges itself. */
export function hostOf(): ImportLinker<Notes> {
  const note = (name: string, caller: Caller<Notes>, ...args: Value[]): void => {
    caller.data.calls.push(`${name} ${args.map(show)}`);
  };
  return new ImportLinker<Notes>()
    .define(
      "env",
      "free",
      { index: 1, params: ["i32"], results: ["i32"] },
      (caller: Caller<Notes>, x: number) => {
        note("free", caller, x);
        return x + 1;
      },
    )
    .define(
      "env",
      "fixed",
      { index: 2, params: ["i32"], results: ["i32"], fuel: { const: 70 } },
      (caller: Caller<Notes>, x: number) => {
        note("fixed", caller, x);
        return x + 2;
      },
    )
    .define(
      "env",
      "linear",
      { index: 3, params: ["i32"], results: [], fuel: { linear: { base: 5, param: 1, wordCost: 3 } } },
      (caller: Caller<Notes>, x: number) => note("linear", caller, x),
    )
    .define(
      "env",
      "charges",
      { index: 4, params: ["i32"], results: ["i32"] },
      (caller: Caller<Notes>, x: number) => {
        caller.consumeFuel(11);
        caller.memory.read(0, 1);
        caller.consumeFuel(x);
        note("charges", caller, x);
        caller.memory.write(8, Uint8Array.of(x));
        return x + 4;
      },
    )
    .define(
      "env",
      "ask",
      { index: 5, params: ["i32"], results: ["i32", "i64"] },
      (caller: Caller<Notes>, x: number) => {
        note("ask", caller, x);
        caller.pause(x);
      },
    );
}

const IMPORTS = `
  (import "env" "free" (func $free (param i32) (result i32)))
  (import "env" "fixed" (func $fixed (param i32) (result i32)))
  (import "env" "linear" (func $linear (param i32)))
  (import "env" "charges" (func $charges (param i32) (result i32)))
  (import "env" "ask" (func $ask (param i32) (result i32 i64)))
  (memory (export "memory") 1 4)`;

/** A guest: the body of a module that imports the host functions and has a memory. */
export interface Guest {
  /** What it is about. */
  readonly name: string;
  /** Its text without the imports. */
  readonly body: string;
  /** The function to call. */
  readonly call: string;
  /** Its arguments. */
  readonly params?: readonly Value[];
}

/** The places where a charge can be. */
// deno-fmt-ignore
export const PLACES: readonly Guest[] = [
  { name: "the entry of a function", call: "main", params: [3], body: `
    (func (export "main") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 7)))` },
  { name: "a loop", call: "main", params: [25], body: `
    (func (export "main") (param i32) (result i32) (local i32) (loop $l
      (local.set 1 (i32.add (local.get 1) (local.get 0)))
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 1))` },
  { name: "calls within calls", call: "main", params: [9], body: `
    (func $fib (export "main") (param i32) (result i64) (if (result i64) (i32.lt_s (local.get 0) (i32.const 2))
      (then (i64.extend_i32_s (local.get 0)))
      (else (i64.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
        (i64.div_s (i64.mul (call $fib (i32.sub (local.get 0) (i32.const 2))) (i64.const 6)) (i64.const 6))))))` },
  { name: "an indirect call", call: "main", params: [1], body: `
    (type $t (func (param i32) (result i32))) (table funcref (elem $a $b))
    (func $a (type $t) (i32.const 5)) (func $b (type $t) (call_indirect (type $t) (local.get 0) (i32.const 0)))
    (func (export "main") (param i32) (result i32) (call_indirect (type $t) (i32.const 9) (local.get 0)))` },
  { name: "initialization: segments, tables and globals", call: "main", body: `
    (table $t 20 funcref) (elem $t (i32.const 3) $f $f $f) (global $g (mut i64) (i64.const 77))
    (data (i32.const 100) "hello") (data (i32.const 60000) "there") (data "passive")
    (func $f) (func (export "main") (result i64)
      (i64.add (global.get $g) (i64.extend_i32_u (i32.load (i32.const 100)))))` },
  { name: "the start function", call: "main", body: `
    (global $g (mut i32) (i32.const 30)) (start $start)
    (func $start (loop $l (i32.store8 (i32.add (global.get $g) (i32.const 500)) (call $fixed (global.get $g)))
      (global.set $g (i32.sub (global.get $g) (i32.const 1))) (br_if $l (global.get $g))))
    (func (export "main") (result i32) (i32.load (i32.const 505)))` },
  { name: "operations on whole ranges", call: "main", params: [3000], body: `
    (table $t 10 100 funcref) (data $d "0123456789") (elem $e func $f $f) (func $f)
    (func (export "main") (param i32) (result i32)
      (memory.fill (i32.const 50) (i32.const 7) (local.get 0))
      (memory.copy (i32.const 9000) (i32.const 40) (local.get 0))
      (memory.init $d (i32.const 20000) (i32.const 2) (i32.const 8)) (data.drop $d)
      (table.init $t $e (i32.const 1) (i32.const 0) (i32.const 2))
      (table.fill $t (i32.const 5) (ref.func $f) (i32.const 4))
      (table.copy $t $t (i32.const 0) (i32.const 5) (i32.const 3))
      (drop (table.grow $t (ref.null func) (i32.const 40)))
      (drop (memory.grow (i32.const 2)))
      (i32.add (memory.size) (table.size $t)))` },
  { name: "the declared fuel of host functions", call: "main", params: [700], body: `
    (func (export "main") (param i32) (result i32)
      (call $linear (local.get 0)) (call $linear (i32.const 0)) (call $fixed (call $free (local.get 0))))` },
  { name: "charges of a host function", call: "main", params: [40], body: `
    (func (export "main") (param i32) (result i32)
      (i32.add (call $charges (local.get 0)) (call $charges (i32.add (i32.load8_u (i32.const 8)) (i32.const 0)))))` },
  { name: "the code behind a pause of a host function", call: "main", params: [6], body: `
    (func $add (param i32 i64) (result i64) (i64.add (i64.extend_i32_s (local.get 0)) (local.get 1)))
    (func (export "main") (param i32) (result i64) (local i64) (loop $l
      (local.set 1 (i64.add (local.get 1) (call $add (call $ask (local.get 0)))))
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 1))` },
];

/** More guests, for what the places do not have: floats, traps, recursion, tail calls, branch tables. */
// deno-fmt-ignore
export const MORE: readonly Guest[] = [
  { name: "floats", call: "main", params: [12], body: `
    (func (export "main") (param i32) (result f64) (local f64) (local.set 1 (f64.const 1)) (loop $l
      (local.set 1 (f64.div (f64.add (local.get 1) (f64.sqrt (f64.convert_i32_s (local.get 0)))) (f64.const 1.5)))
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 1))` },
  { name: "a trap in a loop", call: "main", params: [12], body: `
    (func (export "main") (param i32) (result i32) (loop $l
      (drop (i32.div_u (i32.const 100) (i32.sub (local.get 0) (i32.const 4))))
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 0))` },
  { name: "a trap of initialization", call: "main", body: `
    (func (export "main") (result i32) (i32.const 1)) (start $s)
    (func $s (drop (call $free (i32.const 1))) (i32.store (i32.const -1) (i32.const 0)))` },
  { name: "recursion to the end of the stack", call: "main", params: [0], body: `
    (func $f (export "main") (param i32) (result i32)
      (i32.add (i32.const 1) (call $f (i32.add (local.get 0) (i32.const 1)))))` },
  { name: "tail calls and a branch table", call: "main", params: [30], body: `
    (func $even (export "main") (param i32) (result i32)
      (if (i32.eqz (local.get 0)) (then (return (i32.const 1))))
      (return_call $odd (i32.sub (local.get 0) (i32.const 1))))
    (func $odd (param i32) (result i32) (block $c (block $b (block $a
      (br_table $a $b $c (i32.rem_u (local.get 0) (i32.const 3)))) (nop)) (nop))
      (if (i32.eqz (local.get 0)) (then (return (i32.const 0))))
      (return_call $even (i32.sub (local.get 0) (i32.const 1))))` },
  { name: "64-bit operations", call: "main", params: [15], body: `
    (func (export "main") (param i32) (result i64) (local i64) (local.set 1 (i64.const 0x123456789abcdef)) (loop $l
      (local.set 1 (i64.xor (i64.rotl (local.get 1) (i64.const 13)) (i64.mul (local.get 1) (i64.const 0x5851f42d4c957f2d))))
      (local.set 1 (i64.add (local.get 1) (i64.rem_u (i64.shr_u (local.get 1) (i64.const 7)) (i64.const 1000003))))
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 1))` },
  { name: "a sort", call: "main", params: [12], body: `
    (func (export "main") (param i32) (result i32) (local i32 i32 i32)
      (loop $fill (i32.store8 (local.get 1) (i32.mul (i32.sub (local.get 0) (local.get 1)) (i32.const 37)))
        (br_if $fill (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (local.get 0))))
      (loop $outer (local.set 1 (i32.const 1)) (loop $inner
        (if (i32.gt_u (i32.load8_u (i32.sub (local.get 1) (i32.const 1))) (i32.load8_u (local.get 1))) (then
          (local.set 3 (i32.load8_u (local.get 1)))
          (i32.store8 (local.get 1) (i32.load8_u (i32.sub (local.get 1) (i32.const 1))))
          (i32.store8 (i32.sub (local.get 1) (i32.const 1)) (local.get 3))))
        (br_if $inner (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (local.get 0))))
        (br_if $outer (i32.lt_u (local.tee 2 (i32.add (local.get 2) (i32.const 1))) (local.get 0))))
      (i32.load (i32.const 3)))` },
];

/** The binary of a guest. */
export function wasmOf({ body }: Pick<Guest, "body">): Uint8Array {
  return assembleWat(`(module ${IMPORTS} ${body})`);
}

/** A guest compiled for the host functions. */
export function moduleOf(guest: Pick<Guest, "body">, config: CompilationConfig = {}): RwasmModule {
  return compile(wasmOf(guest), { linker: hostOf(), ...config });
}

/** What a caller can see of a run. */
export interface Seen {
  /** Status and results, or the trap. */
  readonly ending: string;
  /** Fuel consumed. */
  readonly fuel: bigint;
  /** Size and hash of the memory. */
  readonly memory: string;
  /** Calls of host functions. */
  readonly calls: readonly string[];
}

/** An outcome as text; NaNs all look the same. */
export function textOf(outcome: Outcome): string {
  switch (outcome.status) {
    case "done":
      return `done ${outcome.results.map(show)}`;
    case "trap":
      return `trap ${outcome.trap.message}`;
    case "paused":
      return `paused ${outcome.reason}`;
  }
}

/** An executor on a store of its own. */
export function prepare(
  module: RwasmModule,
  fuelLimit?: bigint,
  options: ExecutorOptions = {},
): { store: RwasmStore<Notes>; executor: RwasmExecutor<Notes>; notes: Notes } {
  const notes: Notes = { calls: [] };
  const store = new RwasmStore<Notes>({ linker: hostOf(), data: notes, fuelLimit });
  return { store, executor: new RwasmExecutor(store, module, options), notes };
}

/** The results of `ask`. */
export function answer(payload: unknown): Value[] {
  return [payload as number, BigInt(payload as number) << 33n];
}

/** Notes how a run ended. */
export function seen(store: RwasmStore<Notes>, outcome: Outcome): Seen {
  return {
    ending: textOf(outcome),
    fuel: store.consumedFuel(),
    memory: `${store.memory.byteLength} ${fnv1a64(store.memory.view())}`,
    calls: [...store.data.calls],
  };
}

/** How a guest ends when nothing stops it. */
export function uninterrupted(module: RwasmModule, { call, params = [] }: Guest): Seen {
  const { store, executor } = prepare(module);
  let outcome = executor.call(call, params);
  while (outcome.status === "paused") outcome = executor.resume(answer(outcome.payload));
  return seen(store, outcome);
}
