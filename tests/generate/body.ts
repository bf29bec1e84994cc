/**
 * Function bodies: statements and control flow over the expressions of `values.ts`. Every body ends:
 * back-branches and function entries count a global budget down, and counted loops are short.
 *
 * @module
 */

import type { ValueType } from "../../mod.ts";
import { unsigned } from "../wasm_encoder.ts";
import { i32Constant, zeroOf } from "./constants.ts";
import { type ModuleContext, sameTypes, someTypes, typeIndex } from "./context.ts";
import { type FunctionSource, type Signature, TYPE_BYTE } from "./module.ts";
import { isNumeric, NUMERIC_OPERATORS, type NumericType, STORES } from "./operators.ts";
import { Values } from "./values.ts";

/** A label that is in scope. */
interface Frame {
  /** What a branch to it takes. */
  readonly label: readonly ValueType[];
  /** A branch to it goes back, so it must count the budget down. */
  readonly loop: boolean;
}

type Statement =
  | "set"
  | "store"
  | "call"
  | "block"
  | "if"
  | "loop"
  | "branch"
  | "switch"
  | "bulk"
  | "drop"
  | "spill";

const STATEMENTS: readonly Statement[] =
  ("set set set set set store store store call call block if if if loop loop branch branch switch bulk bulk drop " +
    "spill spill").split(" ") as Statement[];

/** Deepest nesting of blocks. */
const MOST_FRAMES = 7;

class Body extends Values {
  readonly #frames: Frame[] = [];
  readonly #results: readonly ValueType[];

  constructor(context: ModuleContext, { params, results }: Signature, leaf: boolean, size: number) {
    const { random, valueTypes } = context;
    const locals = [...params, ...someTypes(random, valueTypes, 8)];
    super(context, locals, leaf, size);
    this.#results = results;
    this.#frames.push({ label: results, loop: false });
  }

  write(): void {
    if (!this.leaf) this.#checkBudget();
    this.#statements(3);
    while (this.left > 30 && !this.once(6)) this.#statements(4);
    if (!this.once(3)) this.#digestLocals();
    this.#finish(this.#results);
  }

  // ── termination ───────────────────────────────────────────────────────────────────────────────

  /** Pushes whether the budget still lasts, having taken one from it. */
  #countDown(): void {
    const { budgetGlobal } = this.context;
    this.emitIndex(0x23, budgetGlobal);
    this.emit(...i32Constant(1));
    this.emit(0x6b);
    this.emitIndex(0x24, budgetGlobal);
    this.emitIndex(0x23, budgetGlobal);
    this.emit(...i32Constant(0));
    this.emit(0x4a); // i32.gt_s
  }

  /** Returns zeros when the budget is used up. */
  #checkBudget(): void {
    this.left += 12;
    const zeros = () => this.#results.forEach((type) => this.emit(...zeroOf(type)));
    if (this.once(3)) {
      zeros();
      this.#countDown();
      this.emit(0x45);
      this.emit(0x0d, 0);
      this.#results.forEach(() => this.emit(0x1a));
      return;
    }
    this.#countDown();
    this.emit(0x45);
    this.emit(0x04, 0x40);
    zeros();
    this.emit(0x0f);
    this.emit(0x0b);
  }

  /** Pushes the condition of a branch to a frame. */
  #condition(frame: Frame, depth: number): void {
    this.value("i32", depth);
    if (!frame.loop) return;
    this.emit(...i32Constant(0));
    this.#countDown();
    this.emit(0x1b);
  }

  // ── blocks ────────────────────────────────────────────────────────────────────────────────────

  /** `block`, `loop` or `if`, with the shortest form of its type, or now and then a longer one. */
  protected override open(code: number, params: readonly ValueType[], results: readonly ValueType[]): void {
    if (params.length === 0 && results.length <= 1 && !this.once(4)) {
      this.emit(code, results.length === 0 ? 0x40 : TYPE_BYTE[results[0]]);
    } else {
      this.emit(code, ...blockType(typeIndex(this.context, params, results)));
    }
    this.#frames.push({ label: code === 0x03 ? params : results, loop: code === 0x03 });
  }

  protected override end(): void {
    this.emit(0x0b);
    this.#frames.pop();
  }

  /** The inside of a block: what it takes, statements, what it gives. */
  #inside(params: readonly ValueType[], results: readonly ValueType[], depth: number): void {
    // A parameter may stay below what follows, until the end of the block or the branch out of it.
    const early = this.once(3) ? 0 : params.length;
    if (early > 0) this.#consume(params);
    this.#statements(this.random.below(3), depth);
    if (early === 0) this.#consume(params);
    this.#finish(results, depth);
  }

  protected override blockValue(type: ValueType, depth: number): void {
    if (this.#frames.length > MOST_FRAMES) return void this.value(type, 0);
    const params = this.once(3) ? someTypes(this.random, this.context.valueTypes, 3) : [];
    this.#block(params, [type], depth);
  }

  /** A block, loop or if with the given type, its parameters included. */
  #block(params: readonly ValueType[], results: readonly ValueType[], depth: number): void {
    this.values(params, depth - 1);
    switch (this.random.below(4)) {
      case 0:
        this.open(0x03, params, results);
        this.#inside(params, [], depth - 1);
        this.#branchBack(params, depth - 1);
        this.values(results, depth - 1);
        return this.end();
      case 1: {
        this.value("i32", depth - 1);
        this.open(0x04, params, results);
        this.#inside(params, results, depth - 1);
        if (!sameTypes(params, results) || !this.once(3)) {
          this.emit(0x05);
          this.#inside(params, results, depth - 1);
        }
        return this.end();
      }
      default:
        this.open(0x02, params, results);
        this.#inside(params, results, depth - 1);
        return this.end();
    }
  }

  /** `br_if` to the innermost frame, a loop. */
  #branchBack(params: readonly ValueType[], depth: number): void {
    this.values(params, depth - 1);
    this.#condition(this.#frames.at(-1)!, depth - 1);
    this.emit(0x0d, 0);
    this.#consume(params);
  }

  /** A loop as compilers write it. */
  #loop(depth: number): void {
    if (this.#frames.length > MOST_FRAMES) return;
    // Only outermost loops may run without the budget, so that nesting cannot multiply them.
    if (this.once(2) && !this.#frames.some(({ loop }) => loop)) {
      const counter = this.scratch("i32", true);
      this.emit(...i32Constant(1 + this.random.below(5)));
      this.emitIndex(0x21, counter);
      this.open(0x03, [], []);
      this.#statements(1 + this.random.below(3), depth - 1);
      this.emitIndex(0x20, counter);
      this.emit(...i32Constant(1));
      this.emit(0x6b);
      this.emitIndex(0x22, counter);
      this.emit(0x0d, 0);
      return this.end();
    }
    if (this.once(2)) {
      const types = someTypes(this.random, this.context.valueTypes, 3);
      this.#block(types, [], depth);
      return;
    }
    this.open(0x02, [], []);
    this.open(0x03, [], []);
    this.#condition(this.#frames.at(-1)!, depth - 1);
    this.emit(0x45);
    this.emit(0x0d, 1);
    this.#statements(1 + this.random.below(3), depth - 1);
    this.emit(0x0c, 0);
    this.#dead();
    this.end();
    this.end();
  }

  /** Statements, a few of them, while there is room. */
  #statements(count: number, depth = 4): void {
    for (let i = 0; i < count && this.left > 0; i++) this.#statement(depth);
  }

  #statement(depth: number): void {
    const { random, context } = this;
    const type = random.pick(context.valueTypes);
    switch (random.pick(STATEMENTS)) {
      case "set":
        this.value(type, depth);
        return this.#consume([type]);
      case "store": {
        if (!this.accessible()) return;
        const store = random.pick(STORES.filter(({ type }) => context.valueTypes.includes(type)));
        const offset = this.address(store.size, depth - 1);
        this.exactValue(store.type, depth - 1);
        return this.emit(store.byte, ...this.memoryImmediate(store, offset));
      }
      case "call": {
        const called = this.call(() => true, depth);
        if (called === undefined) return;
        // A call with several results opened a block for them; as a statement it has none to open.
        return this.#consume(context.types[called].results);
      }
      case "block":
        if (this.#frames.length > MOST_FRAMES || depth <= 0) return;
        {
          const results = someTypes(random, context.valueTypes, 3);
          this.#block(this.once(3) ? someTypes(random, context.valueTypes, 3) : [], results, depth);
          return this.#consume(results);
        }
      case "if":
        if (this.#frames.length > MOST_FRAMES || depth <= 0) return;
        this.value("i32", depth - 1);
        this.open(0x04, [], []);
        this.#inside([], [], depth - 1);
        if (this.once(2)) {
          this.emit(0x05);
          this.#inside([], [], depth - 1);
        }
        return this.end();
      case "loop":
        if (depth <= 0) return;
        return this.#loop(depth - 1);
      case "branch":
        return this.#branchIf(depth);
      case "switch":
        return this.#switch(depth);
      case "bulk":
        return this.#bulk(depth);
      case "drop":
        if (this.once(4)) return this.emit(0x01);
        this.value(type, depth);
        return this.emit(0x1a);
      case "spill": {
        const types = someTypes(random, context.valueTypes, 4);
        this.values(types, depth - 2);
        this.#statement(depth - 1);
        const changed = this.#fold([...types], depth - 2);
        return this.#consume(changed);
      }
    }
  }

  /** Applies operators to the topmost of some values; the types that are then there. */
  #fold(types: ValueType[], depth: number): ValueType[] {
    for (let i = 0; i < 3 && types.length > 0; i++) {
      const top = types.at(-1)!;
      const fitting = NUMERIC_OPERATORS.filter(({ operands, danger, showsBits, result }) =>
        operands[0] === top && danger === "none" && !showsBits && this.context.valueTypes.includes(result)
      );
      if (fitting.length === 0) break;
      const { bytes, operands, result } = this.random.pick(fitting);
      this.values(operands.slice(1), depth);
      this.emit(...bytes);
      types[types.length - 1] = result;
    }
    return types;
  }

  /** Takes values off the stack: into locals and globals, or nowhere. */
  #consume(types: readonly ValueType[]): void {
    for (const type of types.toReversed()) {
      const way = this.random.below(6);
      const local = way < 3 ? this.localOf(type) : undefined;
      const global = way === 3 ? this.globalOf(type, true) : undefined;
      if (local !== undefined) {
        this.emitIndex(way === 2 ? 0x22 : 0x21, local);
        if (way === 2) this.emit(0x1a);
      } else if (global !== undefined) this.emitIndex(0x24, global);
      else if (isNumeric(type) && !this.once(3)) this.#digest(type);
      else this.emit(0x1a);
    }
  }

  /** Mixes the number on the stack into a global, so that it is seen in the end whatever becomes of it. */
  #digest(type: NumericType): void {
    const { digestGlobal } = this.context;
    if (type === "f32" || type === "f64") {
      this.makeCanonical(type);
      this.emit(type === "f32" ? 0xbc : 0xbd);
    }
    if (type === "i32" || type === "f32") this.emit(0xad);
    this.emitIndex(0x23, digestGlobal);
    this.emit(0x42, 5);
    this.emit(0x89); // i64.rotl
    this.emit(0x85); // i64.xor
    this.emitIndex(0x24, digestGlobal);
    this.left += 4;
  }

  /** Digests what is left in the locals. */
  #digestLocals(): void {
    for (let i = 0; i < this.usable; i++) {
      const type = this.locals[i];
      if (!isNumeric(type) || this.once(4)) continue;
      this.emitIndex(0x20, i);
      this.#digest(type);
    }
  }

  // ── branches ──────────────────────────────────────────────────────────────────────────────────

  #frameAt(label: number): Frame {
    return this.#frames[this.#frames.length - 1 - label];
  }

  /** Values that a branch must throw away; their types. */
  #surplus(depth: number): ValueType[] {
    if (!this.once(3)) return [];
    const types = someTypes(this.random, this.context.valueTypes, 3);
    this.values(types, depth - 1);
    return types;
  }

  #branchIf(depth: number): void {
    const label = this.random.below(this.#frames.length);
    const frame = this.#frameAt(label);
    const surplus = this.#surplus(depth);
    this.values(frame.label, depth - 1);
    this.#condition(frame, depth - 1);
    this.emitIndex(0x0d, label);
    this.#consume([...surplus, ...frame.label]);
  }

  /** Pushes an index and branches by it, to any frames that take the same types as the given label. */
  #branchTable(label: number, depth: number): void {
    const { random } = this;
    const types = this.#frameAt(label).label;
    const fitting = Array.from(this.#frames, (_, i) => i)
      .filter((i) => sameTypes(this.#frameAt(i).label, types));
    const forward = fitting.filter((i) => !this.#frameAt(i).loop);
    const anyLoop = forward.length > 0 && this.once(3);
    const targets = Array.from(
      { length: random.below(6) },
      () => random.pick(anyLoop ? fitting : forward.length > 0 ? forward : [label]),
    );
    const last = forward.length > 0 ? random.pick(forward) : label;
    this.values(types, depth - 1);
    this.value("i32", depth - 1);
    if (targets.some((i) => this.#frameAt(i).loop)) {
      // When the budget is used up the index becomes the greatest there is, and the default is taken.
      this.emit(...i32Constant(-1));
      this.#countDown();
      this.emit(0x1b);
    }
    this.emit(0x0e, ...unsigned(targets.length), ...targets.flatMap((i) => unsigned(i)), ...unsigned(last));
  }

  /** Nested blocks with a `br_table` in the innermost, or one `br_table` to whatever is in scope. */
  #switch(depth: number): void {
    const cases = 1 + this.random.below(4);
    if (this.#frames.length + cases > MOST_FRAMES || depth <= 0) return;
    if (this.once(3)) {
      const forward = this.#frames.flatMap(({ loop }, i) => loop ? [] : [this.#frames.length - 1 - i]);
      const label = this.random.pick(forward);
      const types = this.#frameAt(label).label;
      this.open(0x02, [], types);
      this.#surplus(depth);
      this.#branchTable(label + 1, depth - 1);
      this.#dead();
      this.end();
      return this.#consume(types);
    }
    for (let i = 0; i <= cases; i++) this.open(0x02, [], []);
    this.value("i32", depth - 1);
    const labels = Array.from({ length: cases }, (_, i) => i);
    this.emit(0x0e, ...unsigned(cases), ...labels, cases);
    this.end();
    for (let i = 1; i <= cases; i++) {
      this.#statements(1, depth - 1);
      if (this.once(2)) {
        this.emit(0x0c, cases - i);
        this.#dead();
      }
      this.end();
    }
  }

  /** The end of a block: its results, or a branch, return or trap instead of them. */
  #finish(results: readonly ValueType[], depth = 3): void {
    const way = this.left > 0 ? this.random.below(100) : 0;
    const forward = this.#frames.flatMap(({ loop }, i) => loop ? [] : [this.#frames.length - 1 - i]);
    if (way < 80) return this.values(results, depth);
    if (way < 89) {
      const label = this.random.pick(forward);
      this.#surplus(depth);
      this.values(this.#frameAt(label).label, depth - 1);
      this.emitIndex(0x0c, label);
    } else if (way < 92) {
      this.#surplus(depth);
      this.values(this.#results, depth - 1);
      this.emit(0x0f);
    } else if (way < 96) {
      this.#surplus(depth);
      if (!this.#tailCall(depth - 1)) {
        this.values(this.#results, depth - 1);
        this.emit(0x0f);
      }
    } else if (way < 99) {
      this.#surplus(depth);
      this.#branchTable(this.random.pick(forward), depth - 1);
    } else if (this.dares()) this.emit(0x00);
    else return this.values(results, depth);
    this.#dead();
  }

  /** `return_call` or `return_call_indirect`; false when no function has the results. */
  #tailCall(depth: number): boolean {
    if (this.leaf) return false;
    const { types, functions, groups } = this.context;
    const fits = (type: number) => sameTypes(types[type].results, this.#results);
    const direct = functions.flatMap((type, i) => fits(type) ? [i] : []);
    const indirect = groups.filter(({ type }) => fits(type));
    if (indirect.length > 0 && this.once(2)) {
      const { type, start, count } = this.random.pick(indirect);
      this.indirectOperands(type, start, count, depth);
      this.emit(0x13, ...unsigned(this.equalType(type)), 0);
      return true;
    }
    if (direct.length === 0) return false;
    const callee = this.random.pick(direct);
    this.values(types[functions[callee]].params, depth);
    this.emitIndex(0x12, callee);
    return true;
  }

  /**
   * Code that is never reached. The stack below is polymorphic there, so operators need no operands;
   * what they push is dropped again, and the end of the block then takes its results from nothing.
   */
  #dead(): void {
    if (this.left <= 0 || this.once(2)) return;
    const { random, context } = this;
    for (let i = random.below(4); i > 0; i--) {
      switch (random.below(7)) {
        case 0:
          this.emit(...random.pick(NUMERIC_OPERATORS).bytes);
          this.emit(0x1a);
          break;
        case 1: {
          const local = this.localOf(random.pick(context.valueTypes));
          if (local !== undefined) this.emitIndex(0x21, local);
          break;
        }
        case 2:
          this.emit(0x1b);
          this.emit(0x1a);
          break;
        case 3:
          this.emit(0x04, 0x40);
          this.emit(0x05);
          this.emit(0x0b);
          break;
        case 4: {
          const label = random.below(this.#frames.length);
          this.emitIndex(0x0d, label);
          this.#frameAt(label).label.forEach(() => this.emit(0x1a));
          break;
        }
        case 5: {
          const callee = random.below(context.functions.length);
          this.emitIndex(0x10, callee);
          context.types[context.functions[callee]].results.forEach(() => this.emit(0x1a));
          break;
        }
        default:
          this.#statement(1);
      }
    }
  }

  // ── bulk operations, tables ───────────────────────────────────────────────────────────────────

  /** Pushes a length, a short one when the module is tame. */
  #length(depth: number, most: number): void {
    this.value("i32", depth);
    if (this.dares()) return;
    this.emit(...i32Constant(most));
    this.emit(0x71);
  }

  /** Pushes the start of 64 bytes of memory. */
  #start(depth: number): void {
    this.value("i32", depth);
    this.emit(...i32Constant(this.dares() ? 0x1ffff : this.random.pick([0xff, 0xfff, 0x7fff])));
    this.emit(0x71);
  }

  #bulk(depth: number): void {
    const { random, context } = this;
    const { pages, data, elements, tables } = context;
    const inner = depth - 1;
    switch (random.below(8)) {
      case 0:
        if (!this.accessible()) return;
        this.#start(inner);
        this.value("i32", inner);
        this.#length(inner, 0x3f);
        return this.emit(0xfc, 11, 0); // memory.fill
      case 1:
        if (!this.accessible()) return;
        this.#start(inner);
        this.#start(inner);
        this.#length(inner, 0x3f);
        return this.emit(0xfc, 10, 0, 0); // memory.copy
      case 2: {
        if (pages === undefined || data.length === 0) return;
        const segment = random.below(data.length), { length, stable } = data[segment];
        if (!stable && this.once(2)) return this.emit(0xfc, 9, ...unsigned(segment)); // data.drop
        if (!this.accessible()) return;
        this.#start(inner);
        this.#range(this.#readable(length, stable), inner);
        return this.emit(0xfc, 8, ...unsigned(segment), 0); // memory.init
      }
      case 3: {
        if (tables.length === 0 || elements.length === 0) return;
        const segment = random.below(elements.length), { length, stable, type } = elements[segment];
        if (!stable && this.once(2)) return this.emit(0xfc, 13, ...unsigned(segment)); // elem.drop
        const table = this.#writableTable((t) => t.type === type && (t.min >= length || context.wild));
        if (table === undefined) return;
        this.emit(...i32Constant(random.below(Math.max(1, tables[table].min - length + 1))));
        this.#range(this.#readable(length, stable), inner);
        return this.emit(0xfc, 12, ...unsigned(segment), ...unsigned(table)); // table.init
      }
      case 4:
      case 5: {
        const table = this.#writableTable(() => true);
        if (table === undefined || !this.tableIndex(table, inner)) return;
        this.value(tables[table].type, inner);
        return this.emitIndex(0x26, table); // table.set
      }
      case 6: {
        const table = this.#writableTable(({ min }) => min > 0);
        if (table === undefined) return;
        this.emit(...i32Constant(random.below(tables[table].min)));
        this.value(tables[table].type, inner);
        this.#length(inner, 0);
        return this.emit(0xfc, 17, ...unsigned(table)); // table.fill
      }
      default: {
        const table = this.#writableTable(({ min }) => min > 4);
        if (table === undefined) return;
        const { min, type } = tables[table];
        const sources = tables.flatMap((t, i) => t.type === type && t.min > 4 ? [i] : []);
        const source = random.pick(sources);
        const length = 1 + random.below(4);
        this.emit(...i32Constant(random.below(min - length + 1)));
        this.emit(...i32Constant(random.below(tables[source].min - length + 1)));
        if (this.dares()) this.value("i32", inner);
        else this.emit(...i32Constant(length));
        return this.emit(0xfc, 14, ...unsigned(table), ...unsigned(source)); // table.copy
      }
    }
  }

  /** How much of a segment to ask for: what was dropped, perhaps, gives a trap. */
  #readable(length: number, stable: boolean): number {
    return stable || (this.context.wild && this.once(2)) ? length : 0;
  }

  /** Pushes a source and a length within a segment, or beyond it when the module is wild. */
  #range(length: number, depth: number): void {
    if (this.dares()) {
      this.value("i32", depth);
      this.value("i32", depth);
      return;
    }
    const from = this.random.below(length + 1);
    this.emit(...i32Constant(from));
    this.emit(...i32Constant(this.random.below(length - from + 1)));
  }

  #writableTable(fits: (table: ModuleContext["tables"][number]) => boolean): number | undefined {
    const found = this.context.tables.flatMap((table, i) => !table.stable && fits(table) ? [i] : []);
    return found.length === 0 ? undefined : this.random.pick(found);
  }
}

/** A type index as a block type: a signed number of 33 bits that is not negative. */
function blockType(index: number): number[] {
  const bytes = unsigned(index);
  if ((bytes.at(-1)! & 0x40) === 0) return bytes;
  return [...bytes.slice(0, -1), bytes.at(-1)! | 0x80, 0];
}

/** A function of a type. A leaf calls nothing. */
export function generateFunction(
  context: ModuleContext,
  type: number,
  { leaf, size }: { leaf: boolean; size: number },
): FunctionSource {
  const signature = context.types[type];
  const body = new Body(context, signature, leaf, size);
  body.write();
  return { type, locals: body.locals.slice(signature.params.length), body: body.out };
}
