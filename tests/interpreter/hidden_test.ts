import { assert, assertEquals } from "@std/assert";
import { compile, RwasmModule } from "../../mod.ts";
import { SNIPPETS } from "../../lib/compile/i64.ts";
import { Op } from "../../lib/isa/opcode.ts";
import { type VerifiedModule, verify } from "../../lib/isa/verify.ts";
import { DIVISION_CORE, findHidden } from "../../lib/interpreter/hidden.ts";
import { Program } from "../../lib/interpreter/program.ts";
import { REFERENCE_HIDDEN } from "../../lib/interpreter/reference_hidden.ts";
import { referenceHiddenSource } from "../../tools/measure_hidden.ts";
import { assembleWat } from "../compile/wat.ts";
import { fromBase64, hasShared, readShared } from "../harness.ts";
import { Twins } from "./twins.ts";

const OPERATORS = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u add sub mul div_s div_u rem_s rem_u shl " +
  "shr_s shr_u rotl rotr";

/** Golden programs whose modules from the reference have no imports. */
const GOLDEN = "crc32 dispatch keccak mandel matmul mulmod nbody qsort sha256 sieve";

/** A module that uses every 64-bit operator. */
function allOperators(): RwasmModule {
  const functions = OPERATORS.split(" ").map((name, n) => {
    const type = n < 10 ? "i32" : "i64";
    return `(func (export "${name}") (param i64 i64) (result ${type}) local.get 0 local.get 1 i64.${name})`;
  });
  return compile(assembleWat(`(module ${functions.join("\n")})`));
}

function verified(module: RwasmModule): VerifiedModule {
  return verify(module, () => undefined);
}

/** Functions that have neither a signature nor a charge, without the one at 0. */
function bareFunctions({ module, starts, functionCount }: VerifiedModule): number[] {
  const numbers = Array.from({ length: functionCount }, (_, number) => number);
  return numbers.filter((number) => number > 0 && module.opcodes[starts[number]] === Op.StackCheck);
}

Deno.test("every hidden function that the compiler writes is recognized", () => {
  const hidden = findHidden(verified(allOperators()));
  assertEquals(
    [...hidden].filter((number) => number >= 0).sort((a, b) => a - b),
    SNIPPETS.map((_, number) => number),
  );
});

Deno.test("a hidden function with one instruction changed is called like any other", () => {
  const module = allOperators(), whole = verified(module), hidden = findHidden(whole);
  let changed = 0;
  for (const number of bareFunctions(whole).filter((number) => hidden[number] >= 0)) {
    const start = whole.starts[number], end = whole.starts[number + 1];
    for (let pc = start; pc < end; pc++) {
      const { opcodes, immediates } = module, op = opcodes[pc], immediate = immediates[pc];
      if (op === Op.CallInternal) continue;
      if (op === Op.I32Add) opcodes[pc] = Op.I32Sub;
      else immediates[pc] = immediate ^ 1;
      const now = findHidden(whole);
      assertEquals(now[number], -1, `${SNIPPETS[hidden[number]].name} at ${pc - start}`);
      // Divisions are nothing without their core.
      if (hidden[number] === DIVISION_CORE) {
        hidden.forEach((other, k) => {
          if (other >= 0 && SNIPPETS[other].needs >= 0) assertEquals(now[k], -1);
        });
      }
      opcodes[pc] = op;
      immediates[pc] = immediate;
      changed++;
    }
  }
  assert(changed > 500);
});

Deno.test("a division that calls something else than its core is called like any other function", () => {
  const module = allOperators(), whole = verified(module), hidden = findHidden(whole);
  const numberOf = (name: string) => hidden.indexOf(SNIPPETS.findIndex((snippet) => snippet.name === name));
  const division = numberOf("i64.div_u"), add = whole.starts[numberOf("i64.add")];
  const call = module.opcodes.indexOf(Op.CallInternal, whole.starts[division]);
  module.immediates[call] = add;
  assertEquals(findHidden(whole)[division], -1);
});

Deno.test({
  name: "the hidden functions of the reference are those its modules have",
  ignore: !hasShared,
  fn: async () => {
    const path = new URL("../../lib/interpreter/reference_hidden.ts", import.meta.url);
    assert(await Deno.readTextFile(path) === referenceHiddenSource(), "run tools/measure_hidden.ts");
    assertEquals(new Set(REFERENCE_HIDDEN.map(([number]) => number)).size, REFERENCE_HIDDEN.length);
  },
});

Deno.test({
  name: "all hidden functions of the reference's modules are recognized, and run alike in both loops",
  ignore: !hasShared,
  fn: () => {
    let raised = 0;
    for (const name of GOLDEN.split(" ")) {
      const file = readShared<{
        rwasm: string;
        inputs: readonly { fuelLimit: string | null; args: readonly { value: string }[] }[];
        expected: readonly { fuel: string }[];
      }>(`golden/programs/${name}.json`);
      const whole = verified(RwasmModule.decode(fromBase64(file.rwasm)));
      const hidden = findHidden(whole), bare = bareFunctions(whole);
      for (const number of bare) {
        // What begins like one and is none is the entry of the module.
        const entry = whole.module.sourcePc === whole.starts[number];
        if (!entry) assert(hidden[number] >= 0, `${name}: function ${number}`);
        if (hidden[number] >= 0) raised++;
      }
      const twins = new Twins(whole, { fuel: 2n ** 64n - 1n, program: new Program(whole) });
      assertEquals(twins.run(0), "done");
      file.inputs.forEach(({ args, fuelLimit }, n) => {
        if (fuelLimit !== null || BigInt(file.expected[n].fuel) > 300_000n) return;
        assertEquals(twins.run(whole.module.sourcePc, ["i32"], [Number(args[0].value) | 0]), "done");
      });
    }
    assert(raised >= 10, `${raised} were raised`);
  },
});
