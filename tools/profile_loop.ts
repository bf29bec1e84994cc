/**
 * Counts what the fast loop executes in the programs of the benchmark: instructions, and neighbors that could
 * be one instruction. What is often here, and in programs that were not looked at, deserves a row in
 * `lib/interpreter/fused_handlers.ts`. `deno run --allow-read tools/profile_loop.ts [program…]`
 *
 * @module
 */

import { programs } from "../bench/peers/programs.ts";
import { nameOf, operandsOf, WORDS } from "../lib/interpreter/instructions.ts";
import { emitLoop } from "../lib/interpreter/loop.ts";
import { Program } from "../lib/interpreter/program.ts";
import { FastMachine, type LoopFunction } from "../lib/interpreter/run.ts";
import { verify } from "../lib/isa/verify.ts";
import { FuelMeter } from "../lib/vm/fuel.ts";
import { Machine } from "../lib/vm/machine.ts";
import { Exit } from "../lib/vm/step.ts";
import { compile, REFERENCE_LIMITS } from "../mod.ts";

/** Bytes of lowered code that can be counted. */
const PAGES = 512;

/** Rows of each list. */
const SHOWN = 40;

const counts = new WebAssembly.Memory({ initial: PAGES });
const loop = new WebAssembly.Module(emitLoop(true));

function instantiate(state: WebAssembly.Memory, guest: WebAssembly.Memory): LoopFunction {
  return new WebAssembly.Instance(loop, { m: { state, guest, counts } }).exports.run as LoopFunction;
}

/** Shares of all that is executed, by name, each program with the same weight. */
const single = new Map<string, number>(), pairs = new Map<string, number>();

function add(to: Map<string, number>, name: string, share: number): void {
  to.set(name, (to.get(name) ?? 0) + share);
}

function takeCounts({ words, length, codeBase }: Program, weight: number): void {
  const executed = new Int32Array(counts.buffer, codeBase, length);
  const total = executed.reduce((sum, count) => sum + count, 0);
  let before = -1;
  for (let word = 0; word < length; word++) {
    if (executed[word] === 0) continue;
    const name = nameOf(words[word]), share = weight * executed[word] / total;
    add(single, name, share);
    const next = before >= 0 && before + WORDS[words[before]] === word;
    if (next && executed[before] === executed[word]) {
      const takes = operandsOf(words[word]).some((operand) => operand.endsWith("*") && operand !== "d*");
      add(pairs, `${nameOf(words[before])} ${takes ? ">" : "|"} ${name}`, share);
    }
    before = word;
  }
  executed.fill(0);
}

function show(title: string, list: ReadonlyMap<string, number>): void {
  console.log(`\n${title}`);
  for (const [name, share] of [...list].sort((a, b) => b[1] - a[1]).slice(0, SHOWN)) {
    console.log(`${(100 * share).toFixed(2).padStart(7)} %  ${name}`);
  }
}

const chosen = programs(Deno.args);
for (const { wasm, entry, floats, short } of chosen) {
  const module = compile(wasm, {
    entrypoint: entry,
    limits: REFERENCE_LIMITS,
    floats: floats ? "deterministic" : "trap",
  });
  const verified = verify(module, () => undefined), program = new Program(verified);
  const machine = new Machine(module, verified.limits, new FuelMeter(undefined));
  const fast = FastMachine.attach(machine, program, instantiate)!;
  for (const [pc, argument] of [[0, undefined], [module.sourcePc, short]]) {
    machine.start(pc!);
    if (argument !== undefined) machine.stack[machine.sp++] = argument;
    let exit: Exit;
    while ((exit = fast.run()) === Exit.Fuel) {
      machine.fuel.tryCharge(BigInt(module.immediates[machine.pc] >>> 0));
      machine.pc++;
    }
    if (exit !== Exit.Done) throw new Error(`${entry} ends with ${Exit[exit]}`);
  }
  takeCounts(program, 1 / chosen.length);
}
show("instructions", single);
show("neighbors: a | b, and a > b where b takes what a leaves", pairs);
