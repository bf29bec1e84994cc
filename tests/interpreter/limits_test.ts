/**
 * Both loops at the limits: depth of calls, window of the stack, deep recursion, tables that hold
 * anything, memory that grows from both sides, globals and tables beyond those with a place, fuel at the
 * ends of its range.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { type CompilationConfig, compile, type Value } from "../../mod.ts";
import { verify } from "../../lib/isa/verify.ts";
import { DEFAULT_LIMITS, type Limits, REFERENCE_LIMITS } from "../../lib/limits.ts";
import { type Host, linkerOf, program, signature } from "../vm/notation.ts";
import { constant, encodeWasm, type FunctionSource, get, I32, I64 } from "../wasm_encoder.ts";
import { Program } from "../../lib/interpreter/program.ts";
import { type TwinEnding, type TwinOptions, Twins } from "./twins.ts";

/** Twins of hand-written code, in both forms of lowered code; how each of some runs ended. */
function twinsOf(
  code: string,
  { limits = REFERENCE_LIMITS, hosts = [], ...options }: TwinOptions<unknown> & {
    limits?: Partial<Limits>;
    hosts?: readonly Host[];
  } = {},
): Twins<unknown>[] {
  const linker = linkerOf(hosts);
  const verified = verify(program(code), (index) => linker.bySyscall(index), {
    limits,
    unknownSyscalls: "trap",
  });
  return [false, true].map((counts) =>
    new Twins<unknown>(verified, { linker, ...options, program: new Program(verified, counts) })
  );
}

/** How a run of one export ends in both loops, with charges and without, stopped at every charge where that is soon done. */
function endingsOf(
  functions: readonly FunctionSource[],
  args: readonly Value[],
  limits: Partial<Limits> = {},
  config: CompilationConfig = {},
): Set<TwinEnding> {
  const wasm = encodeWasm({ functions, pages: 1, table: functions.map((_, index) => index) });
  const endings = new Set<TwinEnding>();
  for (const consumeFuel of [true, false]) {
    const module = compile(wasm, { ...config, consumeFuel, limits });
    const verified = verify(module, () => undefined, { limits });
    for (const fuel of ["step", undefined] as const) {
      if (fuel === "step" && (!consumeFuel || args[0] as number > 100)) continue;
      const twins = new Twins(verified, { fuel });
      assertEquals(twins.run(0), "done");
      const types = args.map((value) => typeof value === "bigint" ? "i64" as const : "i32" as const);
      endings.add(twins.run(module.info!.functionStarts[0], types, args));
      // Once more: what the first run has left behind must not matter.
      endings.add(twins.run(module.info!.functionStarts[0], types, args));
    }
  }
  return endings;
}

// ── depth of calls ──────────────────────────────────────────────────────────────────────────────

/** Calls itself as often as its parameter says; the innermost call divides 64-bit numbers. */
const RECURSIVE: readonly FunctionSource[] = [{
  params: [I32],
  results: [I64],
  body: [
    ...[...get(0), 0x45, 0x04, I64, ...constant(77n), ...get(0), 0xad, ...constant(5n), 0x7c, 0x80, 0x05],
    ...[...get(0), ...constant(1), 0x6b, 0x10, 0, ...constant(3n), 0x7c, 0x0b],
  ],
}];

/** The same through a table. */
const INDIRECT: readonly FunctionSource[] = [{
  ...RECURSIVE[0],
  body: [
    ...[...get(0), 0x45, 0x04, I64, ...constant(77n), ...get(0), 0xad, ...constant(5n), 0x7c, 0x80, 0x05],
    ...[...get(0), ...constant(1), 0x6b, ...constant(0), 0x11, 0, 0, ...constant(3n), 0x7c, 0x0b],
  ],
}];

for (const [what, functions] of [["directly", RECURSIVE], ["through a table", INDIRECT]] as const) {
  Deno.test(`calls ${what} overflow at the same depth in both loops`, () => {
    for (const callDepth of [1, 2, 3, 4, 5, 63, 64, 65, 66, 1024]) {
      const endings: TwinEnding[] = [];
      for (let calls = Math.max(0, callDepth - 5); calls <= callDepth + 2; calls++) {
        const found = endingsOf(functions, [calls], { ...DEFAULT_LIMITS, callDepth });
        assertEquals(found.size, 1, `${calls} calls of ${callDepth}: ${[...found]}`);
        endings.push(...found);
      }
      assertEquals(endings.at(-1), "StackOverflow");
      assert(callDepth < 4 || endings[0] === "done", `${callDepth}: ${endings}`);
    }
  });

  Deno.test(`16,000 frames ${what} do not touch the host's stack`, () => {
    assertEquals([...endingsOf(functions, [16_000])], ["done"]);
    assertEquals([...endingsOf(functions, [16_384])], ["StackOverflow"]);
  });
}

Deno.test("100,000 tail calls take no room", () => {
  const back = [...get(0), 0x45, 0x04, I32, ...get(1), 0x05, ...get(0), ...constant(1), 0x6b];
  const next = [...get(1), ...constant(3), 0x6a];
  const direct = { params: [I32, I32], results: [I32], body: [...back, ...next, 0x12, 0, 0x0b] };
  const indirect = { ...direct, body: [...back, ...next, ...constant(0), 0x13, 0, 0, 0x0b] };
  for (const functions of [[direct], [indirect]]) {
    assertEquals([...endingsOf(functions, [99_000, 1], { ...DEFAULT_LIMITS, callDepth: 8 })], ["done"]);
  }
});

// ── window of the stack ─────────────────────────────────────────────────────────────────────────

Deno.test("the window of the stack ends at the same slot in both loops", () => {
  const endings = new Set<TwinEnding>();
  // The limit + 13; a function's frame, a frame above another, a capacity that a frame has grown.
  for (const slots of [8200, 8203, 8204, 8205, 8206, 8207, 8218, 2 ** 31 - 1, 2 ** 32 - 1]) {
    for (
      const code of [
        `StackCheck ${slots}, Return`,
        `C 1, C 2, StackCheck ${slots}, Drop, Drop, Return`,
        `StackCheck 100, BulkConst 90, CallInternal 5, BulkDrop 90, Return, StackCheck ${slots}, Return`,
        `StackCheck 5000, StackCheck ${slots}, BulkConst 8192, BulkDrop 8192, Return`,
      ]
    ) {
      for (const twins of twinsOf(code)) endings.add(twins.run(0));
    }
  }
  assertEquals(endings, new Set(["done", "StackOverflow"]));
});

Deno.test("pushes that nothing reserves fail at the same one in both loops", () => {
  const endings = new Set<TwinEnding>();
  for (let slots = 1; slots <= 65; slots++) {
    // Verification allows 32 slots that are not reserved; whether they are there depends on the caller.
    const codes = [`StackCheck 33, BulkConst ${slots}, BulkDrop ${slots}, Return`];
    if (slots <= 32) codes.push(`BulkConst ${slots}, BulkDrop ${slots}, Return`);
    if (slots <= 30) {
      // deno-fmt-ignore
      codes.push(
        `StackCheck 33, BulkConst 30, CallInternal 5, BulkDrop 30, Return, BulkConst ${slots}, C 5, C 6, I32Add, Drop, BulkDrop ${slots}, Return`,
        `BulkConst ${slots}, Drop, C 1, C 7, Call 1, Drop, Drop, BulkDrop ${slots - 1}, Return`,
        `BulkConst 9, C 1, Call 1, Drop, CallInternal 7, BulkDrop 9, Return, BulkConst ${slots}, BulkDrop ${slots}, Return`,
        `BulkConst 9, CallInternal 4, BulkDrop 9, Return, ConsumeFuel 2, BulkConst ${slots}, CallInternal 9, BulkDrop ${slots}, Return, BulkConst 8, BulkDrop 8, Return`,
      );
    }
    for (const code of codes) {
      for (const fuel of ["step", undefined] as const) {
        for (const twins of twinsOf(code, { fuel, hosts: [["i32 -> i32", (_, x) => x]] })) {
          endings.add(twins.run(0));
        }
      }
    }
  }
  assertEquals(endings, new Set(["done", "StackOverflow"]));
});

Deno.test("frames as large as the window are reached in small steps and in one", () => {
  const wide: FunctionSource = {
    params: [I32],
    results: [I32],
    locals: new Array(900).fill(I32),
    body: [...get(0), 0x45, 0x04, I32, ...get(899), 0x05, ...get(0), ...constant(1), 0x6b, 0x10, 0, 0x0b],
  };
  const endings = new Set<TwinEnding>();
  for (const calls of [0, 7, 8, 9, 10, 1160, 1161, 1162, 1163, 1170]) {
    for (const limits of [{ ...DEFAULT_LIMITS }, { ...DEFAULT_LIMITS, stackSlots: 8192 }]) {
      const found = endingsOf([wide], [calls], limits);
      assertEquals(found.size, 1);
      endings.add([...found][0]);
    }
  }
  assertEquals(endings, new Set(["done", "StackOverflow"]));
});

// ── tables, globals, memory ─────────────────────────────────────────────────────────────────────

// deno-fmt-ignore
const CALLEE = "Return, SignatureCheck 3, ConsumeFuel 1, StackCheck 3, C 1, I32Add, Return, SignatureCheck 4, C 9, Return, C 9, Return";

Deno.test("indirect calls do the same in both loops, whatever the table holds", () => {
  const endings = new Set<TwinEnding>();
  // 5 instructions and a payload in front: the functions of CALLEE begin at 9, 15 and 18.
  for (const element of [0, 1, 5, 8, 9, 10, 11, 15, 16, 18, 19, 20, 1000, -1, 0x7fff_ffff]) {
    for (const signatureIndex of [3, 4, 5]) {
      for (const index of [0, 1, 2, 3, -1]) {
        for (const table of [0, 31, 32, 99]) {
          const code =
            `LocalGet 1, C 3, TableGrow ${table}, Drop, C 5, C ${index}, CallIndirect ${signatureIndex}, TableGet ${table}, ${CALLEE}`;
          for (const fuel of ["step", 1000n] as const) {
            if (fuel !== "step" && table === 31) continue;
            for (const twins of twinsOf(code, { fuel })) {
              endings.add(twins.run(0, signature("i32 ->").params, [element]));
            }
          }
        }
      }
    }
  }
  for (
    const ending of [
      "done",
      "TableOutOfBounds",
      "IndirectCallToNull",
      "BadSignature",
      "UnreachableCodeReached",
    ]
  ) {
    assert(endings.has(ending), `${ending} among ${[...endings]}`);
  }
});

Deno.test("a signature of i64 is not one of two i32", () => {
  const functions: FunctionSource[] = [
    { params: [I32], results: [I32], body: [...constant(1n), ...get(0), 0x11, 1, 0] },
    { params: [I64], results: [I32], body: constant(64) },
    { params: [I32, I32], results: [I32], body: constant(32) },
  ];
  assertEquals([...endingsOf(functions, [1])], ["done"]);
  assertEquals([...endingsOf(functions, [2])], ["BadSignature"]);
  assertEquals([...endingsOf(functions, [3])], ["TableOutOfBounds"]);
});

Deno.test("tables grow, are filled, copied and initialized the same in both loops, in and beyond those with a place", () => {
  // deno-fmt-ignore
  const steps = (table: number, other: number) =>
    `C 7, LocalGet 2, TableGrow ${table}, C 8, LocalGet 3, TableGrow ${other}, C 1, C 5, LocalGet 5, TableFill ${table}, ` +
    `C 0, C 1, C 2, TableCopy ${other} ${table}, C 2, TableGet ${other}, TableSize ${table}, TableSize ${other}, ` +
    `C 3, C 4, TableSet ${table}, C 3, TableGet ${table}, C 0, LocalGet 7, TableGrow ${table}, I32Add, I32Add, I32Add, I32Add, I32Add, I32Add, Return`;
  const endings = new Set<TwinEnding>();
  for (const [table, other] of [[0, 1], [1, 0], [5, 5], [31, 32], [32, 31], [99, 2]]) {
    const [plain, counting] = twinsOf(steps(table, other));
    for (const twins of [plain, counting]) {
      for (const count of [4, 0, 60, 100, 5000, -1, 1]) endings.add(twins.run(0, ["i32"], [count]));
    }
  }
  assert(endings.has("done") && endings.has("TableOutOfBounds"), [...endings].join());
});

Deno.test("40 tables and 100,000 elements move with the stacks", () => {
  const grow = Array.from({ length: 40 }, (_, table) => `C ${table}, LocalGet 2, TableGrow ${table}, Drop`)
    .join(", ");
  const code = `${grow}, CallInternal ${
    2 + 160 + 1
  }, Return, StackCheck 3000, ConsumeFuel 2, C 1, TableGet 39, C 1, TableGet 3, I32Add, Drop, Return`.replace(
    String(2 + 163),
    "162",
  );
  for (const fuel of ["step", undefined] as const) {
    for (const twins of twinsOf(code, { fuel, limits: DEFAULT_LIMITS })) {
      for (const count of [2, 3000, 50_000]) assertEquals(twins.run(0, ["i32"], [count]), "done");
    }
  }
});

Deno.test("global words beyond those with a place are the same in both loops", () => {
  const words = [0, 1, 7, 1023, 1100, 5000, 1_000_000, 2 ** 31, 2 ** 32 - 2];
  const code = words.map((word, k) =>
    `C ${k + 5}, GlobalSet ${word}, GlobalGet ${word}, GlobalSet ${word + 1}`
  ).join(", ");
  for (const twins of twinsOf(`${code}, ConsumeFuel 1, ${code}, Return`, { fuel: "step" })) {
    assertEquals(twins.run(0), "done");
    assertEquals(twins.run(0), "done");
    for (const [k, word] of words.entries()) assertEquals(twins.sides[1].machine.globalWord(word), k + 5);
  }
});

Deno.test("memory that the guest and its host grow, by turns, is the same in both loops", () => {
  const grow: Host = ["->", (caller) => {
    // As the host of a WebAssembly memory does it: behind the machine's back.
    const machine = caller.data as { memory: { host?: WebAssembly.Memory; refresh(): void } };
    machine.memory.host?.grow(1);
    machine.memory.refresh();
  }];
  const code =
    "C 1, MemoryGrow, Drop, C 65532, C 7, I32Store 0, ConsumeFuel 1, Call 1, C 131068, C 8, I32Store 0, " +
    "C 65532, I32Load 0, C 1, MemoryGrow, MemorySize, I32Add, I32Add, C 196604, I32Load 0, I32Add, C 262140, I32Load 0, Return";
  for (const fuel of ["step", undefined] as const) {
    for (const twins of twinsOf(code, { fuel, hosts: [grow], limits: { memoryPages: 8 } })) {
      for (const { machine, store } of twins.sides) store.data = machine;
      assertEquals(twins.run(0), "MemoryOutOfBounds");
      assertEquals(twins.sides[1].machine.memory.pages, 3);
      assertEquals(twins.run(0), "done");
    }
  }
});

Deno.test("a memory that the host has made, with pages or without, serves both loops", () => {
  for (const initial of [0, 1, 3]) {
    for (
      const twins of twinsOf("C 0, I32Load 0, C 1, MemoryGrow, I32Add, C 4, I32Load 0, I32Add, Return", {
        limits: { memoryPages: 9 },
      })
    ) {
      for (const { machine } of twins.sides) {
        machine.memory.adopt(new WebAssembly.Memory({ initial, maximum: 9 }));
      }
      assertEquals(twins.run(0), initial === 0 ? "MemoryOutOfBounds" : "done");
      if (initial === 0) continue;
      assertEquals(twins.run(0), "done");
    }
  }
});

// ── fuel ────────────────────────────────────────────────────────────────────────────────────────

Deno.test("fuel runs out at the same charge in both loops, whatever the limit", () => {
  const code =
    "ConsumeFuel 7, C 5, C -1, I32Add, ConsumeFuel 3, LocalGet 1, BrIfNez -4, CallInternal 10, ConsumeFuel 1, Return, ConsumeFuel 2, StackCheck 9, C 11, ConsumeFuelStack, Drop, Return";
  const endings = new Set<TwinEnding>();
  for (let fuel = 0n; fuel < 60n; fuel++) {
    for (const twins of twinsOf(code, { fuel })) {
      endings.add(twins.run(0));
      endings.add(twins.run(0));
      assertEquals(twins.sides[1].fuel.consumed(), twins.sides[0].fuel.consumed());
    }
  }
  assertEquals(endings, new Set(["OutOfFuel", "done"]));
});

Deno.test("charges of all sizes are exact in both loops, up to the ends of 64 bits", () => {
  const amounts = [
    1,
    2 ** 30 - 1,
    2 ** 30,
    2 ** 30 + 1,
    2_000_000,
    2_000_001,
    2 ** 31 - 1,
    2 ** 31,
    2 ** 32 - 1,
  ];
  const limits = [undefined, 2n ** 30n, 2n ** 31n, 2n ** 32n, 2n ** 33n, 2n ** 64n - 2n, 2n ** 64n - 1n];
  for (const amount of amounts) {
    const code = `ConsumeFuel ${amount}, C ${
      amount | 0
    }, ConsumeFuelStack, ConsumeFuel 5, C 0, ConsumeFuelStack, Return`;
    for (const fuel of limits) {
      for (const twins of twinsOf(code, { fuel })) {
        // Consumed before: the counter is near its end.
        for (const before of [0n, 2n ** 64n - 10n]) {
          for (const side of twins.sides) {
            side.fuel.reset(fuel);
            side.fuel.tryCharge(before);
          }
          twins.run(0);
          assertEquals(twins.sides[1].fuel.consumed(), twins.sides[0].fuel.consumed());
        }
      }
    }
  }
});
