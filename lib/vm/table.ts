/**
 * Tables: lists of slots, grown on demand, by u16 index. Every operation answers whether its ranges
 * were inside, and does nothing when they were not; the machine makes traps of that.
 *
 * @module
 */

/** A table. */
export class Table {
  /** The elements and room for more. */
  elements: Int32Array = new Int32Array(0);
  /** How many elements there are. */
  length = 0;
  /** Most elements it may have. */
  limit: number;

  /** An empty table. */
  constructor(limit: number) {
    this.limit = limit;
  }
}

/** What an index reads as at which no table has grown. Never written to. */
const EMPTY = new Table(0);

/** The tables of a machine. */
export class Tables {
  /** The tables that have elements, in the order in which they first grew. */
  readonly list: Table[] = [];
  /** Most elements of one table. */
  readonly #elementLimit: number;
  /** Most tables that can have elements. */
  readonly #tableLimit: number;
  /** Position in `list` plus one by table index, 0 where there is none; as long as it needs to be. */
  #positions = new Int32Array(0);

  /** No tables yet. */
  constructor(tableLimit: number, elementLimit: number) {
    this.#tableLimit = tableLimit;
    this.#elementLimit = elementLimit;
  }

  /** The table at an index (u16); an empty one when it never grew. */
  at(index: number): Table {
    if (index >= this.#positions.length) return EMPTY;
    const position = this.#positions[index]!;
    return position === 0 ? EMPTY : this.list[position - 1]!;
  }

  /** Table indices that have elements, in the order of `list`. */
  indices(): number[] {
    const indices: number[] = new Array(this.list.length).fill(0);
    this.#positions.forEach((position, index) => {
      if (position !== 0) indices[position - 1] = index;
    });
    return indices;
  }

  /** Grows a table by `delta` elements (u32) with value `init`; the old length, or -1 when a limit or the host refuses. */
  grow(index: number, init: number, delta: number): number {
    const table = this.at(index);
    const length = table.length;
    if (delta === 0) return length;
    if (length + delta > (table === EMPTY ? this.#elementLimit : table.limit)) return -1;
    if (table === EMPTY && this.list.length >= this.#tableLimit) return -1;
    try {
      this.#extend(table === EMPTY ? this.#create(index) : table, length + delta, init);
    } catch {
      return -1; // the host has no memory left
    }
    return length;
  }

  /**
   * Makes an empty table at an index at which none has grown, with a bound of its own; false when
   * there are as many tables as may be.
   */
  adopt(index: number, limit: number): boolean {
    if (this.list.length >= this.#tableLimit) return false;
    this.#create(index).limit = Math.min(limit, this.#elementLimit);
    return true;
  }

  #create(index: number): Table {
    if (index >= this.#positions.length) {
      const positions = new Int32Array(Math.max(index + 1, 2 * this.#positions.length));
      positions.set(this.#positions);
      this.#positions = positions;
    }
    const table = new Table(this.#elementLimit);
    this.list.push(table);
    this.#positions[index] = this.list.length;
    return table;
  }

  #extend(table: Table, length: number, init: number): void {
    if (length > table.elements.length) {
      const room = Math.min(table.limit, Math.max(length, 2 * table.elements.length));
      const elements = new Int32Array(room);
      elements.set(table.elements);
      table.elements = elements;
    }
    table.elements.fill(init, table.length, length);
    table.length = length;
  }

  /** Sets `count` elements from `at` on; false when they are not all inside. All u32. */
  fill(index: number, at: number, value: number, count: number): boolean {
    const table = this.at(index);
    if (at + count > table.length) return false;
    table.elements.fill(value, at, at + count);
    return true;
  }

  /** Copies `count` elements between tables, or within one; false when a range is not inside. All u32. */
  copy(to: number, from: number, at: number, source: number, count: number): boolean {
    const target = this.at(to), origin = this.at(from);
    if (at + count > target.length || source + count > origin.length) return false;
    if (target === origin) target.elements.copyWithin(at, source, source + count);
    else target.elements.set(origin.elements.subarray(source, source + count), at);
    return true;
  }

  /** Copies `count` elements of a section; false when a range is not inside. All u32. */
  init(index: number, section: Uint32Array, at: number, source: number, count: number): boolean {
    const table = this.at(index);
    if (at + count > table.length || source + count > section.length) return false;
    // A Uint32Array sets an Int32Array modulo 2^32: the bits stay.
    table.elements.set(section.subarray(source, source + count), at);
    return true;
  }
}
