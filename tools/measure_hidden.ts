/**
 * Writes `lib/interpreter/reference_hidden.ts`: the hidden i64 functions of the reference's compiler, as they
 * are in the modules of `../shared/golden` that it made. What a function computes is measured, too: it
 * is run in the plain loop on many pairs of operands, and must give what exactly one operator gives.
 * `deno run --allow-read --allow-write tools/measure_hidden.ts`
 *
 * @module
 */

import { SNIPPETS } from "../lib/compile/i64.ts";

import { RwasmModule } from "../lib/isa/module.ts";
import { Op } from "../lib/isa/opcode.ts";
import { DEFAULT_LIMITS } from "../lib/limits.ts";
import { encodeBody } from "../lib/interpreter/hidden.ts";
import { FuelMeter } from "../lib/vm/fuel.ts";
import { Machine } from "../lib/vm/machine.ts";
import { Exit, run } from "../lib/vm/step.ts";

const GOLDEN = new URL("../../shared/golden/programs/", import.meta.url);

/** What the hidden functions compute, by number; undefined where they trap. */
const MEANING: readonly ((a: bigint, b: bigint) => readonly bigint[] | undefined)[] = (() => {
  const u = (x: bigint) => BigInt.asUintN(64, x), s = (x: bigint) => BigInt.asIntN(64, x);
  const test =
    (holds: (a: bigint, b: bigint) => boolean) => (a: bigint, b: bigint) => [holds(a, b) ? 1n : 0n];
  const value = (f: (a: bigint, b: bigint) => bigint) => (a: bigint, b: bigint) => [u(f(a, b))];
  const quotient = (f: (a: bigint, b: bigint) => bigint) => (a: bigint, b: bigint) =>
    b === 0n ? undefined : [u(f(a, b))];
  const rotate = (a: bigint, n: bigint) => u(a << (n & 63n)) | (u(a) >> ((64n - (n & 63n)) & 63n));
  return [
    test((a, b) => a === b),
    test((a, b) => a !== b),
    test((a, b) => s(a) < s(b)),
    test((a, b) => a < b),
    test((a, b) => s(a) > s(b)),
    test((a, b) => a > b),
    test((a, b) => s(a) <= s(b)),
    test((a, b) => a <= b),
    test((a, b) => s(a) >= s(b)),
    test((a, b) => a >= b),
    value((a, b) => a + b),
    value((a, b) => a - b),
    value((a, b) => a * b),
    (a, b) => b === 0n || (s(a) === -(2n ** 63n) && s(b) === -1n) ? undefined : [u(s(a) / s(b))],
    quotient((a, b) => a / b),
    quotient((a, b) => s(a) % s(b)),
    quotient((a, b) => a % b),
    value((a, b) => a << (b & 63n)),
    value((a, b) => s(a) >> (b & 63n)),
    value((a, b) => a >> (b & 63n)),
    value((a, b) => (b & 63n) === 0n ? a : rotate(a, b)),
    value((a, b) => (b & 63n) === 0n ? a : rotate(a, 64n - (b & 63n))),
    (a, b) => b === 0n ? undefined : [a / b, a % b],
  ];
})();

function operands(): bigint[] {
  const values = [0n, 1n, 2n, 31n, 32n, 33n, 63n, 64n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 63n - 1n];
  values.push(2n ** 63n, 2n ** 64n - 1n, 2n ** 64n - 2n, 10n ** 9n + 7n);
  let seed = 0x9e3779b97f4a7c15n;
  for (let n = 0; n < 24; n++) {
    seed = BigInt.asUintN(64, seed * 6364136223846793005n + 1442695040888963407n);
    values.push(seed >> BigInt(n % 4 * 16));
  }
  return values;
}

/** Runs a function on two values; undefined when it traps. */
function call(module: RwasmModule, pc: number, a: bigint, b: bigint): readonly bigint[] | undefined {
  const machine = new Machine(module, DEFAULT_LIMITS, new FuelMeter(undefined));
  machine.start(pc);
  machine.reserve(4);
  machine.growStack(64);
  for (const value of [a, b]) {
    machine.stack[machine.sp++] = Number(value & 0xffff_ffffn) | 0;
    machine.stack[machine.sp++] = Number(value >> 32n) | 0;
  }
  if (run(machine) !== Exit.Done) return undefined;
  const cells = Array.from(machine.stack.subarray(0, machine.sp), (cell) => BigInt(cell >>> 0));
  if (cells.length === 1) return cells;
  return cells.flatMap((cell, k) => k % 2 === 0 ? [cell | (cells[k + 1] << 32n)] : []);
}

/** Number of the operator a function is, or -1. */
function identify(module: RwasmModule, pc: number): number {
  const values = operands();
  const numbers = MEANING.flatMap((meaning, number) => {
    const same = values.every((a) =>
      values.every((b) => String(call(module, pc, a, b)) === String(meaning(a, b)))
    );
    return same ? [number] : [];
  });
  if (numbers.length > 1) throw new Error(`a function at ${pc} is ${numbers.join(" and ")}`);
  return numbers[0] ?? -1;
}

/** Functions that begin like hidden ones: a reservation without signature and charge, and end with Return. */
function* candidates({ opcodes, length }: RwasmModule): Generator<[start: number, end: number]> {
  for (let pc = 1; pc < length; pc++) {
    if (opcodes[pc] !== Op.StackCheck || opcodes[pc - 1] !== Op.Return) continue;
    let end = pc + 1;
    while (end < length && opcodes[end] !== Op.SignatureCheck && opcodes[end] !== Op.StackCheck) end++;
    yield [pc, end];
  }
}

function* modules(): Generator<RwasmModule> {
  const texts: string[] = [];
  const visit = (value: unknown) => {
    if (typeof value !== "object" || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      if (key === "rwasm" && typeof inner === "string") texts.push(inner);
      else visit(inner);
    }
  };
  for (const { name } of [...Deno.readDirSync(GOLDEN)].sort((a, b) => a.name < b.name ? -1 : 1)) {
    visit(JSON.parse(Deno.readTextFileSync(new URL(name, GOLDEN))));
  }
  for (const text of texts) yield RwasmModule.decode(Uint8Array.fromBase64(text));
}

/** The text of the generated file. */
export function referenceHiddenSource(): string {
  const found = new Map<number, string>();
  for (const module of modules()) {
    for (const [start, end] of candidates(module)) {
      const code = encodeBody(module.opcodes.subarray(start, end), module.immediates.subarray(start, end));
      if ([...found.values()].includes(code)) continue;
      const number = identify(module, start);
      if (number < 0) continue;
      if (found.has(number)) throw new Error(`${SNIPPETS[number].name} has two bodies`);
      found.set(number, code);
    }
  }
  const lines = [...found].sort(([a], [b]) => a - b).map(([number, code]) => {
    const parts = code.match(/.{1,100}/g)!.map((part) => `    ${JSON.stringify(part)}`);
    return `  // ${SNIPPETS[number].name}\n  [${number},\n${parts.join(" +\n")}],`;
  });
  return `/**
 * The hidden i64 functions of the reference's compiler: their code, by the number of the function of ours
 * that computes the same. Made by \`tools/measure_hidden.ts\` of modules that compiler made; those it
 * did not need for any of them are missing.
 *
 * @module
 */
// deno-fmt-ignore-file

/** Number and code, as \`encodeBody\` writes it. */
export const REFERENCE_HIDDEN: readonly (readonly [number: number, code: string])[] = [
${lines.join("\n")}
];
`;
}

if (import.meta.main) {
  const source = referenceHiddenSource();
  Deno.writeTextFileSync(new URL("../lib/interpreter/reference_hidden.ts", import.meta.url), source);
  console.log(`${source.match(/^ {2}\/\//gm)?.length} functions`);
}
