/**
 * The control flow of one rWasm function as a graph: basic blocks in reverse post-order, their
 * dominators, where ways join, and which blocks are heads of loops. Sequences that mean one operation
 * (`interpreter/idioms.ts`) count as one instruction although some have branches inside. Everything is
 * in typed arrays that the next function reuses.
 *
 * @module
 */

import { UNREACHED } from "../isa/heights.ts";
import { Op } from "../isa/opcode.ts";
import type { VerifiedModule } from "../isa/verify.ts";
import { type Idiom, IDIOMS_BY_OPCODE, isBranch, isIdiom } from "../interpreter/idioms.ts";

/** Most blocks of a function that is compiled. */
const MOST_BLOCKS = 60_000;

/** More branches than this to one instruction are not told apart. */
const MOST_ARRIVALS = 0xffff;

/** The graph of one function at a time. Blocks are numbered in reverse post-order; 0 is the entry. */
export class FlowGraph {
  /** Blocks. */
  count = 0;
  /** By block: its first instruction. */
  starts = new Int32Array(0);
  /** By block: the instruction behind its last one. */
  ends = new Int32Array(0);
  /** By block: where its successors begin in `successors`; one more entry ends the last list. */
  firsts = new Int32Array(0);
  /** Successors: of a conditional branch the one taken, then the one behind it; of a table its entries. */
  successors = new Int32Array(0);
  /** By block: the block that every way from the entry passes last before it; the entry has itself. */
  dominators = new Int32Array(0);
  /** By block: 1 when several ways lead there. */
  joins = new Uint8Array(0);
  /** By block: 1 when several ways lead forward there. */
  merges = new Uint8Array(0);
  /** By block: 1 when a way leads back there. */
  loops = new Uint8Array(0);
  /** By block: 1 when a branch table leads there. */
  entries = new Uint8Array(0);
  /** By block: the first block it dominates directly, 0 for none, in ascending order with `siblings`. */
  children = new Int32Array(0);
  /** By block: the next block with the same dominator, 0 for none. */
  siblings = new Int32Array(0);
  /** Whether the function calls another one that is not hidden. */
  calls = false;
  /** Whether the host performs instructions for it. */
  steps = false;

  readonly #verified: VerifiedModule;
  readonly #hidden: Int8Array;
  #start = 0;
  #end = 0;
  /** By instruction: branches that lead there from outside of an idiom. */
  #arrivals = new Uint16Array(0);
  /** By instruction: 1 when a block begins there, 2 when it is inside of an idiom. */
  #marks = new Uint8Array(0);
  /** By instruction where a block begins: its number, in the order of the code. */
  #numbers = new Int32Array(0);
  /** The idioms of the function, by the instruction they begin at. */
  readonly #idioms = new Map<number, Idiom>();

  /**
   * Prepares for the functions of a module.
   *
   * @param hidden by function: not negative when calls of it become operators
   */
  constructor(verified: VerifiedModule, hidden: Int8Array) {
    this.#verified = verified;
    this.#hidden = hidden;
  }

  /** Reads a function; false when it cannot be structured or is too large. */
  build(number: number): boolean {
    const start = this.#start = this.#verified.starts[number];
    const end = this.#end = this.#verified.starts[number + 1];
    const length = end - start + 1;
    if (this.#arrivals.length < length) {
      this.#arrivals = new Uint16Array(2 * length);
      this.#marks = new Uint8Array(2 * length);
      this.#numbers = new Int32Array(2 * length);
    }
    this.#arrivals.fill(0, 0, length);
    this.#marks.fill(0, 0, length);
    this.#idioms.clear();
    if (!this.#countArrivals()) return false;
    this.#findIdioms();
    const blocks = this.#markBlocks();
    if (blocks > MOST_BLOCKS) return false;
    this.#reserve(blocks);
    this.#connect(blocks);
    return this.#dominate() && this.#classify();
  }

  /** The idiom that begins at an instruction. */
  idiomAt(pc: number): Idiom | undefined {
    return this.#idioms.size === 0 ? undefined : this.#idioms.get(pc);
  }

  /** The block that begins at an instruction, -1 when none does. */
  blockAt(pc: number): number {
    if (pc < this.#start || pc >= this.#end || this.#marks[pc - this.#start] !== 1) return -1;
    return this.#ranks[this.#numbers[pc - this.#start]];
  }

  /** By number in the order of the code: the number in reverse post-order, -1 for none. */
  #ranks = new Int32Array(0);

  #reserve(blocks: number): void {
    if (this.starts.length > blocks) return;
    const size = 2 * blocks + 1;
    this.starts = new Int32Array(size);
    this.ends = new Int32Array(size);
    this.firsts = new Int32Array(size + 1);
    this.dominators = new Int32Array(size);
    this.joins = new Uint8Array(size);
    this.merges = new Uint8Array(size);
    this.loops = new Uint8Array(size);
    this.entries = new Uint8Array(size);
    this.children = new Int32Array(size);
    this.siblings = new Int32Array(size);
    this.#ranks = new Int32Array(size);
  }

  #countArrivals(): boolean {
    const { heights, module: { opcodes, immediates } } = this.#verified;
    const start = this.#start, arrivals = this.#arrivals;
    this.calls = this.steps = false;
    for (let pc = start; pc < this.#end; pc++) {
      if (heights[pc] === UNREACHED) continue;
      const op = opcodes[pc];
      if (isBranch(op)) {
        const at = pc + immediates[pc] - start;
        if (arrivals[at] < MOST_ARRIVALS) arrivals[at]++;
      } else if (op === Op.BrTable) {
        for (let n = 0; n < immediates[pc]; n++) arrivals[pc + 1 + 2 * n - start] = MOST_ARRIVALS;
      } else if (op === Op.StackCheck) {
        // What no window holds is left to the interpreter.
        if (immediates[pc] < 0 || immediates[pc] > 2 ** 28) return false;
      } else if (op === Op.CallInternal) {
        if (this.#hidden[this.#verified.functionAt(immediates[pc])] < 0) this.calls = true;
      } else if (op === Op.CallIndirect || op === Op.ReturnCallInternal || op === Op.ReturnCallIndirect) {
        this.calls = true;
      } else if (STEPPED[op] !== 0) this.steps = true;
    }
    return true;
  }

  #findIdioms(): void {
    const { heights, module } = this.#verified, { opcodes } = module;
    const start = this.#start, arrivals = this.#arrivals;
    for (let pc = start; pc < this.#end; pc++) {
      const list = IDIOMS_BY_OPCODE[opcodes[pc]];
      if (list === undefined || heights[pc] === UNREACHED) continue;
      search: for (let n = 0; n < list.length; n++) {
        const idiom = list[n], length = idiom.opcodes.length;
        if (!isIdiom(module, pc, idiom) || pc + length >= this.#end) continue;
        for (let k = 1; k < length; k++) {
          if (arrivals[pc + k - start] !== idiom.arrivals[k]) continue search;
        }
        this.#idioms.set(pc, idiom);
        for (let k = 1; k < length; k++) this.#marks[pc + k - start] = 2;
        if (arrivals[pc + length - start] < MOST_ARRIVALS) {
          arrivals[pc + length - start] -= idiom.arrivals[length];
        }
        pc += length - 1;
        break;
      }
    }
  }

  /** Finds where blocks begin, and numbers them in the order of the code. */
  #markBlocks(): number {
    const { heights, module: { opcodes } } = this.#verified;
    const start = this.#start, marks = this.#marks, arrivals = this.#arrivals, numbers = this.#numbers;
    let blocks = 0, behind = true;
    for (let pc = start; pc < this.#end; pc++) {
      const at = pc - start;
      if (heights[pc] === UNREACHED) {
        behind = true;
        continue;
      }
      if (marks[at] === 2) continue;
      if (behind || arrivals[at] > 0) {
        marks[at] = 1;
        numbers[at] = blocks++;
      }
      behind = !this.#idioms.has(pc) && isEnd(opcodes[pc]);
    }
    return blocks;
  }

  /** Numbers the blocks in reverse post-order and lists their successors. */
  #connect(blocks: number): void {
    const { heights, module: { opcodes, immediates } } = this.#verified;
    const start = this.#start, end = this.#end, marks = this.#marks, numbers = this.#numbers;
    // In the order of the code first.
    const starts = new Int32Array(blocks), ends = new Int32Array(blocks), firsts = new Int32Array(blocks + 1);
    let edges = new Int32Array(4 * blocks + 16), edgeCount = 0;
    const edge = (pc: number) => {
      if (edgeCount === edges.length) {
        const larger = new Int32Array(2 * edges.length);
        larger.set(edges);
        edges = larger;
      }
      edges[edgeCount++] = numbers[pc - start];
    };
    let number = 0;
    for (let pc = start; pc < end;) {
      if (marks[pc - start] !== 1) {
        pc++;
        continue;
      }
      starts[number] = pc;
      let last = pc, next = pc;
      for (;;) {
        const idiom = this.#idioms.get(next);
        last = next;
        next += idiom !== undefined ? idiom.opcodes.length : lengthOf(opcodes[next]);
        if (idiom === undefined && isEnd(opcodes[last])) break;
        if (next >= end || heights[next] === UNREACHED || marks[next - start] === 1) break;
      }
      ends[number] = next;
      const op = opcodes[last];
      if (this.#idioms.has(last) || !isEnd(op)) {
        if (next < end && heights[next] !== UNREACHED) edge(next);
      } else if (op === Op.Br) edge(last + immediates[last]);
      else if (op === Op.BrIfEqz || op === Op.BrIfNez) {
        edge(last + immediates[last]);
        edge(last + 1);
      } else if (op === Op.BrTable) {
        for (let n = 0; n < immediates[last]; n++) edge(last + 1 + 2 * n);
      }
      firsts[++number] = edgeCount;
      pc = next;
    }

    const ranks = this.#ranks.fill(-1, 0, blocks);
    const path = new Int32Array(blocks), cursor = firsts.slice(0, blocks);
    const post = new Int32Array(blocks);
    let depth = 0, done = 0;
    const seen = new Uint8Array(blocks);
    path[0] = 0;
    seen[0] = 1;
    while (depth >= 0) {
      const block = path[depth];
      if (cursor[block] === firsts[block + 1]) {
        post[done++] = block;
        depth--;
        continue;
      }
      const next = edges[cursor[block]++];
      if (seen[next] !== 0) continue;
      seen[next] = 1;
      path[++depth] = next;
    }
    this.count = done;
    for (let k = 0; k < done; k++) ranks[post[done - 1 - k]] = k;
    if (this.successors.length < edgeCount) this.successors = new Int32Array(2 * edgeCount);
    let at = 0;
    for (let rank = 0; rank < done; rank++) {
      const block = post[done - 1 - rank];
      this.starts[rank] = starts[block];
      this.ends[rank] = ends[block];
      this.firsts[rank] = at;
      for (let k = firsts[block]; k < firsts[block + 1]; k++) this.successors[at++] = ranks[edges[k]];
    }
    this.firsts[done] = at;
  }

  /** Finds the dominators (Cooper, Harvey, Kennedy: A Simple, Fast Dominance Algorithm); false when it takes too long. */
  #dominate(): boolean {
    const { count, firsts, successors, dominators } = this;
    dominators.fill(-1, 0, count);
    dominators[0] = 0;
    for (let round = 0;; round++) {
      if (round > 32) return false;
      let changed = false;
      for (let block = 0; block < count; block++) {
        // In this order every block has a dominator before it is asked for one.
        for (let k = firsts[block]; k < firsts[block + 1]; k++) {
          const to = successors[k];
          if (to === 0) continue;
          let a = block, b = dominators[to];
          if (b < 0) {
            dominators[to] = a;
            changed = true;
            continue;
          }
          while (a !== b) {
            if (a > b) a = dominators[a];
            else b = dominators[b];
          }
          if (dominators[to] !== a) {
            dominators[to] = a;
            changed = true;
          }
        }
      }
      if (!changed) return true;
    }
  }

  /** Finds joins, loops and the children of the dominator tree; false when a loop has two ways in. */
  #classify(): boolean {
    const { count, firsts, successors, dominators, joins, merges, loops, entries, children, siblings } = this;
    const { module: { opcodes } } = this.#verified;
    joins.fill(0, 0, count);
    merges.fill(0, 0, count);
    loops.fill(0, 0, count);
    entries.fill(0, 0, count);
    children.fill(0, 0, count);
    siblings.fill(0, 0, count);
    const seen = new Uint8Array(count);
    seen[0] = 1;
    for (let block = 0; block < count; block++) {
      const few = firsts[block + 1] - firsts[block] <= 2 && opcodes[this.ends[block] - 1] !== Op.BrTable;
      for (let k = firsts[block]; k < firsts[block + 1]; k++) {
        const to = successors[k];
        if (!few) entries[to] = 1;
        if (to <= block) {
          let above = block;
          while (above > to) above = dominators[above];
          if (above !== to) return false;
          loops[to] = joins[to] = 1;
          continue;
        }
        if (seen[to] !== 0) joins[to] = merges[to] = 1;
        seen[to] = 1;
      }
    }
    for (let block = count - 1; block > 0; block--) {
      const above = dominators[block];
      siblings[block] = children[above];
      children[above] = block;
    }
    return true;
  }
}

/** By opcode: 1 when the host may perform it for compiled code. */
export const STEPPED: Uint8Array = steppedTable();

function steppedTable(): Uint8Array {
  const table = new Uint8Array(256);
  const names = [
    ...[
      "MemoryGrow",
      "MemoryInit",
      "DataDrop",
      "ElemDrop",
      "TableSize",
      "TableGrow",
      "TableFill",
      "TableGet",
    ],
    ...["TableSet", "TableCopy", "TableInit", "GlobalGet", "GlobalSet", "Call", "ReturnCall"],
  ] as const;
  for (const name of names) table[Op[name]] = 1;
  return table;
}

/** Whether an instruction ends a basic block. */
export function isEnd(op: number): boolean {
  return isBranch(op) || op === Op.BrTable || op === Op.Return || op === Op.Unreachable || op === Op.Trap ||
    op === Op.ReturnCallInternal || op === Op.ReturnCallIndirect;
}

/** Instructions that one takes with its payload. */
export function lengthOf(op: number): number {
  return op === Op.CallIndirect || op === Op.TableInit || op === Op.ReturnCallIndirect ? 2 : 1;
}
