/**
 * Ranges of the plain loop: one instruction at a time ends where running does, whatever the program,
 * and a range is left exactly when pc leaves it.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { REFERENCE_LIMITS, RwasmModule, TrapCode } from "../../mod.ts";
import type { ValueType } from "../../mod.ts";
import { slotsOfAll } from "../../lib/isa/module.ts";
import { Op } from "../../lib/isa/opcode.ts";
import { UNCHARGED_JUMPS_PER_INSTRUCTION } from "../../lib/limits.ts";
import { FuelMeter } from "../../lib/vm/fuel.ts";
import { Machine } from "../../lib/vm/machine.ts";
import { Exit, run } from "../../lib/vm/step.ts";
import { writeValues } from "../../lib/vm/values.ts";
import {
  fromBase64,
  type JsonValue,
  listShared,
  rawType,
  readShared,
  sharedTest,
  toRawValue,
} from "../harness.ts";
import { program } from "./notation.ts";

function machineOf(module: RwasmModule, fuelLimit?: bigint): Machine {
  return new Machine(module, REFERENCE_LIMITS, new FuelMeter(fuelLimit));
}

/** Runs until something other than a charge or the end of the range stops; a host function gives zeros. */
function runOn(machine: Machine, results: number, next: (machine: Machine) => Exit): Exit {
  const { fuel, module } = machine;
  for (;;) {
    const exit = next(machine);
    if (exit === Exit.Fuel) {
      const fromStack = module.opcodes[machine.pc] === Op.ConsumeFuelStack;
      const amount = fromStack ? machine.stack[machine.sp - 1] : module.immediates[machine.pc];
      if (!fuel.tryCharge(BigInt(amount >>> 0))) return exit;
      if (fromStack) machine.sp--;
      machine.pc++;
    } else if (exit === Exit.Syscall) {
      for (let k = 0; k < results; k++) machine.stack[machine.sp++] = 0;
      machine.pc++;
    } else if (exit !== Exit.Left) return exit;
  }
}

/** What a machine has come to. */
function stateOf(machine: Machine, exit: Exit) {
  return {
    exit,
    trap: machine.trap,
    pc: machine.pc,
    depth: machine.depth,
    capacity: machine.capacity,
    stack: machine.stack.slice(0, machine.sp),
    globals: machine.globals,
    bytes: machine.memory.bytes,
    fuel: machine.fuel.consumed(),
    uncharged: machine.fuel.uncharged,
  };
}

/** Runs of any program end within this, and one instruction at a time is slow. */
const FUEL = 20_000n;

/** Runs a module both ways and compares the ends; the most jumps there were between two charges. */
function compare(module: RwasmModule, types: readonly ValueType[], args: readonly JsonValue[]): number {
  const whole = machineOf(module, FUEL), single = machineOf(module, FUEL);
  let mostUncharged = 0;
  const exits = [whole, single].map((machine) => {
    const next = machine === whole ? (machine: Machine) => run(machine) : (machine: Machine) => {
      mostUncharged = Math.max(mostUncharged, machine.fuel.uncharged);
      return run(machine, machine.pc, 1);
    };
    let exit = module.sourcePc === 0 ? Exit.Done : runOn(machine, 0, next);
    if (exit === Exit.Done) {
      machine.start(module.sourcePc);
      machine.reserve(slotsOfAll(types));
      machine.growStack(machine.capacity);
      machine.sp = writeValues(machine.stack, 0, types, args.map(toRawValue));
      exit = runOn(machine, 0, next);
    }
    return exit;
  });
  assertEquals(stateOf(single, exits[1]), stateOf(whole, exits[0]));
  return mostUncharged;
}

interface Case {
  readonly inputs: readonly { readonly args: readonly JsonValue[] }[];
  readonly rwasm: string;
}

for (const name of listShared("golden/programs").filter((name) => !name.startsWith("syscalls"))) {
  sharedTest(`stepping through golden/programs/${name} ends where running it does`, () => {
    const file = readShared<Case & { cases?: readonly Case[] }>(`golden/programs/${name}.json`);
    for (const { inputs, rwasm } of (file.cases ?? [file]).slice(0, 40)) {
      const module = RwasmModule.decode(fromBase64(rwasm));
      for (const { args } of inputs.slice(0, 2)) {
        const types = args.map(({ type }) => rawType(type));
        // The bound of a run without charges is far away from what metered code does.
        assert(compare(module, types, args) < UNCHARGED_JUMPS_PER_INSTRUCTION);
      }
    }
  });
}

/** Code in which one instruction leads to itself, steps before it, and where it leaves the machine. */
const LOOPS: readonly (readonly [code: string, before: number, pc: number, sp: number, depth: number])[] = [
  ["Br 0", 0, 0, 0, 0],
  ["C 5, C 5, BrIfNez 0", 2, 2, 1, 0],
  ["C 5, C 0, BrIfEqz 0", 2, 2, 1, 0],
  ["CallInternal 0", 0, 0, 0, 1],
  ["ReturnCallInternal 0", 0, 0, 0, 0],
];

for (const [code, before, pc, sp, depth] of LOOPS) {
  Deno.test(`one step of ${code} is one, although it jumps to itself`, () => {
    const machine = machineOf(program(code));
    for (let k = 0; k < before; k++) run(machine, machine.pc, 1);
    assertEquals(run(machine, machine.pc, 1), Exit.Left);
    assertEquals([machine.pc, machine.sp, machine.depth], [pc, sp, depth]);
    assertEquals(machine.fuel.uncharged, 1);
  });
}

Deno.test("one step of a Return that leads to itself takes one return address", () => {
  const machine = machineOf(program("CallInternal 0, Return"));
  for (let k = 0; k < 5; k++) run(machine, 0, 1);
  machine.pc = 1;
  assertEquals([run(machine, 1, 1), machine.pc, machine.depth], [Exit.Left, 1, 4]);
});

// deno-fmt-ignore
const RANGES: readonly (readonly [what: string, from: number, count: number, exit: Exit, pc: number])[] = [
  ["the whole code", 0, 6, Exit.Done, 5],
  ["more than the code", 0, 1000, Exit.Done, 5],
  ["the first three instructions", 0, 3, Exit.Left, 3],
  ["all but the first instruction", 1, 5, Exit.Left, 0],
  ["no instruction", 0, 0, Exit.Left, 0],
  ["a negative count", 0, -1, Exit.Left, 0],
  ["an instruction that is not the next one", 2, 1, Exit.Left, 0],
  ["what is outside of the code", 6, 10, Exit.Left, 0],
  ["what is before the code", -2, 100, Exit.Left, 0],
];
for (const [what, from, count, exit, pc] of RANGES) {
  Deno.test(`a run of ${what} stops as it should`, () => {
    const machine = machineOf(program("C 1, C 2, I32Add, C 3, I32Add, Return"));
    assertEquals([run(machine, from, count), machine.pc], [exit, pc]);
  });
}

for (const pc of [2, -1, 2 ** 31 - 1, -(2 ** 31)]) {
  Deno.test(`a pc of ${pc} is outside of the code in any range`, () => {
    for (const count of [0, 1, 2, 1000]) {
      const machine = machineOf(program("Return, Return"));
      machine.pc = pc;
      assertEquals(run(machine, pc, count), Exit.Trap, `count ${count}`);
      assertEquals(run(machine, 0, count), Exit.Trap, `count ${count}`);
      assertEquals([machine.trap, machine.pc], [TrapCode.UnreachableCodeReached, pc]);
    }
  });
}

Deno.test("code of one instruction is run, not stepped, unless one is asked for", () => {
  const machine = machineOf(program("Br 0"));
  assertEquals(run(machine), Exit.Uncharged);
  assertEquals(machine.fuel.uncharged, machine.mostUncharged);
  assertEquals(run(machine, 0, 1), Exit.Uncharged);
  machine.fuel.uncharged = 0;
  assertEquals(run(machine, 0, 1), Exit.Left);
});
