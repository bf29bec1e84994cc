/**
 * Profiles by fuel: a {@link Profiler} in the place of an engine, and the {@link Profile} it makes of
 * the runs it saw. Nothing is sampled: the fuel of a profile is what its stores consumed, to the
 * unit, by calling context and by instruction. What is made of a profile is in files of its own.
 *
 * @module
 */

import { UsageError } from "../error.ts";
import type { RwasmModule } from "../isa/module.ts";
import { Op } from "../isa/opcode.ts";
import type { FuelMeter } from "../vm/fuel.ts";
import type { Loop, LoopMaker } from "../vm/loop.ts";
import type { Machine } from "../vm/machine.ts";
import { ProfiledCode, type ProfiledFunction } from "./profile_code.ts";
import { Account, ProfileLoop } from "./profile_loop.ts";
import { CallTree, ROOT } from "./profile_tree.ts";

export type { ProfiledFunction } from "./profile_code.ts";

/** How a profiler works. */
export interface ProfilerOptions {
  /**
   * Most calling contexts that are told apart, 1 to 2^24; 2^20 when absent. Beyond, new ones are told
   * apart by their innermost function only, under one frame for all of them. The fuel stays exact.
   */
  readonly stacks?: number | undefined;
}

/** Functions that are no code: what charged between runs, and what stands for stacks beyond the bound. */
const HOST = 0, MORE = 1;
const NO_CODE: readonly string[] = ["(host)", "(more stacks)"];

const MOST_STACKS = 2 ** 20, STACKS_BOUND = 2 ** 24;

/** The calling contexts of a profile: columns by node. */
export interface ProfileStacks {
  /** Node above each node, which always comes before it; node 0 is the root and its own parent. */
  readonly parents: Int32Array;
  /** Function of each node, as a position in `functions`; −1 for the root. */
  readonly functions: Int32Array;
  /** Fuel charged in each node itself. */
  readonly fuel: readonly bigint[];
  /** How often each node was entered. */
  readonly calls: Float64Array;
}

/** What one instruction charged. */
export interface ProfileCharge {
  /** The module, as a position in `modules`. */
  readonly module: number;
  /** The instruction: a charge, or the call of a host function that charged. */
  readonly pc: number;
  /** How often it charged; 0 where a host function did. */
  readonly count: number;
  /** What it charged in all. */
  readonly fuel: bigint;
  /** Whether a host function charged it. */
  readonly host: boolean;
}

/** Where the fuel of some runs went. */
export interface Profile {
  /** All of it. */
  readonly fuel: bigint;
  /** The modules that ran. */
  readonly modules: readonly RwasmModule[];
  /** All functions of the modules, called or not, after those that are no code. */
  readonly functions: readonly ProfiledFunction[];
  /** By calling context. */
  readonly stacks: ProfileStacks;
  /** By instruction, ascending by module and pc. What was charged between runs is at none. */
  readonly charges: readonly ProfileCharge[];
}

/**
 * Measures where fuel goes. It takes the place of an executor's engine, so the run is slower; its
 * results, its fuel and its traps are the same. One profiler may serve any number of executors.
 *
 * @example
 * ```ts
 * import { assemble, Profiler, RwasmExecutor, RwasmStore } from "./mod.ts";
 * const profiler = new Profiler();
 * const module = assemble("ConsumeFuel 5\nReturn");
 * new RwasmExecutor(new RwasmStore(), module, { tracer: profiler }).execute();
 * console.log(profiler.profile().fuel); // 5n
 * ```
 */
export class Profiler implements LoopMaker {
  readonly #tree: CallTree;
  readonly #codes = new Map<RwasmModule, { readonly code: ProfiledCode; readonly first: number }>();
  readonly #accounts = new Map<FuelMeter, Account>();
  readonly #loops = new WeakMap<Machine, ProfileLoop>();
  /** Number of the first function of the next module. */
  #next = NO_CODE.length;

  /**
   * A profiler that has seen nothing.
   *
   * @throws {UsageError} `InvalidOptions` when the number of stacks is not one.
   */
  constructor(options: ProfilerOptions = {}) {
    const stacks: unknown = options?.stacks ?? MOST_STACKS;
    if (typeof stacks !== "number" || !Number.isInteger(stacks) || stacks < 1 || stacks > STACKS_BOUND) {
      throw new UsageError(
        "InvalidOptions",
        `Cannot make a profiler: stacks must be an integer from 1 to ${STACKS_BOUND}`,
      );
    }
    this.#tree = new CallTree(stacks + 1, MORE);
  }

  /** @internal The loop of a machine. */
  loopFor(machine: Machine): Loop {
    const { module, fuel } = machine;
    let known = this.#codes.get(module);
    if (known === undefined) {
      known = { code: new ProfiledCode(module), first: this.#next };
      this.#codes.set(module, known);
      this.#next += known.code.starts.length;
    }
    let account = this.#accounts.get(fuel);
    if (account === undefined) {
      account = new Account(fuel, this.#tree, this.#tree.child(ROOT, HOST));
      this.#accounts.set(fuel, account);
    }
    const loop = new ProfileLoop(machine, known.code, this.#tree, account, known.first);
    this.#loops.set(machine, loop);
    return loop;
  }

  /** @internal A run of a machine is about to start. */
  begin(machine: Machine, nested: boolean): void {
    this.#accounts.get(machine.fuel)?.begin(nested);
    this.#loops.get(machine)?.begin();
  }

  /** @internal The run of a machine ended. */
  ended(machine: Machine): void {
    this.#accounts.get(machine.fuel)?.end();
  }

  /** What was seen so far. */
  profile(): Profile {
    for (const account of this.#accounts.values()) account.settle();
    const tree = this.#tree, { length } = tree;
    const fuel = Array.from({ length }, (_, node) => tree.fuel.at(node));
    const codes = [...this.#codes.values()].map(({ code }) => code);
    return {
      fuel: fuel.reduce((sum, amount) => sum + amount, 0n),
      modules: codes.map(({ module }) => module),
      functions: functionsOf(codes),
      stacks: {
        parents: tree.parents.slice(0, length),
        functions: tree.functions.slice(0, length),
        fuel,
        calls: tree.calls.slice(0, length),
      },
      charges: codes.flatMap(chargesOf),
    };
  }
}

/** The functions of all codes, with names that are unique. */
function functionsOf(codes: readonly ProfiledCode[]): ProfiledFunction[] {
  const functions: ProfiledFunction[] = NO_CODE.map((name) => {
    return { name, index: undefined, pc: undefined, module: undefined };
  });
  codes.forEach((code, module) => {
    code.names.forEach((name, position) => {
      const index = code.indices[position]!;
      functions.push({ name, index: index < 0 ? undefined : index, pc: code.starts[position]!, module });
    });
  });
  const uses = new Map<string, number>();
  for (const { name } of functions) uses.set(name, (uses.get(name) ?? 0) + 1);
  const taken = new Set(NO_CODE);
  return functions.map((fn) => {
    if (fn.module === undefined) return fn;
    let name = fn.name;
    if (uses.get(name)! > 1) name += fn.index === undefined ? ` [pc ${fn.pc}]` : ` [${fn.index}]`;
    const base = name;
    for (let other = 2; taken.has(name); other++) name = `${base} #${other}`;
    taken.add(name);
    return { ...fn, name };
  });
}

/** What the instructions of one module charged. */
function chargesOf(code: ProfiledCode, module: number): ProfileCharge[] {
  const { counts, varying, byHost } = code, { opcodes, immediates } = code.module;
  const charges: ProfileCharge[] = [];
  for (let pc = 0; pc < counts.length; pc++) {
    const count = counts[pc]!;
    if (count === 0) continue;
    const fixed = BigInt(immediates[pc]! >>> 0) * BigInt(count);
    const fuel = opcodes[pc] === Op.ConsumeFuel ? fixed : varying.get(pc) ?? 0n;
    charges.push({ module, pc, count, fuel, host: false });
  }
  for (const [pc, fuel] of byHost) charges.push({ module, pc, count: 0, fuel, host: true });
  return charges.sort((a, b) => a.pc - b.pc || Number(a.host) - Number(b.host));
}
