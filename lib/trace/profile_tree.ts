/**
 * The calling contexts of a profile as a tree in columns: a node is a function under the functions
 * that called it, with the fuel charged while it was on top. Charges and calls go in, one node at a
 * time; it knows neither machines nor names.
 *
 * @module
 */

/** The node under which every stack begins. */
export const ROOT = 0;

/** Sums from here on are moved out of the column of doubles, which then stays exact. */
const LARGE = 2 ** 52;

/** Exact sums by index: a column of doubles, and what has become too large for one. */
export class Sums {
  #small: Float64Array;
  readonly #large = new Map<number, bigint>();

  /** Sums that are all 0. */
  constructor(length: number) {
    this.#small = new Float64Array(length);
  }

  /** Makes room for more indices. */
  grow(length: number): void {
    const small = new Float64Array(length);
    small.set(this.#small);
    this.#small = small;
  }

  /** Adds an integer below 2^52. */
  add(index: number, amount: number): void {
    const sum = this.#small[index]! + amount;
    this.#small[index] = sum;
    if (sum >= LARGE) this.#carry(index);
  }

  /** Adds any amount. */
  addLarge(index: number, amount: bigint): void {
    this.#large.set(index, (this.#large.get(index) ?? 0n) + amount);
  }

  /** The sum. */
  at(index: number): bigint {
    return BigInt(this.#small[index]!) + (this.#large.get(index) ?? 0n);
  }

  #carry(index: number): void {
    this.addLarge(index, BigInt(this.#small[index]!));
    this.#small[index] = 0;
  }
}

/** A tree of calling contexts. */
export class CallTree {
  /** Nodes so far; the first one is the root. */
  length = 1;
  /** Node above each node; of the root, itself. */
  parents: Int32Array = new Int32Array(64);
  /** Function of each node; −1 for the root. */
  functions: Int32Array = new Int32Array(64).fill(-1, 0, 1);
  /** How often each node was entered. */
  calls: Float64Array = new Float64Array(64);
  /** Fuel charged in each node itself. */
  readonly fuel: Sums = new Sums(64);
  /** Most nodes before new stacks are told apart only by their function. */
  readonly #most: number;
  /** Function of the node that holds what is beyond. */
  readonly #beyond: number;
  /** Hash table of node numbers, 0 for a free place: open addressing, a power of two of places. */
  #places: Int32Array = new Int32Array(256);

  /**
   * A tree of a root.
   *
   * @param most nodes from which on a new stack is counted under one node for all such stacks
   * @param beyond function of that node
   */
  constructor(most: number, beyond: number) {
    this.#most = most;
    this.#beyond = beyond;
  }

  /** The node of a function called by a node. */
  child(parent: number, fn: number): number {
    const { parents, functions } = this;
    const mask = this.#places.length - 1;
    let place = hash(parent, fn) & mask;
    for (;;) {
      const node = this.#places[place]!;
      if (node === 0) break;
      if (parents[node] === parent && functions[node] === fn) return node;
      place = (place + 1) & mask;
    }
    if (this.length >= this.#most && fn !== this.#beyond) {
      const beyond = this.child(ROOT, this.#beyond);
      if (parent !== beyond) return this.child(beyond, fn);
      // The node for all such stacks may have been made just now, and the place with it.
      return this.#add(parent, fn);
    }
    return this.#add(parent, fn);
  }

  #add(parent: number, fn: number): number {
    const node = this.length++;
    if (node === this.parents.length) this.#grow();
    this.parents[node] = parent;
    this.functions[node] = fn;
    if (2 * this.length > this.#places.length) this.#rehash();
    else this.#place(node);
    return node;
  }

  #place(node: number): void {
    const places = this.#places, mask = places.length - 1;
    let place = hash(this.parents[node]!, this.functions[node]!) & mask;
    while (places[place] !== 0) place = (place + 1) & mask;
    places[place] = node;
  }

  #rehash(): void {
    this.#places = new Int32Array(2 * this.#places.length);
    for (let node = 1; node < this.length; node++) this.#place(node);
  }

  #grow(): void {
    const length = 2 * this.parents.length;
    const parents = new Int32Array(length), functions = new Int32Array(length);
    const calls = new Float64Array(length);
    parents.set(this.parents);
    functions.set(this.functions);
    calls.set(this.calls);
    this.parents = parents;
    this.functions = functions;
    this.calls = calls;
    this.fuel.grow(length);
  }
}

function hash(parent: number, fn: number): number {
  const mixed = Math.imul(parent, 0x9e3779b1) ^ Math.imul(fn + 1, 0x85ebca6b);
  return (mixed ^ mixed >>> 15) >>> 0;
}
