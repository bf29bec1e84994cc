/**
 * What is worked out about a module once and shared by all stores: that it is sound, and its code for
 * the fast loop. A `RwasmModule` with the host functions and limits it meets goes in, a `Prepared`
 * comes out. It runs nothing.
 *
 * @module
 */

import { VerifyError } from "../error.ts";
import { type FunctionType, type RwasmModule, slotsOfAll } from "../isa/module.ts";
import { Op } from "../isa/opcode.ts";
import { type Syscalls, type VerifiedModule, verify } from "../isa/verify.ts";
import { Program } from "../interpreter/program.ts";
import type { Limits } from "../limits.ts";

/** A module under the host functions it calls and the limits it runs under. */
export class Prepared {
  readonly #module: RwasmModule;
  readonly #types: ReadonlyMap<number, FunctionType>;
  readonly #limits: Limits;
  #verified: VerifiedModule | VerifyError | undefined;
  #program: Program | undefined;

  /** Works out nothing yet. */
  constructor(module: RwasmModule, types: ReadonlyMap<number, FunctionType>, limits: Limits) {
    this.#module = module;
    this.#types = types;
    this.#limits = limits;
  }

  /**
   * The proof that the module is sound.
   *
   * @throws {VerifyError} when it is not.
   */
  get verified(): VerifiedModule {
    this.#verified ??= this.#verify();
    if (this.#verified instanceof VerifyError) throw this.#verified;
    return this.#verified;
  }

  /** The proof that the module is sound; undefined when it is not. */
  get sound(): VerifiedModule | undefined {
    this.#verified ??= this.#verify();
    return this.#verified instanceof VerifyError ? undefined : this.#verified;
  }

  /**
   * Refuses the module unless it is sound. What the compiler made is, and need not wait for the proof.
   *
   * @throws {VerifyError} when it is not.
   */
  check(): void {
    if (this.#module.info === undefined && !unproven.has(this.#module)) this.verified;
  }

  /** Its code for the fast loop, lowered as far as it was needed; undefined where only the plain loop can serve. */
  get program(): Program | undefined {
    if (this.#program !== undefined) return this.#program;
    // The compiler makes only what is sound, but loops that never end may be among it.
    this.#verified ??= this.#verify();
    if (this.#verified instanceof VerifyError) return undefined;
    return this.#program = new Program(this.#verified);
  }

  /** Whether a store has gone to the fast loop before, so that there is something to share. */
  get hasProgram(): boolean {
    return this.#program !== undefined;
  }

  #verify(): VerifiedModule | VerifyError {
    try {
      return verify(this.#module, (index) => this.#types.get(index), { limits: this.#limits });
    } catch (error) {
      if (error instanceof VerifyError) return error;
      throw error;
    }
  }
}

/** Modules that tests run without proof. */
const unproven = new WeakSet<RwasmModule>();

/**
 * @internal Lets a module run that nothing is proved about, in the plain loop: what its tests are
 * made of. Not reachable from `mod.ts`.
 */
export function runUnverified(module: RwasmModule): RwasmModule {
  unproven.add(module);
  return module;
}

/** What is known of a module: the syscalls in its code, and what was prepared under which of their types. */
interface Known {
  readonly syscalls: readonly number[];
  readonly prepared: Map<string, Prepared>;
}

const known = new WeakMap<RwasmModule, Known>();

/**
 * The preparation of a module, the same for all stores whose linkers and limits mean the same to it.
 *
 * @param syscalls types of the host functions by syscall index, as the linker has them now
 */
export function prepare(module: RwasmModule, syscalls: Syscalls, limits: Limits): Prepared {
  const entry = knownOf(module);
  const types = new Map<number, FunctionType>();
  let key = Object.values(limits).join();
  for (const index of entry.syscalls) {
    const type = syscalls(index);
    if (type === undefined) continue;
    types.set(index, type);
    key += ` ${index}:${slotsOfAll(type.params)}:${slotsOfAll(type.results)}`;
  }
  let prepared = entry.prepared.get(key);
  if (prepared === undefined) {
    prepared = new Prepared(module, types, limits);
    entry.prepared.set(key, prepared);
  }
  return prepared;
}

/** Indices of the host functions that the code of a module calls, in the order of their first call. */
export function syscallsOf(module: RwasmModule): readonly number[] {
  return knownOf(module).syscalls;
}

function knownOf(module: RwasmModule): Known {
  let entry = known.get(module);
  if (entry === undefined) known.set(module, entry = { syscalls: findSyscalls(module), prepared: new Map() });
  return entry;
}

function findSyscalls({ opcodes, immediates }: RwasmModule): number[] {
  const found = new Set<number>();
  for (let pc = 0; pc < opcodes.length; pc++) {
    const op = opcodes[pc];
    if (op === Op.Call || op === Op.ReturnCall) found.add(immediates[pc]! >>> 0);
  }
  return [...found];
}
