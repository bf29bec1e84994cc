/**
 * Code whose charges are missing, everywhere or in places: the fast loop counts jumps and calls since the
 * last charge exactly as the plain one does, and never stays inside for long.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { compile, RwasmModule } from "../../mod.ts";
import { verify } from "../../lib/isa/verify.ts";
import { Program } from "../../lib/interpreter/program.ts";
import { FastMachine } from "../../lib/interpreter/run.ts";
import { DEFAULT_LIMITS } from "../../lib/limits.ts";
import { FuelMeter } from "../../lib/vm/fuel.ts";
import { Machine } from "../../lib/vm/machine.ts";
import { Exit } from "../../lib/vm/step.ts";
import { generateModule } from "../generate/generate.ts";
import { Failures } from "../harness.ts";
import { linkerOf, program, signature } from "../vm/notation.ts";
import { constant, encodeWasm, get, I64, loop, set, tee } from "../wasm_encoder.ts";
import { runGenerated } from "./generated.ts";
import { type TwinEnding, Twins } from "./twins.ts";

/** A loop of n iterations without charges; it leaves the stack as it was. */
const iterate = (n: number) => `C ${n}, C -1, I32Add, LocalGet 1, BrIfNez -3, Drop`;

/** Puts the function at a pc into element 0 of table 0. */
const elementZero = (pc: number) => `RefFunc ${pc}, C 1, TableGrow 0, Drop`;

/** Decoded code that jumps and calls; all of it takes no parameters and needs not end. */
// deno-fmt-ignore
const CODE: readonly string[] = [
  "C 1, Drop, Br -2",
  "C 1, BrIfNez -1, Return",
  "C 0, BrIfEqz -1, Return",
  "C 0, BrTable 1, Br -2",
  "C 3, BrTable 2, Br -2, Return, Br -4",
  "CallInternal 2, ReturnCallInternal 0, Return",
  "CallInternal 3, Br 1, Br -2, Return",
  "CallInternal 3, Br 1, Br -2, StackCheck 4, C 1, C 2, I32Add, Drop, Return",
  "C 1, Drop, ReturnCallInternal 0",
  "ReturnCallInternal 2, ReturnCallInternal 0, C 1, Drop, ReturnCallInternal 1",
  `${elementZero(7)}, C 0, ReturnCallIndirect 9, TableGet 0, SignatureCheck 9, C 0, ReturnCallIndirect 9, TableGet 0`,
  `${elementZero(8)}, C 0, CallIndirect 0, TableGet 0, Br -3, SignatureCheck 0, Return`,
  `${elementZero(8)}, C 0, CallIndirect 0, TableGet 0, Br -7, SignatureCheck 1, Return`,
  `C 0, CallIndirect 0, TableGet 0, Return`,
  "C 0, ConsumeFuelStack, Br -2",
  "C 1, ConsumeFuelStack, Br -2",
  "ConsumeFuel 0, C 1, Drop, Br -3",
  "ConsumeFuel 1, C 1, Drop, Br -3",
  // The target of the jump back is a value that waits.
  "C 5, C 9, LocalGet 2, C 3, I32Add, LocalSet 2, LocalGet 1, BrIfNez -5, Return",
  "C 5, C 2, LocalGet 2, C 3, I32Add, LocalSet 2, C -1, I32Add, LocalGet 1, BrIfNez -7, Return",
  "C 40, LocalGet 1, C 1, I32Sub, LocalTee 2, C 7, I32GtS, BrIfNez -6, Return",
  "C 40, LocalGet 1, C 1, I32Sub, LocalTee 2, BrIfNez -4, Return",
  "C 40, LocalGet 1, C 1, I32Sub, LocalTee 2, I32Eqz, BrIfEqz -5, Return",
  `${iterate(30)}, Return`,
  `${iterate(20)}, ConsumeFuel 1, ${iterate(20)}, Return`,
  `${iterate(20)}, ConsumeFuel 0, ${iterate(20)}, Return`,
  `${iterate(20)}, C 0, ConsumeFuelStack, ${iterate(20)}, Return`,
  `${iterate(20)}, C 1, ConsumeFuelStack, ${iterate(20)}, Return`,
  `${iterate(20)}, ConsumeFuel 4294967295, ${iterate(20)}, Return`,
  `${iterate(20)}, Call 1, ${iterate(20)}, Return`,
  `${iterate(20)}, Call 2, ${iterate(20)}, Return`,
  // A charge right at the target of the jump back, and one behind a call.
  "C 25, ConsumeFuel 3, C -1, I32Add, LocalGet 1, C 11, I32Eq, BrIfNez 4, LocalGet 1, BrIfNez -8, Return, C 0, BrIfEqz -1, Return",
  "CallInternal 4, CallInternal 4, CallInternal 4, Return, ConsumeFuel 2, CallInternal 7, Return, CallInternal 9, Return, Return",
  // Recursion up to the limit of calls.
  "CallInternal 0, Return",
];

const LIMITS = { ...DEFAULT_LIMITS, callDepth: 45, stackSlots: 200 };

/** How often each ending came. */
class Endings extends Map<TwinEnding, number> {
  note(ending: TwinEnding): void {
    this.set(ending, (this.get(ending) ?? 0) + 1);
  }
}

Deno.test("jumps and calls without a charge end a run at the same instruction in both loops", () => {
  const failures = new Failures(), endings = new Endings();
  const linker = linkerOf([["->", (caller) => caller.consumeFuel(1)], ["->", () => undefined]]);
  for (const code of CODE) {
    const verified = verify(program(code), (index) => linker.bySyscall(index), { limits: LIMITS });
    const lowered = new Program(verified);
    for (let most = 0; most <= 60; most += most < 30 ? 1 : 7) {
      for (const fuel of [3000n, 40n]) {
        const twins = new Twins<unknown>(verified, { linker, fuel, program: lowered });
        // Where charges bound everything, nothing is counted: the real number is never reached.
        if (!lowered.metered) { for (const { machine } of twins.sides) machine.mostUncharged = most; }
        try {
          for (let again = 0; again < 2; again++) endings.note(twins.run(0, signature("->").params));
          const [plain, fast] = twins.sides.map(({ machine }) => machine.fuel.uncharged);
          if (lowered.metered) continue;
          assertEquals(fast, plain, "counts differ at the end");
        } catch (error) {
          failures.add(`${code}, ${most} jumps, fuel ${fuel}: ${(error as Error).message}`);
        }
      }
    }
  }
  failures.report();
  for (
    const ending of ["uncharged", "done", "OutOfFuel", "StackOverflow", "BadSignature", "TableOutOfBounds"]
  ) {
    assert(endings.get(ending)! > 5, `${ending}: ${JSON.stringify([...endings])}`);
  }
});

Deno.test("generated modules from files without charges end at the same instruction in both loops", () => {
  const failures = new Failures(), endings = new Endings();
  for (let seed = 0; seed < 60; seed++) {
    const generated = generateModule(seed, { deep: 0 });
    for (const mostUncharged of [3, 17, 200]) {
      try {
        const options = { metered: false, decoded: true, fuel: 5n, mostUncharged };
        runGenerated(generated, options).endings.forEach((ending) => endings.note(ending));
      } catch (error) {
        failures.add(`seed ${seed}, ${mostUncharged} jumps: ${(error as Error).message}`);
      }
    }
  }
  failures.report();
  assert(endings.get("uncharged")! > 50 && endings.get("done")! > 50, JSON.stringify([...endings]));
});

/** Divides 64-bit numbers in a loop: each division jumps and calls by itself, as often as the numbers want. */
const DIVISIONS = encodeWasm({
  functions: [{
    name: "run",
    params: [I64, I64],
    results: [I64],
    locals: [I64],
    body: [
      ...loop(
        ...[get(0), get(1), [0x80], get(2), [0x7c], set(2)],
        ...[get(0), constant(1n), [0x88], tee(0), constant(0n), [0x52]],
      ),
      ...get(2),
    ],
  }],
});

Deno.test("what divisions jump and call inside of them counts as well", () => {
  const compiled = compile(DIVISIONS, { consumeFuel: false, entrypoint: "run" });
  const verified = verify(RwasmModule.decode(compiled.encode()), () => undefined);
  const lowered = new Program(verified), endings = new Endings();
  for (let most = 1; most < 800; most += 11) {
    const twins = new Twins(verified, { fuel: 1n, program: lowered });
    for (const { machine } of twins.sides) machine.mostUncharged = most;
    twins.run(0);
    endings.note(twins.run(verified.module.sourcePc, ["i64", "i64"], [0x1234_5678_9abc_def0n, 977n]));
    assertEquals(twins.sides[1].fuel.uncharged, twins.sides[0].fuel.uncharged);
  }
  assert(endings.get("uncharged")! > 10 && endings.get("done")! > 10, JSON.stringify([...endings]));
});

// ── coming out ──────────────────────────────────────────────────────────────────────────────────

/** Machines in the fast loop whose code never ends: without charges, with charges in places only, compiled to do without. */
const ENDLESS: readonly (readonly [what: string, code: string])[] = [
  ["a loop", "C 1, Drop, Br -2"],
  ["a loop with a call", "CallInternal 3, Br 1, Br -2, StackCheck 4, Return"],
  ["a loop that begins with a growth of memory", "C 0, MemoryGrow, Drop, Br -3"],
  ["a loop to what stays in the plain loop", "C 0, BrTable 1, Br 1, C 0, C 0, C 0, TableFill 1, Br -4"],
  [
    "a loop to a table's element",
    "C 0, C 1, TableGrow 0, Drop, C 0, TableGet 0, BrIfEqz 2, Return, C 0, BrIfEqz -5, Return",
  ],
  ["a loop to a syscall's place", "C 1, ReturnCallInternal 2, StackCheck 9, C 2, C 3, Drop, Drop, Br -5"],
  ["a loop behind a charge", "ConsumeFuel 5, C 1, Drop, Br -2"],
  [
    "tail calls behind a charge",
    "ConsumeFuel 5, C 1, Drop, ReturnCallInternal 4, C 2, Drop, ReturnCallInternal 4",
  ],
];

for (const [what, code] of ENDLESS) {
  Deno.test(`${what} without charges comes out with Exit.Uncharged, again and again`, () => {
    const verified = verify(program(code), () => undefined);
    for (const limit of [undefined, 2n ** 64n - 1n]) {
      for (const most of [1, 64, 5000]) {
        const machine = new Machine(verified.module, verified.limits, new FuelMeter(limit));
        const fast = FastMachine.attach(machine, new Program(verified))!;
        machine.start(0);
        machine.mostUncharged = most;
        for (let round = 0; round < 20; round++) {
          assertEquals(Exit[fast.run()], "Uncharged");
          assertEquals(machine.fuel.uncharged, most);
          machine.fuel.uncharged = 0;
        }
        // Nobody has looked at it: there is nothing to go on with.
        fast.run();
        assertEquals(Exit[fast.run()], "Uncharged");
        assertEquals(machine.fuel.uncharged, most);
        assert(machine.fuel.consumed() <= 5n);
      }
    }
  });
}

Deno.test("a small fuel slice comes back as soon as it is spent", () => {
  const verified = verify(program("ConsumeFuel 10, C 1, Drop, Br -3"), () => undefined);
  const fuel = new FuelMeter(undefined), machine = new Machine(verified.module, verified.limits, fuel);
  const fast = FastMachine.attach(machine, new Program(verified))!;
  machine.start(0);
  for (let round = 0; round < 100; round++) {
    const kept = fuel.slice - 1024;
    fuel.slice = 1024;
    assertEquals(Exit[fast.run()], "Fuel");
    assertEquals(fuel.slice, 4);
    fuel.slice += kept;
    assert(fuel.tryCharge(10n));
    machine.pc++;
  }
  assertEquals(fuel.consumed(), 100n * (1020n + 10n));
});
