import { assertEquals } from "@std/assert";
import { F32, F64, I32, I64 } from "../../lib/wasm/module.ts";
import { OPERATOR_CODES, operatorName, OPERATORS, SHAPES } from "../../lib/wasm/opcode.ts";
import { operatorProposal } from "../../lib/wasm/proposal.ts";
import { operators, refuses } from "./notation.ts";

const accepted = OPERATORS.filter((operator) => operator !== undefined);

Deno.test("the operator table holds each accepted operator once", () => {
  // MVP 172, sign extension 5, saturating 8, bulk and table operators 10 + table.get and table.set,
  // references 3, typed select 1, tail calls 2, wide arithmetic 4.
  assertEquals(accepted.length, 172 + 5 + 8 + 10 + 2 + 3 + 1 + 2 + 4);
  for (const [code, operator] of OPERATORS.entries()) {
    if (operator !== undefined) assertEquals(operator.code, code);
  }
  const names = accepted.map((operator) => operator.name);
  assertEquals(names.length - new Set(names).size, 1); // select is there twice
});

Deno.test("the names of numeric operators agree with their types", () => {
  const types: Record<string, number> = { i32: I32, i64: I64, f32: F32, f64: F64 };
  for (const { name, results, operands, immediate } of accepted) {
    const [prefix, operation] = name.split(".");
    if (types[prefix] === undefined || operation === undefined) continue;
    const type = types[prefix];
    const conversion = /_([if](32|64))(_[su])?$/.exec(operation)?.[1];
    if (/^(eqz|eq|ne|[lg][te])(_[su])?$/.test(operation)) {
      assertEquals([...results!], [I32], name);
      assertEquals(operands!.every((operand) => operand === type), true, name);
    } else if (operation.startsWith("store")) {
      assertEquals([[...operands!], [...results!]], [[I32, type], []], name);
    } else if (operation.startsWith("load")) {
      assertEquals([[...operands!], [...results!]], [[I32], [type]], name);
    } else {
      assertEquals(results!.every((result) => result === type), true, name);
      const from = conversion === undefined ? type : types[conversion];
      if (immediate === "none") assertEquals(operands!.every((operand) => operand === from), true, name);
    }
  }
});

Deno.test("packed shapes hold the types of the table", () => {
  let packed = 0;
  for (const { code, operands, results, size, immediate } of accepted) {
    const shape = SHAPES[code];
    if (shape === 0) continue;
    packed++;
    assertEquals(immediate === "none" || immediate === "access", true);
    assertEquals(shape >> 26, size + 1);
    const types = [shape >> 8 & 0xff, shape & 0xff].filter((type) => type !== 0);
    assertEquals(types, [...operands!]);
    assertEquals([shape >> 24 & 3, shape >> 16 & 0xff], [operands!.length, results![0] ?? 0]);
  }
  // 123 numeric and 5 sign-extension operators, 8 saturating ones, 23 loads and stores.
  assertEquals(packed, 123 + 5 + 8 + 23);
});

Deno.test("an operator is either in the table, of a proposal, or unknown", () => {
  for (let code = 0; code < 0xfb; code++) {
    if (OPERATORS[code] !== undefined) {
      assertEquals(operatorProposal(code, 0), undefined, operatorName(code));
      continue;
    }
    const byte = code.toString(16).padStart(2, "0");
    const proposal = operatorProposal(code, 0);
    const [expected, message] = proposal === undefined
      ? ["UnknownOperator", new RegExp(`operator 0x${byte} does not exist`)] as const
      : ["UnsupportedProposal", new RegExp(`operator 0x${byte} belongs to the ${proposal}`)] as const;
    refuses(operators(byte), expected, message);
  }
  for (let sub = 0; sub < 0x30; sub++) {
    if (OPERATORS[0x100 + sub] !== undefined) continue;
    const expected = sub === 0x12 ? "UnsupportedProposal" : "UnknownOperator";
    refuses(operators(`fc ${sub.toString(16).padStart(2, "0")}`), expected, /operator 0xfc 0x/);
  }
  assertEquals(OPERATORS.length, OPERATOR_CODES);
});
