/**
 * What compiled code must do beyond being equal instruction by instruction: deep recursion, endless
 * loops that stop, traps inside of inlined frames, host functions called from it, other loops between.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { compile, ImportLinker } from "../../mod.ts";
import { DEFAULT_LIMITS, type Limits } from "../../lib/limits.ts";
import { Op } from "../../lib/isa/opcode.ts";
import { type VerifiedModule, verify } from "../../lib/isa/verify.ts";
import { FastMachine } from "../../lib/interpreter/run.ts";
import { Program } from "../../lib/interpreter/program.ts";
import { NativeMachine } from "../../lib/native/machine.ts";
import { FuelMeter } from "../../lib/vm/fuel.ts";
import { Machine } from "../../lib/vm/machine.ts";
import { Exit, run } from "../../lib/vm/step.ts";
import { assembleWat } from "../compile/wat.ts";
import { Twins } from "./twins.ts";

function verified(
  wat: string,
  options: { consumeFuel?: boolean; limits?: Partial<Limits> } = {},
): VerifiedModule {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const module = compile(assembleWat(wat), { consumeFuel: options.consumeFuel ?? true, limits });
  return verify(module, () => undefined, { limits });
}

function startOf({ module }: VerifiedModule, name: string): number {
  const { functionExports, functionStarts } = module.info!;
  return functionStarts[functionExports.find((entry) => entry.name === name)!.index];
}

const RECURSION = `(module (memory 1)
  (func $down (export "down") (param $n i32) (result i32)
    (if (result i32) (i32.eqz (local.get $n))
      (then (i32.load (i32.const 8)))
      (else (i32.add (i32.const 1) (call $down (i32.sub (local.get $n) (i32.const 1)))))))
  (func $wide (export "wide") (param $n i32) (result i64)
    (local i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)
    (local i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)
    (local.set 50 (i64.extend_i32_u (local.get $n)))
    (if (result i64) (i32.eqz (local.get $n))
      (then (local.get 3))
      (else (i64.add (local.get 50) (call $wide (i32.sub (local.get $n) (i32.const 1))))))))`;

Deno.test("a recursion of 16,000 frames works, in small frames and in large ones", () => {
  const code = verified(RECURSION, { limits: { stackSlots: 2 ** 22 } });
  for (const [name, result] of [["down", 16_000], ["wide", 16_000 * 16_001 / 2]] as const) {
    const twins = new Twins(code);
    assertEquals(twins.run(0), "done");
    assertEquals(twins.run(startOf(code, name), ["i32"], [16_000]), "done");
    assertEquals(twins.sides[1].machine.stack[0], result);
  }
});

Deno.test("the first frame past the depth of calls traps where the plain loop traps", () => {
  for (const callDepth of [0, 1, 2, 3, 9, 10, 11, 12, 100, 1024]) {
    const code = verified(RECURSION, { limits: { callDepth } });
    for (const n of [callDepth - 1, callDepth, callDepth + 1, callDepth + 2000]) {
      if (n < 0) continue;
      const twins = new Twins(code);
      assertEquals(twins.run(0), "done");
      assertEquals(
        twins.run(startOf(code, "down"), ["i32"], [n]),
        n > callDepth ? "StackOverflow" : "done",
        `${n} calls, ${callDepth} allowed`,
      );
    }
  }
});

Deno.test("the first frame past the slots of the stack traps where the plain loop traps", () => {
  for (const stackSlots of [120, 400, 1000, 5000]) {
    const code = verified(RECURSION, { limits: { stackSlots } });
    const twins = new Twins(code);
    assertEquals(twins.run(0), "done");
    assertEquals(twins.run(startOf(code, "wide"), ["i32"], [5000]), "StackOverflow");
    assertEquals(twins.run(startOf(code, "wide"), ["i32"], [0]), "done");
  }
});

Deno.test("a trap in the depth has the return addresses of all frames", () => {
  const code = verified(`(module (memory 1)
    (func $leaf (param i32) (result i32) (i32.load (local.get 0)))
    (func $middle (param i32) (result i32) (i32.add (i32.const 1) (call $leaf (local.get 0))))
    (func (export "outer") (param $n i32) (param $at i32) (result i32) (local $sum i32)
      (loop $next
        (local.set $sum (i32.add (local.get $sum)
          (call $middle (select (local.get $at) (i32.const 0) (i32.eq (local.get $n) (i32.const 1))))))
        (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
      (i32.div_u (local.get $sum) (i32.load8_u (local.get $at)))))`);
  const twins = new Twins(code);
  assertEquals(twins.run(0), "done");
  const outer = startOf(code, "outer");
  // Often enough for the engine to put the inner functions into the outer one.
  assertEquals(twins.run(outer, ["i32", "i32"], [300_000, 70_000]), "MemoryOutOfBounds");
  assertEquals(twins.sides[1].machine.depth, 2);
  assertEquals(twins.run(outer, ["i32", "i32"], [3, 16]), "IntegerDivisionByZero");
});

for (const consumeFuel of [true, false]) {
  Deno.test(`an endless loop comes out within 50 ms, ${consumeFuel ? "with" : "without"} charges`, () => {
    const code = verified(
      `(module (func (export "spin") (local i32)
        (loop $next (local.set 0 (i32.add (local.get 0) (i32.const 1))) (br $next))))`,
      { consumeFuel },
    );
    const fuel = new FuelMeter(undefined);
    fuel.sliceBy(1_000_000);
    const machine = new Machine(code.module, code.limits, fuel);
    const loop = NativeMachine.attach(machine, new Program(code))!;
    machine.start(startOf(code, "spin"));
    const times: number[] = [];
    for (let k = 0; k < 40; k++) {
      const start = performance.now();
      const exit = loop.run();
      times.push(performance.now() - start);
      assertEquals(exit, consumeFuel ? Exit.Fuel : Exit.Uncharged);
      if (consumeFuel) {
        assert(fuel.tryCharge(BigInt(code.module.immediates[machine.pc])));
        machine.pc++;
      } else fuel.uncharged = 0;
    }
    times.sort((a, b) => a - b);
    assert(times[36] < 50, `one time in ten it took ${times[36].toFixed(1)} ms and more`);
  });
}

Deno.test("a machine goes on in another loop wherever compiled code has left it, and back", () => {
  const code = verified(`(module (memory 1)
    (func $mix (param i64 i32) (result i64) (local i32)
      (loop $again
        (local.set 0 (i64.mul (i64.xor (local.get 0) (i64.extend_i32_u (local.get 1))) (i64.const 0x100000001b3)))
        (i64.store (i32.and (local.get 1) (i32.const 0xff8)) (local.get 0))
        (br_if $again (i32.lt_u (local.tee 2 (i32.add (local.get 2) (i32.const 1))) (i32.const 5))))
      (local.get 0))
    (func (export "main") (param i32) (result i64) (local i64)
      (loop $next
        (local.set 1 (call $mix (local.get 1) (local.get 0)))
        (br_if $next (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
      (local.get 1)))`);
  const program = new Program(code), start = startOf(code, "main");
  const finish = (loops: (machine: Machine) => readonly { run(): Exit }[]) => {
    const fuel = new FuelMeter(undefined);
    fuel.sliceBy(997);
    const machine = new Machine(code.module, code.limits, fuel), list = loops(machine);
    for (const [pc, params] of [[0, 0], [start, 1]] as const) {
      machine.start(pc);
      if (params > 0) {
        machine.reserve(1);
        if (machine.stack.length === 0) machine.growStack(1);
        machine.stack[machine.sp++] = 2000;
      }
      for (let k = 0;; k++) {
        const exit = list[k % list.length].run();
        if (exit === Exit.Done) break;
        assertEquals(exit, Exit.Fuel);
        assertEquals(code.module.opcodes[machine.pc], Op.ConsumeFuel);
        assert(fuel.tryCharge(BigInt(code.module.immediates[machine.pc])));
        machine.pc++;
      }
    }
    return [
      machine.stack[0],
      machine.stack[1],
      fuel.consumed(),
      machine.memory.bytes.slice(0, 0x1000).join(),
    ];
  };
  const plain = (machine: Machine) => ({ run: () => run(machine) });
  const native = (machine: Machine) => NativeMachine.attach(machine, program)!;
  const fast = (machine: Machine) => FastMachine.attach(machine, program)!;
  const expected = finish((machine) => [plain(machine)]);
  assertEquals(finish((machine) => [native(machine)]), expected);
  assertEquals(finish((machine) => [native(machine), plain(machine)]), expected);
  assertEquals(finish((machine) => [fast(machine), native(machine)]), expected);
  assertEquals(finish((machine) => [native(machine), fast(machine), plain(machine)]), expected);
});

Deno.test("host functions are called from compiled code, which stays where it is", () => {
  const linker = new ImportLinker<{ calls: number }>();
  linker.define("host", "twice", { index: 7, params: ["i64"], results: ["i64"] }, (caller, value) => {
    caller.data.calls++;
    return 2n * (value as bigint);
  });
  const wasm = assembleWat(`(module (import "host" "twice" (func $twice (param i64) (result i64)))
    (func (export "main") (param i32) (result i64) (local i64)
      (loop $next
        (local.set 1 (i64.add (call $twice (local.get 1)) (i64.const 1)))
        (br_if $next (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
      (local.get 1)))`);
  const module = compile(wasm, { linker });
  const code = verify(module, (index) => linker.bySyscall(index));
  const twins = new Twins(code, { linker, data: () => ({ calls: 0 }), callsHost: true });
  assertEquals(twins.run(0), "done");
  assertEquals(twins.run(startOf(code, "main"), ["i32"], [50]), "done");
  assertEquals(twins.sides.map(({ store }) => store.data.calls), [50, 50]);
  assertEquals(twins.syscalls, 50);
  assertEquals(twins.stops, 2, "one for each run: its end");
});

Deno.test("what a host has done to Error does not matter, and stays", () => {
  const code = verified(`(module (memory 1)
    (func $leaf (param i32) (result i32) (i32.load (local.get 0)))
    (func (export "main") (param i32) (result i32) (i32.add (call $leaf (local.get 0)) (i32.const 1))))`);
  const errors = Error as { stackTraceLimit?: number; prepareStackTrace?: unknown };
  const before = [errors.stackTraceLimit, errors.prepareStackTrace];
  const prepare = () => "nothing";
  try {
    errors.stackTraceLimit = 0;
    errors.prepareStackTrace = prepare;
    const twins = new Twins(code);
    assertEquals(twins.run(0), "done");
    assertEquals(twins.run(startOf(code, "main"), ["i32"], [-4]), "MemoryOutOfBounds");
    assertEquals(twins.sides[1].machine.depth, 1);
    assertEquals([errors.stackTraceLimit, errors.prepareStackTrace], [0, prepare]);
  } finally {
    [errors.stackTraceLimit, errors.prepareStackTrace] = before as [number, unknown];
  }
});
