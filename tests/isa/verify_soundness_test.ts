/**
 * What the verifier accepts keeps its promises: every module that is compiled, by us or by the
 * reference, is accepted, and modules from chance and mutation, when accepted, run on the machine of
 * record without any state that verification excludes. Hostile shapes take linear time.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { compile } from "../../lib/compile/compile.ts";
import type { CompilationConfig } from "../../lib/compile/config.ts";
import { RwasmError, VerifyError } from "../../lib/error.ts";
import { type FunctionType, RwasmModule } from "../../lib/isa/module.ts";
import { Op, OP_COUNT, OP_NAMES, POPS, PUSHES } from "../../lib/isa/opcode.ts";
import { disassemble } from "../../lib/isa/text.ts";
import { type VerifiedModule, verify } from "../../lib/isa/verify.ts";
import { DEFAULT_LIMITS, REFERENCE_LIMITS } from "../../lib/limits.ts";
import { ImportLinker } from "../../lib/plugin/linker.ts";
import { namedFunctionType } from "../../lib/wasm/module.ts";
import { parse } from "../../lib/wasm/parse.ts";
import { type Import, scriptedLinker } from "../golden/fact.ts";
import { fromBase64, listShared, Random, readShared, sharedTest } from "../harness.ts";
import type { Script } from "../spec/script.ts";
import { CheckedRun } from "./checked_run.ts";

const SMALL = { ...REFERENCE_LIMITS, memoryPages: 2, callDepth: 200 };

// ── what compilers make ─────────────────────────────────────────────────────────────────────────

interface GoldenModule {
  readonly name: string;
  readonly module: RwasmModule;
  readonly syscalls: (index: number) => FunctionType | undefined;
}

/** Every module of `golden/programs` that the reference compiled. */
function goldenModules(): GoldenModule[] {
  return listShared("golden/programs").flatMap((name) => {
    type File = { rwasm?: string; imports?: Import[]; cases?: File[]; variants?: File[] };
    const all = (file: File): File[] => [file, ...[...file.cases ?? [], ...file.variants ?? []].flatMap(all)];
    const file = readShared<File>(`golden/programs/${name}.json`);
    return all(file).filter(({ rwasm }) => rwasm !== undefined).map(
      ({ rwasm, imports = file.imports ?? [] }) => {
        const linker = scriptedLinker(imports);
        return {
          name,
          module: RwasmModule.decode(fromBase64(rwasm!)),
          syscalls: (index) => linker.bySyscall(index),
        };
      },
    );
  });
}

sharedTest("verify() accepts every module the reference's compiler made", () => {
  const modules = goldenModules();
  assert(modules.length > 50);
  for (const { name, module, syscalls } of modules) {
    const found = verify(module, syscalls, { limits: REFERENCE_LIMITS });
    const most = found.excessSlots.reduce((a, b) => Math.max(a, b));
    // Its return_call_indirect needs one slot more than it reserves.
    assert(most <= 1 && (most === 0 || name === "language"), `${name} relies on ${most} slots`);
  }
});

/** A linker with whatever functions a module imports. */
function linkerFor(wasm: Uint8Array): ImportLinker {
  const module = parse(wasm), linker = new ImportLinker();
  for (const [index, { kind, module: from, name, index: number }] of module.imports.entries()) {
    if (kind !== "function" || linker.resolve(from, name) !== undefined) continue;
    const type = namedFunctionType(module.types[module.functions[number]]);
    linker.define(from, name, { index, ...type }, () => undefined as never);
  }
  return linker;
}

sharedTest("verify() accepts every module of the official suite as compiled here", () => {
  let accepted = 0;
  const refused: string[] = [];
  const configs: CompilationConfig[] = [{}, { consumeFuel: false }];
  for (const name of listShared("spec")) {
    for (const { type, line, wasm } of readShared<Script>(`spec/${name}.json`).commands) {
      if (type !== "module" || wasm === undefined) continue;
      for (const config of configs) {
        const bytes = fromBase64(wasm);
        let module: RwasmModule, linker: ImportLinker;
        try {
          linker = linkerFor(bytes);
          module = compile(bytes, { ...config, linker, defaultImportedGlobalValue: 666n });
        } catch (error) {
          assert(error instanceof RwasmError); // imports that rWasm does not have
          continue;
        }
        try {
          const found = verify(module, (index) => linker.bySyscall(index));
          assertEquals(found.excessSlots.findIndex((excess) => excess > 0), -1, `${name}:${line}`);
          const decoded = verify(RwasmModule.decode(module.encode()), (index) => linker.bySyscall(index));
          assertEquals([decoded.starts, decoded.heights], [found.starts, found.heights]);
          accepted++;
        } catch (error) {
          if (!(error instanceof VerifyError)) throw error;
          refused.push(`${name}:${line} ${error.code}`);
        }
      }
    }
  }
  assert(accepted > 2000, `${accepted} accepted`);
  // (loop (br 0)) without fuel
  assertEquals(refused, ["loop:3 EndlessLoop"]);
});

// ── runs on the machine of record ───────────────────────────────────────────────────────────────

/** What a campaign saw: how the runs of accepted modules ended, and how many modules were refused. */
class Tally {
  accepted = 0;
  steps = 0;
  readonly refused: Record<string, number> = {};
  readonly endings: Record<string, number> = {};

  /** Verifies a module and runs it: its initialization, then its entry point and every function with a signature. */
  feed(module: RwasmModule, syscalls: (index: number) => FunctionType | undefined, random: Random): void {
    let found: VerifiedModule;
    try {
      found = verify(module, syscalls, { limits: SMALL, unknownSyscalls: "trap" });
    } catch (error) {
      if (!(error instanceof VerifyError)) throw error;
      this.refused[error.code] = (this.refused[error.code] ?? 0) + 1;
      return;
    }
    this.accepted++;
    if (module.sourcePc > 0) {
      assert(found.paramSlots[0] === 0 && found.resultSlots[0] <= 0, "initialization is balanced");
    }
    const roots = [found.entry];
    for (let k = 0; k < found.functionCount && roots.length < 6; k++) {
      if (found.isCallable(found.starts[k])) roots.push(k);
    }
    if (module.sourcePc > 0) roots.unshift(0);
    const run = new CheckedRun(found);
    run.fillTable(0, roots.filter((k) => found.isCallable(found.starts[k])).map((k) => found.starts[k]));
    run.fillTable(1, [0, random.below(module.length)]);
    for (const number of roots) {
      const extra = number === 0 && module.sourcePc > 0 ? 0 : random.below(3);
      const params = Array.from({ length: found.paramSlots[number] + extra }, () => argument(random));
      try {
        const ending = run.run(number, params, 2000);
        this.endings[ending] = (this.endings[ending] ?? 0) + 1;
      } catch (error) {
        throw new Error(`${(error as Error).message}\n${disassemble(module)}`, { cause: error });
      }
    }
    this.steps += run.steps;
  }
}

function argument(random: Random): number {
  return random.pick([0, 1, 2, 3, 7, -1, random.u32() | 0]);
}

/** The opcodes of each stack effect: one may stand for another without changing heights. */
const ALIKE: readonly number[][] = (() => {
  const groups = new Map<number, number[]>();
  for (let op = 0; op < OP_COUNT; op++) {
    const key = POPS[op] * 16 + PUSHES[op];
    groups.set(key, [...groups.get(key) ?? [], op]);
  }
  return Array.from({ length: OP_COUNT }, (_, op) => groups.get(POPS[op] * 16 + PUSHES[op])!);
})();

function mutated(module: RwasmModule, random: Random): RwasmModule {
  const opcodes = module.opcodes.slice(),
    immediates = module.immediates.slice(),
    elements = module.elements.slice();
  let sourcePc = module.sourcePc;
  for (let count = 1 + random.below(3); count > 0; count--) {
    const pc = random.below(opcodes.length);
    switch (random.below(10)) {
      case 0:
        opcodes[pc] = random.below(OP_COUNT);
        break;
      case 1:
        immediates[pc] = random.pick([0, 1, -1, 2, 31, 32, 33, 8192, 0x7fffffff, random.u32() | 0]);
        break;
      case 2: // exchange with the neighbor
        if (pc + 1 < opcodes.length) {
          [opcodes[pc], opcodes[pc + 1]] = [opcodes[pc + 1], opcodes[pc]];
          [immediates[pc], immediates[pc + 1]] = [immediates[pc + 1], immediates[pc]];
        }
        break;
      case 3:
        if (elements.length > 0) elements[random.below(elements.length)] = random.below(opcodes.length);
        break;
      case 4:
        if (random.below(8) === 0) sourcePc = random.below(opcodes.length);
        break;
      case 5:
      case 6:
        opcodes[pc] = random.pick(ALIKE[opcodes[pc]]);
        break;
      default:
        immediates[pc] += random.below(7) - 3;
    }
  }
  const { data, hint } = module;
  return new RwasmModule({ opcodes, immediates, data, elements, hint, sourcePc });
}

sharedTest("mutations of compiled modules that verify() accepts run as it says", () => {
  const random = new Random(0x5eed);
  const corpus = goldenModules().filter(({ module }) => module.length < 1000);
  const tally = new Tally();
  for (let k = 0; k < 4000; k++) {
    const { module, syscalls } = random.pick(corpus);
    tally.feed(mutated(module, random), syscalls, random);
  }
  if (Deno.env.get("VERIFY_TALLY")) console.log(tally);
  assert(tally.accepted > 800 && tally.steps > 100_000, "the campaign reaches runs");
  assert(Object.keys(tally.refused).length > 10, "the campaign reaches refusals");
});

/** Instructions of chance programs; the more often one is here, the more likely it is. */
// deno-fmt-ignore
const CHANCE: readonly number[] = [
  "I32Const", "I32Const", "I32Const", "LocalGet", "LocalGet", "LocalSet", "LocalTee", "Drop", "Drop", "I32Add", "I32Eqz", "Select",
  "Br", "BrIfEqz", "BrIfNez", "BrIfNez", "BrTable", "Return", "Return", "Return", "CallInternal", "CallInternal",
  "ReturnCallInternal", "CallIndirect", "ReturnCallIndirect", "SignatureCheck", "SignatureCheck", "StackCheck", "RefFunc", "Call",
  "TableGrow", "TableSet", "TableInit", "BulkConst", "BulkDrop", "ConsumeFuel", "I32Mul64", "GlobalGet", "GlobalSet", "Unreachable",
].map((name) => Op[name as keyof typeof Op]);

function chance(random: Random): RwasmModule {
  const length = 4 + random.below(14);
  const opcodes = new Uint8Array(length), immediates = new Int32Array(length), entries: number[] = [];
  for (let pc = 0; pc < length; pc++) opcodes[pc] = random.pick(CHANCE);
  if (random.below(4) > 0) opcodes[length - 1] = Op.Return;
  for (let pc = 0; pc < length; pc++) {
    const op = opcodes[pc];
    if (op === Op.SignatureCheck) entries.push(pc);
    if ((op === Op.CallIndirect || op === Op.ReturnCallIndirect || op === Op.TableInit) && pc + 1 < length) {
      opcodes[++pc] = Op.TableGet;
    }
  }
  for (let pc = 0; pc < length; pc++) {
    switch (opcodes[pc]) {
      case Op.Br:
      case Op.BrIfEqz:
      case Op.BrIfNez:
        immediates[pc] = random.below(length) - pc;
        break;
      case Op.CallInternal:
      case Op.ReturnCallInternal:
        // Mostly what begins after a Return or with a signature.
        immediates[pc] = random.below(length);
        for (let tries = 6; tries > 0 && !beginsFunction(opcodes, immediates[pc]); tries--) {
          immediates[pc] = random.below(length);
        }
        break;
      case Op.RefFunc:
        immediates[pc] = entries.length > 0 ? random.pick(entries) : 0;
        break;
      case Op.I32Const:
        immediates[pc] = random.below(4);
        break;
      case Op.BulkConst:
      case Op.BulkDrop:
      case Op.StackCheck:
        immediates[pc] = random.below(random.below(4) === 0 ? 45 : 4);
        break;
      case Op.SignatureCheck:
      case Op.CallIndirect:
      case Op.ReturnCallIndirect:
      case Op.TableGet:
      case Op.GlobalGet:
      case Op.ConsumeFuel:
        immediates[pc] = random.below(2);
        break;
      default:
        immediates[pc] = 1 + random.below(3);
    }
  }
  const starts = entries.filter((pc) => pc > 0);
  return new RwasmModule({
    opcodes,
    immediates,
    data: new Uint8Array(0),
    elements: Uint32Array.from(entries),
    hint: new Uint8Array(0),
    sourcePc: starts.length > 0 && random.below(2) === 0 ? random.pick(starts) : 0,
  });
}

function beginsFunction(opcodes: Uint8Array, pc: number): boolean {
  return pc === 0 || opcodes[pc] === Op.SignatureCheck || opcodes[pc - 1] === Op.Return;
}

Deno.test("programs from chance that verify() accepts run as it says", () => {
  const random = new Random(0xc0de);
  const tally = new Tally();
  const hosts: FunctionType[] = [
    { params: [], results: [] },
    { params: ["i32"], results: ["i64"] },
    { params: ["i64"], results: [] },
  ];
  for (let k = 0; k < 60_000; k++) tally.feed(chance(random), (index) => hosts[index - 1], random);
  if (Deno.env.get("VERIFY_TALLY")) console.log(tally);
  assert(tally.accepted > 3000 && tally.steps > 50_000, "the campaign reaches runs");
  assert(Object.keys(tally.refused).length > 10, "the campaign reaches refusals");
});

Deno.test("an opcode alike has the same stack effect", () => {
  assert(ALIKE[Op.I32Add].includes(Op.I32Sub) && !ALIKE[Op.I32Add].includes(Op.Drop), OP_NAMES[Op.I32Add]);
});

// ── hostile shapes ──────────────────────────────────────────────────────────────────────────────

/** Code given by a function of the pc. */
function shaped(length: number, at: (pc: number) => readonly [op: number, immediate: number]): RwasmModule {
  const opcodes = new Uint8Array(length), immediates = new Int32Array(length);
  for (let pc = 0; pc < length; pc++) [opcodes[pc], immediates[pc]] = at(pc);
  const empty = {
    data: new Uint8Array(0),
    elements: new Uint32Array(0),
    hint: new Uint8Array(0),
    sourcePc: 0,
  };
  return new RwasmModule({ opcodes, immediates, ...empty });
}

const N = 600_000;

// deno-fmt-ignore
const SHAPES: readonly (readonly [what: string, module: () => RwasmModule, expected: string])[] = [
  ["branch tables inside of each other", () => shaped(N, (pc) => pc % 2 === 0 ? [Op.I32Const, 0] : [Op.BrTable, (N - pc) >> 1]), "NestedBrTable"],
  ["functions of one instruction, each calling the next", () => shaped(N, (pc) => pc === N - 1 ? [Op.Return, 0] : [Op.ReturnCallInternal, pc + 1]), "accepted"],
  ["functions of one instruction, each calling the one before", () => shaped(N, (pc) => pc === 0 ? [Op.Return, 0] : [Op.ReturnCallInternal, pc - 1]), "accepted"],
  ["functions that reach deeper the later they are", () => shaped(N, (pc) => pc === N - 1 ? [Op.Return, 0] : pc % 2 === 1 ? [Op.ReturnCallInternal, pc + 1] : [Op.Drop, 0]), "accepted"],
  ["a chain of idle jumps", () => shaped(N, (pc) => pc === 0 ? [Op.Br, N - 1] : pc === 1 ? [Op.Return, 0] : [Op.Br, -1]), "accepted"],
  ["a loop of idle jumps through all of the code", () => shaped(N, (pc) => pc === 0 ? [Op.Br, N - 1] : [Op.Br, -1]), "EndlessLoop"],
  ["jumps that all lead to one place", () => shaped(N, (pc) => pc === N - 2 ? [Op.ConsumeFuel, 1] : pc % 2 === 0 ? [Op.I32Const, 1] : pc === N - 1 ? [Op.Unreachable, 0] : [Op.BrIfNez, N - 1 - pc]), "accepted"],
  ["a conditional branch to every instruction", () => shaped(N, (pc) => pc % 2 === 0 ? [Op.I32Const, 1] : pc === N - 1 ? [Op.Trap, 0] : [Op.BrIfNez, pc < N / 2 ? N - 1 - 2 * pc : 1]), "accepted"],
  ["indirect calls of one signature everywhere", () => shaped(N, (pc) => ([[Op.SignatureCheck, 0], [Op.I32Const, 0], [Op.CallIndirect, 0], [Op.TableGet, 0], [Op.Return, 0], [Op.Unreachable, 0]] as const)[pc % 6]), "accepted"],
  ["recursion of all functions with each other", () => shaped(N, (pc) => ([[Op.LocalGet, 1], [Op.BrIfNez, 3], [Op.CallInternal, (Math.imul(pc, 2654435761) >>> 0) % (N / 6) * 6], [Op.CallInternal, (Math.imul(pc, 40503) >>> 0) % (N / 6) * 6], [Op.Return, 0], [Op.Return, 0]] as const)[pc % 6]), "accepted"],
  ["the deepest fall", () => shaped(N, (pc) => pc === N - 1 ? [Op.Return, 0] : [Op.BulkDrop, 2_000_000]), "DepthOutOfReach"],
  ["the highest rise by calls", () => shaped(N, (pc) => pc < N - 4 ? [Op.CallInternal, N - 3] : ([[Op.Return, 0], [Op.StackCheck, 8192], [Op.BulkConst, 8192], [Op.Return, 0]] as const)[pc - N + 4]), "StackNotReserved"],
];

for (const [what, module, expected] of SHAPES) {
  Deno.test(`verify() takes linear time for ${what}`, () => {
    const made = module();
    const start = performance.now();
    let code = "accepted";
    try {
      verify(made, () => undefined, { limits: DEFAULT_LIMITS });
    } catch (error) {
      if (!(error instanceof VerifyError)) throw error;
      code = error.code;
    }
    assertEquals(code, expected);
    // Quadratic time would be hours.
    assert(performance.now() - start < 5000, `took ${Math.round(performance.now() - start)} ms`);
  });
}
