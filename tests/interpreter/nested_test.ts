/**
 * Runs that host functions start while another one waits: their stacks lie above those of the outer
 * run, in the same memory, which may grow and move meanwhile.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { verify } from "../../lib/isa/verify.ts";
import { Program } from "../../lib/interpreter/program.ts";
import { FastMachine } from "../../lib/interpreter/run.ts";
import { DEFAULT_LIMITS } from "../../lib/limits.ts";
import { ImportLinker } from "../../lib/plugin/linker.ts";
import type { Caller } from "../../lib/plugin/plugin.ts";
import { FuelMeter } from "../../lib/vm/fuel.ts";
import { Machine } from "../../lib/vm/machine.ts";
import { Exit, run } from "../../lib/vm/step.ts";
import { RwasmStore } from "../../lib/vm/store.ts";
import { ensureCells, performSyscall } from "../../lib/vm/syscall.ts";
import { program } from "../vm/notation.ts";

/**
 * `f(n)`: calls the host, which calls `f(n - 1)`, and adds to what comes back what it kept on its stack and
 * in memory. What it does with its room depends on n: a wide frame, many frames, a table that grows, memory.
 */
// deno-fmt-ignore
const CODE = `
  LocalGet 1, BrIfNez 4, C 1, LocalSet 1, Return,
  C 1111, LocalGet 2, I32Add, LocalGet 2, C -1, I32Add, Call 1, ConsumeFuel 3, I32Add, LocalSet 1, CallInternal 20, LocalGet 1, Drop, Return, Unreachable,
  StackCheck 20, ConsumeFuel 2, C 3, LocalGet 2, I32Add, I32Const 5, I32Mul, LocalSet 1, Return
`.trim().replaceAll("\n", " ");

/** Functions that take a lot of room, one after another; the host calls them in the inner run. */
// deno-fmt-ignore
const ROOM = {
  wide: "StackCheck 60000, ConsumeFuel 2, C 0, Drop, Return",
  deep: "ConsumeFuel 1, StackCheck 9, LocalGet 1, BrIfEqz 5, LocalGet 1, C -1, I32Add, CallInternal SELF, Drop, Return",
  table: "C 5, C 3000, TableGrow 0, Drop, ConsumeFuel 1, C 9, C 6, TableSet 0, Return",
  memory: "C 1, MemoryGrow, Drop, ConsumeFuel 1, C 64, C 7, I32Store 0, Return",
  global: "C 5, GlobalSet 900, C 9, GlobalSet 4, ConsumeFuel 1, Return",
} as const;

interface Side {
  readonly machine: Machine;
  readonly store: RwasmStore<Side>;
  next: () => Exit;
  /** What the host saw. */
  readonly log: string[];
}

/** Drives a run to its end. */
function drive({ machine, store, next }: Side): string {
  for (;;) {
    const exit = next();
    if (exit === Exit.Uncharged) {
      machine.fuel.uncharged = 0;
      continue;
    }
    if (exit !== Exit.Syscall) return Exit[exit];
    const ending = performSyscall(machine, store);
    if (ending !== undefined) return ending.kind;
  }
}

/** What `f` is part of: the code, and where the functions begin that take room. */
function moduleOf() {
  let code = CODE, length = CODE.split(",").length;
  const starts: number[] = [];
  for (const text of Object.values(ROOM)) {
    starts.push(length);
    code += `, ${text.replace("SELF", String(length))}`;
    length += text.split(",").length;
  }
  // Functions that nothing calls are none: this one, which never runs, does.
  code += `, ${starts.map((start) => `C 0, CallInternal ${start}, Drop`).join(", ")}, Return`;
  return {
    code: `CallInternal ${length + 1}, ${shifted(code)}`,
    f: 1,
    starts: starts.map((start) => start + 1),
  };
}

/** The same code one instruction further. */
function shifted(code: string): string {
  return code.replace(/CallInternal (\d+)/g, (_, pc) => `CallInternal ${Number(pc) + 1}`);
}

const { code, f, starts } = moduleOf();

function sideOf(fast: boolean, callbacks: readonly number[], shared?: Program): Side {
  const linker = new ImportLinker<Side>();
  linker.define(
    "env",
    "again",
    { index: 1, params: ["i32"], results: ["i32"] },
    (caller: Caller<Side>, value) => {
      const side = caller.data, { machine, store } = side, n = value as number;
      side.log.push(`${n} at ${machine.pc}, ${machine.sp}, ${machine.depth}`);
      // What the facade does: more runs, one after another, on stacks of their own.
      for (const start of [...callbacks, f]) {
        const outer = machine.suspendOuter(), call = store.hostCall;
        machine.start(start);
        assert(machine.reserve(1) && ensureCells(machine, 1));
        machine.stack[machine.sp++] = start === f ? n : 400;
        const how = drive(side), result = machine.sp > 0 ? machine.stack[0] : -1;
        store.hostCall = call;
        machine.resumeOuter(outer);
        side.log.push(`${start} ends as ${how} with ${result}`);
        if (start === f) return result;
      }
      return 0;
    },
  );
  const verified = shared?.verified ??
    verify(program(code), (index) => linker.bySyscall(index), { limits: DEFAULT_LIMITS });
  const fuel = new FuelMeter(undefined);
  const store = new RwasmStore<Side>({ linker, limits: verified.limits, fuel });
  const machine = store.machine = new Machine(verified.module, verified.limits, fuel);
  const side: Side = { machine, store, next: () => run(machine), log: [] };
  store.data = side;
  if (fast) {
    const loop = FastMachine.attach(machine, shared ?? new Program(verified))!;
    side.next = () => loop.run();
  }
  return side;
}

/** Starts `f(n)` on a side; its result. */
function start(side: Side, n: number): string {
  const { machine } = side;
  machine.start(f);
  assert(machine.reserve(1) && ensureCells(machine, 1));
  machine.stack[machine.sp++] = n;
  const how = drive(side);
  return `${how} with ${[...machine.stack.subarray(0, machine.sp)]}, fuel ${machine.fuel.consumed()}`;
}

const CALLBACKS: readonly (readonly [what: string, callbacks: readonly number[]])[] = [
  ["do nothing more", []],
  ...Object.keys(ROOM).map((name, k) => [`need room: ${name}`, [starts[k]]] as const),
  ["need all kinds of room", starts],
];

for (const [what, callbacks] of CALLBACKS) {
  Deno.test(`nested runs that ${what} are the same in both loops`, () => {
    const plain = sideOf(false, callbacks), fast = sideOf(true, callbacks);
    for (const n of [0, 1, 2, 3, 30, 3, 0]) {
      assertEquals(start(fast, n), start(plain, n));
      assertEquals(fast.log, plain.log);
      assertEquals([fast.machine.memory.pages, fast.machine.globalWord(4)], [
        plain.machine.memory.pages,
        plain.machine.globalWord(4),
      ]);
      assertEquals(
        fast.machine.tables.at(0).elements.subarray(0, fast.machine.tables.at(0).length),
        plain.machine.tables.at(0).elements.subarray(0, plain.machine.tables.at(0).length),
      );
    }
    assert(fast.log.length > 30);
  });
}

Deno.test("a run that is moved to the fast loop while it is nested leaves the outer one where it was", () => {
  const { verified } = new Program(
    verify(program(code), () => ({ params: ["i32"], results: ["i32"] }), { limits: DEFAULT_LIMITS }),
  );
  for (const depth of [1, 2, 5]) {
    const plain = sideOf(false, starts), moved = sideOf(false, starts);
    const { machine } = moved;
    let loop: FastMachine | undefined;
    const shared = new Program(
      verify(machine.module, () => ({ params: ["i32"], results: ["i32"] }), { limits: DEFAULT_LIMITS }),
    );
    assertEquals(shared.verified.functionCount, verified.functionCount);
    moved.next = () => {
      if (moved.log.length >= depth) loop ??= FastMachine.attach(machine, shared)!;
      return loop === undefined ? run(machine) : loop.run();
    };
    for (const n of [6, 2]) assertEquals(start(moved, n), start(plain, n));
    assertEquals(moved.log, plain.log);
    assert(loop !== undefined);
  }
});

Deno.test("callbacks stay in the fast loop: no stacks are made for them", () => {
  const side = sideOf(true, []);
  start(side, 20);
  const { stack, calls } = side.machine;
  start(side, 20);
  assert(
    side.machine.stack === stack && side.machine.calls === calls,
    "the outer stacks are those of the first time",
  );
});
