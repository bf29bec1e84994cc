/**
 * Writes `lib/interpreter/loop_bytes.ts` from the table of handlers: `deno task generate`.
 *
 * @module
 */

import { HANDLER, HANDLERS } from "../lib/interpreter/handlers.ts";
import { emitLoop, handlerFacts } from "../lib/interpreter/loop.ts";

/** Characters of a line of the file. */
const LINE = 400;

/** As in `instructions.ts`, which reads what is written here. */
const MOST_TAKERS = 3, KINDS = { i32: 1, i64: 2, f32: 3, f64: 4 } as const;

/** The tables of `instructions.ts`, in its order. */
function tables(): Uint8Array {
  const count = HANDLERS.length, facts = handlerFacts();
  const only = new Int16Array(count).fill(-1), stored = new Int16Array(count).fill(-1);
  const takers = new Int16Array(MOST_TAKERS * count).fill(-1);
  const taken = new Uint8Array(takers.length), exchangedWith = new Uint8Array(takers.length);
  const add = (of: string, taker: number, word: number, exchanged: number) => {
    let at = MOST_TAKERS * HANDLER[of];
    while (takers[at] >= 0) at++;
    if (at >= MOST_TAKERS * (HANDLER[of] + 1)) throw new Error(`${of} has too many forms`);
    takers[at] = taker;
    taken[at] = word;
    exchangedWith[at] = exchanged;
  };
  HANDLERS.forEach(({ name, operands, of, exchanged }, number) => {
    if (name.endsWith(".A")) {
      stored[number] = HANDLER[name.slice(0, -2)];
      only[stored[number]] = number;
    }
    if (of === "") return;
    const word = 1 + operands.findIndex((operand) => operand.endsWith("*"));
    add(of, number, word, 0);
    // The operands that are exchanged are neighbors.
    if (exchanged !== "") add(exchanged, number, word + 1, word);
  });
  const fused: number[] = [];
  HANDLERS.forEach(({ name }, number) => {
    const [first, second] = name.split("+");
    // The one that leaves its result only in the accumulator is made later, of the other one.
    if (second === undefined || (second.endsWith(".A") && HANDLER[name.slice(0, -2)] !== undefined)) return;
    fused.push(HANDLER[first], HANDLER[second], number);
  });
  const parts = [
    Int16Array.of(fused.length / 3),
    Int16Array.from(fused),
    only,
    stored,
    takers,
    taken,
    exchangedWith,
    Uint8Array.from(HANDLERS, ({ operands }) => operands.length + 1),
    Uint8Array.from(facts, ({ reads }) => reads),
    Uint8Array.from(facts, ({ wide }) => wide),
    Uint8Array.from(facts, ({ leaves }) => leaves === undefined ? 0 : KINDS[leaves]),
    Uint8Array.from(facts, ({ takes }) => takes === undefined ? 0 : KINDS[takes]),
  ];
  const bytes: number[] = [];
  for (const { buffer } of parts) bytes.push(...new Uint8Array(buffer));
  return Uint8Array.from(bytes);
}

/** A text as an expression of several lines. */
function lines(text: string): string {
  const parts: string[] = [];
  for (let at = 0; at < text.length; at += LINE) parts.push(`  ${JSON.stringify(text.slice(at, at + LINE))}`);
  return parts.join(" +\n");
}

/** The text of the generated file. */
export function loopBytesSource(): string {
  return `/**
 * The dispatch loop as a WebAssembly module, and what lowering knows about its instructions. Made of the
 * table of handlers by \`deno task generate\`: change that one instead.
 *
 * @module
 */
// deno-fmt-ignore-file

/** The module, as base64. */
export const LOOP_BASE64: string =
${lines(emitLoop().toBase64())};

/** Names of the instructions, by number. */
export const NAMES: string =
${lines(HANDLERS.map(({ name }) => name).join(" "))};

/** Operands of the instructions, a line each. */
export const OPERANDS: string =
${lines(HANDLERS.map(({ operands }) => operands.join(" ")).join("\n"))};

/** The tables of \`instructions.ts\`, as base64. */
export const TABLES_BASE64: string =
${lines(tables().toBase64())};
`;
}

if (import.meta.main) {
  const path = new URL("../lib/interpreter/loop_bytes.ts", import.meta.url);
  await Deno.writeTextFile(path, loopBytesSource());
  console.log(`${HANDLERS.length} instructions, ${emitLoop().length} bytes`);
}
