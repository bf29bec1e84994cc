/**
 * Rows of the table of handlers that do what two others do, one behind the other: superinstructions. The pairs
 * are those that real programs run most often (`tools/profile_loop.ts` counts them), as families, so
 * that what one program does with `Xor` another may do with `Or`. Their bodies are those of the two.
 *
 * @module
 */

import type { AddRow, Handler } from "./handlers.ts";

/** Pairs by name; each name stands for a row, and the second one takes what the first one leaves. */
function pairs(): [first: string, second: string][] {
  const list: [string, string][] = [];
  const each = (firsts: string, seconds: string) => {
    for (const first of firsts.split(" ")) {
      for (const second of seconds.split(" ")) list.push([first, second]);
    }
  };
  /** With the result of the second one in its slot as well. */
  const both = (firsts: string, seconds: string) =>
    each(firsts, seconds.split(" ").flatMap((s) => [s, `${s}.A`]).join(" "));
  const jumps = (names: string, form: string) =>
    names.split(" ").map((name) => `Jump${name}${form}`).join(" ");
  const signed = "Eq Ne LtS GeS GtS LeS",
    unsigned = "Eq Ne LtU GeU GtU LeU",
    all = `${signed} LtU GeU GtU LeU`;
  // Loops that count, and tests of what was just computed or loaded.
  each("AddRI", `JumpNezA JumpEqzA ${jumps(all, "AI")} ${jumps(all, "AR")}`);
  each("AddRR", `${jumps("Ne LtS GeS LtU GeU", "AI")} ${jumps("Ne LtS GeS LtU GeU", "AR")}`);
  each("AndRI.A AndAI.A", "JumpNezA JumpEqzA");
  each("Load32R.A", `JumpNezA JumpEqzA ${jumps(signed, "AI")} ${jumps(signed, "AR")}`);
  each("Load8UR.A", `JumpNezA JumpEqzA ${jumps(unsigned, "AI")}`);
  each("Load8URAddR", jumps("Eq Ne", "AR"));
  // Places in arrays.
  both("ShlRI.A ShlAI.A", "Load32AAddI Load32AAddR");
  each("AddRI.A", "Store8AI Store8AR Store32AI Store32AR Store64AR Load64A");
  // Sums of products, of what was loaded, of extended words.
  both("MulRR.A", "AddAR");
  both("Mul64RR.A", "Add64AR");
  both("MulF64RR.A", "AddF64AR SubF64AR SubF64RA");
  both("MulF32RR.A", "AddF32AR SubF32AR SubF32RA");
  both("Load32R.A Load32RAddI.A", "AddAR AddAI MulAR");
  both("ExtendU.A", "Add64AR Mul64AR Shl64AI");
  // Mixing of bits.
  both("XorRR.A XorAR.A", "ShlAI AndAI RotlAI");
  both("ShlRI.A ShrURI.A RotlRI.A AndRI.A", "XorAR OrAR");
  both("RotlRI.A", "AddAR");
  both("ShrURI.A", "AndAI");
  both("Shl64RI.A Shl64AI.A ShrU64RI.A ShrU64AI.A Rotl64RI.A", "Xor64AR Or64AR");
  // Changes of globals and of what is in memory.
  each("AddRI.A AddAI.A", "GlobalSetA Store32RA");
  both("GlobalGet.A", "AddAI");
  each("Add64AR.A", "Store64RA");
  // Copies come in rows.
  each("Move", "Move Jump");
  each("AddRI", "Jump");
  return list;
}

/** Adds the rows, given those there are. */
export function fusedRows(row: AddRow, rows: readonly Handler[]): void {
  const byName = new Map(rows.map((handler) => [handler.name, handler]));
  for (const [firstName, secondName] of pairs()) {
    const first = byName.get(firstName), second = byName.get(secondName);
    if (first === undefined || second === undefined) throw new Error(`no rows ${firstName}, ${secondName}`);
    const parts = joinOperands(first, second);
    row(`${firstName}+${secondName}`, parts.map(({ name }) => name).join(" "), (h, words) => {
      const places = (of: 0 | 1) => {
        const map = [0];
        parts.forEach((part, k) => {
          if (part.of === of) map[part.word] = k + 1;
        });
        return map;
      };
      h.part(places(0), 0);
      first.emit(h, first.operands.length + 1);
      const takes = h.takes;
      // What the first one has left is used up.
      h.leaves = undefined;
      h.part(places(1), words);
      second.emit(h, second.operands.length + 1);
      h.takes = takes;
      // The place of a result must be the first operand.
      if (!firstName.endsWith(".A")) h.leaves = undefined;
    });
  }
}

/** An operand of a pair: whether the first or the second one has it, and which word it is there. */
interface Part {
  readonly of: 0 | 1;
  readonly word: number;
  readonly name: string;
}

/** The operands of a pair: the place of the result first, without what goes through the accumulator. */
export function joinOperands(first: Handler, second: Handler): Part[] {
  const parts = (of: 0 | 1) =>
    (of === 0 ? first : second).operands.map((name, k) => ({ of, word: k + 1, name }));
  const taken = ({ name }: Part) => name.endsWith("*") && name !== "d*";
  const own = parts(1).filter((part) => !taken(part));
  if (!first.name.endsWith(".A")) return [...parts(0), ...own];
  const place = own.filter(({ name }) => name === "d" || name === "d*");
  return [...place, ...parts(0).slice(1), ...own.slice(place.length)];
}
