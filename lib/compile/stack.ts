/**
 * The operand stack as the compiler sees it: the width in slots of each operand, the height in slots
 * of locals and operands, and the highest it gets, which becomes the function's `StackCheck`.
 * Parameters are below and do not count.
 *
 * @module
 */

/** Widths and heights; one object serves all functions of a module. */
export class OperandStack {
  /** Slots of each operand; the first `count` are meaningful. */
  #widths = new Uint8Array(1024);
  /** Operands. */
  count = 0;
  /** Slots of locals and operands. */
  height = 0;
  /** Highest `height` plus temporaries so far. */
  peak = 0;

  /** Starts a function whose locals take `localSlots`. */
  reset(localSlots: number): void {
    this.count = 0;
    this.height = this.peak = localSlots;
  }

  /** Pushes an operand of 1 or 2 slots. */
  push(width: number): void {
    if (this.count === this.#widths.length) this.#grow();
    this.#widths[this.count++] = width;
    this.height += width;
    if (this.height > this.peak) this.peak = this.height;
  }

  /** Pops an operand and says how many slots it took. */
  pop(): number {
    const width = this.#widths[--this.count];
    this.height -= width;
    return width;
  }

  /** Width of the operand `depth` below the top, which counts as 0. */
  widthAt(depth: number): number {
    return this.#widths[this.count - 1 - depth];
  }

  /** Notes that the operator uses `slots` temporaries above the present height. */
  reserve(slots: number): void {
    if (this.height + slots > this.peak) this.peak = this.height + slots;
  }

  /** Forgets operands above a frame's base. */
  shrink(count: number, height: number): void {
    this.count = count;
    this.height = height;
  }

  #grow(): void {
    const widths = new Uint8Array(this.#widths.length * 2);
    widths.set(this.#widths);
    this.#widths = widths;
  }
}
