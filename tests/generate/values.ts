/**
 * Expressions: instructions that push one value of a wanted type. Every expression is tame, it
 * cannot trap, unless the module is wild. Statements and control flow are in `body.ts`.
 *
 * NaN bits are the one thing in which engines may differ, so a float whose NaN payload an engine may
 * choose is never seen by its bits: it is made canonical before it is stored, reinterpreted, or gives
 * its sign. Floats that are only moved keep their bits, and those are seen.
 *
 * @module
 */

import type { ValueType } from "../../mod.ts";
import type { Random } from "../harness.ts";
import { unsigned } from "../wasm_encoder.ts";
import { canonicalNan, constantOf, i32Constant, interestingBits, zeroOf } from "./constants.ts";
import { type ModuleContext, sameTypes } from "./context.ts";
import { type Instruction, type Signature, TYPE_BYTE } from "./module.ts";
import {
  ARITHMETIC,
  isNumeric,
  LOADS,
  type MemoryOperator,
  NUMERIC,
  type NumericOperator,
} from "./operators.ts";

/** Ways to make a value. */
type Way = "leaf" | "numeric" | "load" | "select" | "block" | "call" | "size" | "table" | "isNull";

const WAYS: readonly Way[] = [
  ..."leaf leaf leaf leaf numeric numeric numeric numeric numeric numeric load load select".split(
    " ",
  ) as Way[],
  ..."block block call size table isNull".split(" ") as Way[],
];

/** Most masks for addresses: small ones make accesses meet. */
const MASKS = [15, 63, 255, 4095, 0x7fff];

const OFFSETS = [0, 0, 0, 1, 2, 3, 4, 8, 16, 100, 256, 4096, 0x7000];

/** Addresses and offsets that may be out of bounds. */
const WILD_ADDRESSES = [0, 1, 0xfffc, 0xffff, 0x10000, 0x1fffd, 0x20000, 0x7fffffff, 0x80000000, 0xffffffff];

/** Writes expressions of a function. */
export abstract class Values {
  /** Instructions so far. */
  readonly out: Instruction[] = [];
  /** Types of the locals, parameters first; scratch locals last. */
  readonly locals: ValueType[];
  /** How many locals expressions may use: not the scratch ones. */
  protected readonly usable: number;
  readonly #scratch = new Map<ValueType, number>();

  /** The module around the function. */
  protected readonly context: ModuleContext;
  /** The dice. */
  protected readonly random: Random;
  /** A leaf function calls nothing, and so needs no check of the budget. */
  protected readonly leaf: boolean;
  /** Instructions that may still be written before only the cheapest ones are. */
  protected left: number;

  /** Starts a function with parameters and locals. */
  constructor(context: ModuleContext, locals: readonly ValueType[], leaf: boolean, size: number) {
    this.context = context;
    this.random = context.random;
    this.locals = [...locals];
    this.usable = locals.length;
    this.leaf = leaf;
    this.left = size;
  }

  /** A block that leaves one value. */
  protected abstract blockValue(type: ValueType, depth: number): void;

  /** Opens a `block`, `loop` or `if`: 0x02, 0x03, 0x04. */
  protected abstract open(
    code: number,
    params: readonly ValueType[],
    results: readonly ValueType[],
  ): void;

  /** Closes the innermost block. */
  protected abstract end(): void;

  /** Appends an instruction. */
  protected emit(...bytes: readonly number[]): void {
    this.out.push(bytes);
    this.left--;
  }

  /** Appends an instruction with an index. */
  protected emitIndex(code: number, index: number): void {
    this.emit(code, ...unsigned(index));
  }

  /** True about once in `times`. */
  protected once(times: number): boolean {
    return this.random.below(times) === 0;
  }

  /** Whether to write something that may trap here. */
  protected dares(): boolean {
    return this.context.wild && this.once(5);
  }

  /** A local for the generator's own use; one per type unless it must be fresh. */
  protected scratch(type: ValueType, fresh = false): number {
    const known = this.#scratch.get(type);
    if (known !== undefined && !fresh) return known;
    this.locals.push(type);
    if (!fresh) this.#scratch.set(type, this.locals.length - 1);
    return this.locals.length - 1;
  }

  /** A local of a type that expressions may use; undefined when there is none. */
  protected localOf(type: ValueType): number | undefined {
    const found: number[] = [];
    for (let i = 0; i < this.usable; i++) if (this.locals[i] === type) found.push(i);
    return found.length === 0 ? undefined : this.random.pick(found);
  }

  /** A global of a type, other than the budget. */
  protected globalOf(type: ValueType, mutable: boolean): number | undefined {
    const { globals, budgetGlobal, digestGlobal } = this.context;
    const found: number[] = [];
    globals.forEach((global, i) => {
      if (global.type === type && (global.mutable || !mutable) && i !== budgetGlobal && i !== digestGlobal) {
        found.push(i);
      }
    });
    return found.length === 0 ? undefined : this.random.pick(found);
  }

  /** Pushes one value of each type. */
  protected values(types: readonly ValueType[], depth: number): void {
    for (const type of types) this.value(type, depth);
  }

  /** Pushes a value; true when its bits are the same on every engine. */
  protected value(type: ValueType, depth: number): boolean {
    if (depth <= 0 || this.left <= 0) return this.#leaf(type);
    switch (this.random.pick(WAYS)) {
      case "leaf":
        return this.#leaf(type);
      case "numeric":
        if (!isNumeric(type)) return this.#leaf(type);
        return this.#numeric(this.random.pick((this.once(3) ? NUMERIC : ARITHMETIC)[type]), depth);
      case "load": {
        const loads = LOADS.filter((load) => load.type === type);
        if (!this.accessible() || loads.length === 0) return this.#leaf(type);
        const load = this.random.pick(loads);
        const offset = this.address(load.size, depth - 1);
        this.emit(load.byte, ...this.memoryImmediate(load, offset));
        return true;
      }
      case "select":
        return this.#select(type, depth);
      case "block":
        this.blockValue(type, depth - 1);
        return isFloatFree(type);
      case "call":
        return this.#callFor(type, depth) ? isFloatFree(type) : this.#leaf(type);
      case "size":
        if (type !== "i32" || !this.#size(depth)) return this.#leaf(type);
        return true;
      case "table": {
        const tables = this.context.tables.flatMap((table, i) => table.type === type ? [i] : []);
        if (tables.length === 0) return this.#leaf(type);
        const table = this.random.pick(tables);
        if (!this.tableIndex(table, depth - 1)) return this.#leaf(type);
        this.emitIndex(0x25, table);
        return true;
      }
      case "isNull": {
        const types = this.context.valueTypes.filter((t) => !isNumeric(t));
        if (type !== "i32" || types.length === 0) return this.#leaf(type);
        this.value(this.random.pick(types), depth - 1);
        this.emit(0xd1);
        return true;
      }
    }
  }

  /** A float as the same bits on every engine. */
  protected exactValue(type: ValueType, depth: number): void {
    if (!this.value(type, depth) && (type === "f32" || type === "f64")) this.makeCanonical(type);
  }

  /** Replaces a NaN on the stack by the canonical one. */
  protected makeCanonical(type: "f32" | "f64"): void {
    const scratch = this.scratch(type);
    this.emitIndex(0x22, scratch);
    this.emit(...canonicalNan(type));
    this.emitIndex(0x20, scratch);
    this.emitIndex(0x20, scratch);
    this.emit(type === "f32" ? 0x5b : 0x61);
    this.emit(0x1b);
  }

  #leaf(type: ValueType): boolean {
    const way = this.random.below(8);
    if (way < 4) {
      const local = this.localOf(type);
      if (local !== undefined) {
        this.emitIndex(0x20, local);
        return isFloatFree(type);
      }
    } else if (way === 4) {
      const global = this.globalOf(type, false);
      if (global !== undefined) {
        this.emitIndex(0x23, global);
        return isFloatFree(type);
      }
    }
    if (isNumeric(type)) this.emit(...constantOf(type, interestingBits(this.random, type)));
    else if (type === "funcref" && this.context.declared.length > 0 && !this.once(3)) {
      this.emitIndex(0xd2, this.random.pick(this.context.declared));
    } else this.emit(...zeroOf(type));
    return true;
  }

  #numeric(operator: NumericOperator, depth: number): boolean {
    const { bytes, operands, result, danger, movesBits, showsBits } = operator;
    if (!this.context.options.floats && operands.some((type) => type[0] === "f")) return this.#leaf(result);
    let exact = true;
    if (danger === "truncation" && !this.dares()) this.#smallFloat(operands[0] as "f32" | "f64", depth - 1);
    else if (showsBits) {
      const last = operands.length - 1;
      for (let i = 0; i < last; i++) exact = this.value(operands[i], depth - 1) && exact;
      this.exactValue(operands[last], depth - 1);
    } else operands.forEach((type) => exact = this.value(type, depth - 1) && exact);
    if (danger === "division" && !this.dares()) this.#makePositive(result as "i32" | "i64");
    this.emit(...bytes);
    return isFloatFree(result) || operands.every((type) => type[0] === "i") || (movesBits && exact);
  }

  /** Makes the divisor on the stack a positive number: neither zero nor minus one. */
  #makePositive(type: "i32" | "i64"): void {
    this.emit(...constantOf(type, type === "i32" ? 0x7fffffffn : 0x7fffffffffffffffn));
    this.emit(type === "i32" ? 0x71 : 0x83);
    this.emit(...constantOf(type, 1n));
    this.emit(type === "i32" ? 0x72 : 0x84);
  }

  /** A float that fits every integer type: an integer of 20 bits, divided. */
  #smallFloat(type: "f32" | "f64", depth: number): void {
    this.value("i32", depth);
    this.emit(...i32Constant(0xfffff));
    this.emit(0x71);
    this.emit(type === "f32" ? 0xb2 : 0xb7);
    this.emit(...constantOf(type, type === "f32" ? 0x40500000n : 0x400a000000000000n)); // 3.25
    this.emit(type === "f32" ? 0x95 : 0xa3);
  }

  #select(type: ValueType, depth: number): boolean {
    const first = this.value(type, depth - 1);
    const second = this.value(type, depth - 1);
    this.value("i32", depth - 1);
    if (isNumeric(type) && !this.once(3)) this.emit(0x1b);
    else this.emit(0x1c, 1, TYPE_BYTE[type]);
    return first && second;
  }

  /** `memory.size`, `memory.grow`, `table.size` or `table.grow`; false when there is nothing to ask. */
  #size(depth: number): boolean {
    const { pages, tables, growable } = this.context;
    const way = this.random.below(4);
    if (way < 2 && pages !== undefined) {
      if (way === 0) this.emit(0x3f, 0);
      else {
        this.value("i32", depth - 1);
        // Without a declared maximum only what every engine grants or every engine refuses is asked for.
        this.emit(...i32Constant(growable ? 1 : 0x7fff0000));
        this.emit(growable ? 0x71 : 0x72);
        this.emit(0x40, 0);
      }
      return true;
    }
    if (tables.length === 0) return false;
    const table = this.random.below(tables.length);
    if (way === 2 || tables[table].stable) this.emit(0xfc, 16, ...unsigned(table));
    else {
      this.value(tables[table].type, depth - 1);
      this.value("i32", depth - 1);
      const refused = this.once(4);
      this.emit(...i32Constant(refused ? 0x7f000000 : 3));
      this.emit(refused ? 0x72 : 0x71);
      this.emit(0xfc, 15, ...unsigned(table));
    }
    return true;
  }

  // ── calls ─────────────────────────────────────────────────────────────────────────────────────

  /** A call whose last result is the wanted value; the results below it are left behind by a branch. */
  #callFor(type: ValueType, depth: number): boolean {
    const fits = ({ results }: Signature) => results.at(-1) === type;
    const { types } = this.context;
    const call = this.call(fits, depth, () => this.open(0x02, [], [type]));
    if (call === undefined) return false;
    if (types[call].results.length > 1) {
      this.emit(0x0c, 0);
      this.end();
    }
    return true;
  }

  /**
   * Calls a function of a fitting type, directly or through a table; the index of the type, or
   * undefined when there is none. `open` is called first when it leaves more than one result.
   */
  protected call(
    fits: (type: Signature) => boolean,
    depth: number,
    open: () => void = () => {},
  ): number | undefined {
    if (this.leaf) return undefined;
    const { types, functions, groups } = this.context;
    const direct = functions.flatMap((type, i) => fits(types[type]) ? [i] : []);
    const indirect = groups.filter(({ type }) => fits(types[type]));
    if (direct.length + indirect.length === 0) return undefined;
    if (indirect.length > 0 && (direct.length === 0 || this.once(2))) {
      const group = this.random.pick(indirect);
      if (types[group.type].results.length > 1) open();
      this.indirectOperands(group.type, group.start, group.count, depth);
      this.emit(0x11, ...unsigned(this.equalType(group.type)), 0);
      return group.type;
    }
    const callee = this.random.pick(direct), type = functions[callee];
    if (types[type].results.length > 1) open();
    this.values(types[type].params, depth - 1);
    this.emitIndex(0x10, callee);
    return type;
  }

  /** Index of any type that is the same function type. */
  protected equalType(index: number): number {
    const { types } = this.context;
    const { params, results } = types[index];
    return this.random.pick(
      types.flatMap((type, i) =>
        sameTypes(type.params, params) && sameTypes(type.results, results) ? [i] : []
      ),
    );
  }

  /** Arguments of a function type, then an index into a range of table 0. */
  protected indirectOperands(type: number, start: number, count: number, depth: number): void {
    this.values(this.context.types[type].params, depth - 1);
    if (this.dares()) {
      this.value("i32", depth - 1);
      this.emit(...i32Constant(15));
      this.emit(0x71);
      return;
    }
    if (count === 1 && this.once(2)) {
      this.emit(...i32Constant(start));
      return;
    }
    this.value("i32", depth - 1);
    this.emit(...i32Constant(count));
    this.emit(0x70);
    this.emit(...i32Constant(start));
    this.emit(0x6a);
  }

  // ── addresses ─────────────────────────────────────────────────────────────────────────────────

  /** Whether there is memory to access without a certain trap. */
  protected accessible(): boolean {
    const { pages, wild } = this.context;
    return pages !== undefined && (pages > 0 || wild);
  }

  /** Pushes an address of so many bytes; the offset to access it with. */
  protected address(size: number, depth: number): number {
    const bytes = this.context.pages! * 65536;
    if (bytes === 0 || this.dares()) {
      if (this.once(2)) this.emit(...i32Constant(this.random.pick(WILD_ADDRESSES)));
      else this.value("i32", depth);
      return this.once(2) ? 0 : this.random.pick(WILD_ADDRESSES);
    }
    if (this.once(12)) { // the last bytes there are
      const offset = this.random.pick(OFFSETS);
      this.emit(...i32Constant(bytes - size - offset));
      return offset;
    }
    const mask = this.random.pick(MASKS);
    const offset = this.random.pick(OFFSETS);
    this.value("i32", depth);
    this.emit(...i32Constant(mask));
    this.emit(0x71);
    return mask + offset + size <= bytes ? offset : 0;
  }

  /** Alignment and offset of a load or store. */
  protected memoryImmediate({ size }: MemoryOperator, offset: number): number[] {
    return [this.random.below(Math.log2(size) + 1), ...unsigned(offset)];
  }

  /** Pushes an index into a table; false when a tame module has no element to name. */
  protected tableIndex(table: number, depth: number): boolean {
    const { min } = this.context.tables[table];
    const dares = this.dares();
    if (min === 0 && !dares) return false;
    this.value("i32", depth);
    this.emit(...i32Constant(dares ? min + 2 : min));
    this.emit(0x70);
    return true;
  }
}

/** Whether the bits of a value of this type never depend on the engine. */
function isFloatFree(type: ValueType): boolean {
  return type !== "f32" && type !== "f64";
}
