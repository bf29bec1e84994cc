import { assert, assertEquals } from "@std/assert";
import { TRAP_NAMES } from "../../lib/error.ts";
import { RwasmModule } from "../../lib/isa/module.ts";
import {
  FIRST_FLOAT_OP,
  immediateOf,
  immediateRange,
  Op,
  OP_COUNT,
  OP_NAMES,
  opOfWireCode,
  POPS,
  PUSHES,
  semanticsOf,
  trapsOf,
  wireCode,
} from "../../lib/isa/opcode.ts";
import { assemble, disassemble } from "../../lib/isa/text.ts";
import { OPCODE_SAMPLES } from "./samples.ts";

Deno.test("the opcode table has the opcodes of the specification, in its order", () => {
  assertEquals(OP_COUNT, 94 + 70);
  assertEquals([...OP_NAMES], OPCODE_SAMPLES.map((sample) => sample.name));
});

Deno.test("dense numbers and wire codes map to each other", () => {
  for (const [op, { name, code }] of OPCODE_SAMPLES.entries()) {
    assertEquals(Op[name as keyof typeof Op], op, name);
    assertEquals(wireCode(op), code, name);
    assertEquals(opOfWireCode(code), op, name);
  }
  assertEquals(OP_NAMES[FIRST_FLOAT_OP], "F32Load");
});

Deno.test("codes outside of the two ranges are no opcodes", () => {
  for (const code of [94, 95, 500, 999, 1070, 1071, 65_536, 2 ** 31, 2 ** 32 - 1]) {
    assertEquals(opOfWireCode(code), -1, String(code));
  }
});

Deno.test("every opcode has an assembler sample that encodes as specified and round-trips", () => {
  for (const { line, hex } of OPCODE_SAMPLES) {
    const bytes = assemble(line).encode();
    assertEquals(bytes.toHex().slice(6 + 16, -(3 * 16 + 8)), hex, line);
    const decoded = RwasmModule.decode(bytes);
    assertEquals(decoded.encode(), bytes, line);
    assertEquals(assemble(disassemble(decoded)).encode(), bytes, line);
  }
});

Deno.test("rows are complete: stack effects, known traps, a text, a range for each immediate", () => {
  const known: readonly string[] = TRAP_NAMES;
  for (let op = 0; op < OP_COUNT; op++) {
    const name = OP_NAMES[op];
    assert(POPS[op]! <= 8 && PUSHES[op]! <= 4, `${name}: stack effect`);
    assert(semanticsOf(op).length >= 3, `${name}: text`);
    assert(trapsOf(op).every((trap) => known.includes(trap)), `${name}: traps`);
    assertEquals(immediateRange(op) === undefined, immediateOf(op) === "None", `${name}: range`);
  }
});

Deno.test("stack effects agree with the widths that the names spell", () => {
  // Conversions pop one value of the last type and push one of the first; binary float operations pop two.
  const slots = (type: string) => type.endsWith("64") ? 2 : 1;
  const conversion = /^([IF](?:32|64))(?:Trunc|TruncSat|Convert|Demote|Promote)([IF](?:32|64))[SU]?$/;
  const binary = /^(F(?:32|64))(?:Add|Sub|Mul|Div|Min|Max|Copysign)$/;
  const comparison = /^(F(?:32|64))(?:Eq|Ne|Lt|Gt|Le|Ge)$/;
  let checked = 0;
  for (const [op, name] of OP_NAMES.entries()) {
    const effect = [POPS[op], PUSHES[op]];
    const to = conversion.exec(name), two = binary.exec(name), test = comparison.exec(name);
    if (to !== null) assertEquals(effect, [slots(to[2]!), slots(to[1]!)], name);
    else if (two !== null) assertEquals(effect, [2 * slots(two[1]!), slots(two[1]!)], name);
    else if (test !== null) assertEquals(effect, [2 * slots(test[1]!), 1], name);
    else continue;
    checked++;
  }
  assertEquals(checked, 26 + 14 + 12);
});
