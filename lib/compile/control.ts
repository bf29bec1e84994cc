/**
 * Control frames of the function under translation, as columns of typed arrays, and the one rule
 * that says whether code after an `end` can be reached.
 *
 * @module
 */

import { NO_CHAIN } from "./emitter.ts";

/** Kinds of frames. */
export const BLOCK = 0, LOOP = 1, IF = 2, ELSE = 3;

/** A block type without parameters and results; other block types are a type index, or minus a type byte. */
export const EMPTY_TYPE = -1;

/** Fields of a frame. A label is a position for loops and a chain of branches for everything else. */
const enum Field {
  Kind,
  /** 1 when the frame was entered in reachable code. */
  Live,
  /** Block type. */
  Type,
  /** Operands below the frame's own. */
  BaseCount,
  /** Slots below the frame's own. */
  BaseHeight,
  /** Slots a branch to the frame keeps: of its parameters for loops, else of its results. */
  Keep,
  /** 1 when a reachable branch targets the frame. */
  Branched,
  /** 1 when the then-arm of an `else` frame ends reachable. */
  ThenEnd,
  /** Position (loop) or chain head of its branches. */
  Label,
  /** Branch of an `if` that skips the then-arm, or NO_CHAIN. */
  Else,
  /** br_table that last used the frame, and the chain of its entries: shares one trampoline per table. */
  TableMark,
  TableChain,
  Size,
}

/** The frames, innermost last; frame 0 is the function body. */
export class ControlStack {
  #fields = new Int32Array(64 * Field.Size);
  /** Frames open. */
  depth = 0;

  /** Opens a frame. */
  push(kind: number, live: boolean, type: number, baseCount: number, baseHeight: number, keep: number): void {
    const at = this.depth * Field.Size;
    if (at === this.#fields.length) {
      const fields = new Int32Array(at * 2);
      fields.set(this.#fields);
      this.#fields = fields;
    }
    const fields = this.#fields;
    fields[at + Field.Kind] = kind;
    fields[at + Field.Live] = live ? 1 : 0;
    fields[at + Field.Type] = type;
    fields[at + Field.BaseCount] = baseCount;
    fields[at + Field.BaseHeight] = baseHeight;
    fields[at + Field.Keep] = keep;
    fields[at + Field.Branched] = 0;
    fields[at + Field.ThenEnd] = 0;
    fields[at + Field.Label] = NO_CHAIN;
    fields[at + Field.Else] = NO_CHAIN;
    fields[at + Field.TableMark] = -1;
    fields[at + Field.TableChain] = NO_CHAIN;
    this.depth++;
  }

  /** Closes the innermost frame. */
  pop(): void {
    this.depth--;
  }

  /** Number of the frame a label index names. */
  frameOf(label: number): number {
    return this.depth - 1 - label;
  }

  /** BLOCK, LOOP, IF or ELSE. */
  kind(frame: number): number {
    return this.#fields[frame * Field.Size + Field.Kind];
  }

  /** Whether the frame was entered in reachable code. */
  live(frame: number): boolean {
    return this.#fields[frame * Field.Size + Field.Live] !== 0;
  }

  /** Block type of the frame. */
  type(frame: number): number {
    return this.#fields[frame * Field.Size + Field.Type];
  }

  /** Operands below the frame. */
  baseCount(frame: number): number {
    return this.#fields[frame * Field.Size + Field.BaseCount];
  }

  /** Slots below the frame. */
  baseHeight(frame: number): number {
    return this.#fields[frame * Field.Size + Field.BaseHeight];
  }

  /** Slots a branch to the frame keeps. */
  keep(frame: number): number {
    return this.#fields[frame * Field.Size + Field.Keep];
  }

  /** Position of a loop, or the chain of branches to the end of another frame. */
  label(frame: number): number {
    return this.#fields[frame * Field.Size + Field.Label];
  }

  /** Sets the position of a loop, or the head of the chain. */
  setLabel(frame: number, label: number): void {
    this.#fields[frame * Field.Size + Field.Label] = label;
  }

  /** Notes a reachable branch to the frame. */
  markBranched(frame: number): void {
    this.#fields[frame * Field.Size + Field.Branched] = 1;
  }

  /** Chain of the branch that skips the then-arm; NO_CHAIN once it is bound. */
  elseChain(frame: number): number {
    return this.#fields[frame * Field.Size + Field.Else];
  }

  /** Sets the chain of the branch that skips the then-arm. */
  setElseChain(frame: number, chain: number): void {
    this.#fields[frame * Field.Size + Field.Else] = chain;
  }

  /** Turns an `if` frame into its `else` arm. */
  enterElse(frame: number, thenEndReachable: boolean): void {
    this.#fields[frame * Field.Size + Field.Kind] = ELSE;
    this.#fields[frame * Field.Size + Field.ThenEnd] = thenEndReachable ? 1 : 0;
  }

  /** Entries of the br_table at `mark` that go to the frame, NO_CHAIN when it has none yet. */
  tableChain(frame: number, mark: number): number {
    const at = frame * Field.Size;
    return this.#fields[at + Field.TableMark] === mark ? this.#fields[at + Field.TableChain] : NO_CHAIN;
  }

  /** Sets the entries of the br_table at `mark` that go to the frame. */
  setTableChain(frame: number, mark: number, chain: number): void {
    this.#fields[frame * Field.Size + Field.TableMark] = mark;
    this.#fields[frame * Field.Size + Field.TableChain] = chain;
  }

  /** Whether code after the frame's `end` can be reached, given whether its last instruction can. */
  reachableAfter(frame: number, endReachable: boolean): boolean {
    const at = frame * Field.Size;
    if (this.#fields[at + Field.Live] === 0) return false;
    switch (this.#fields[at + Field.Kind]) {
      case LOOP:
        return endReachable;
      case IF:
        return true; // the condition may be false
      case ELSE:
        return endReachable || this.#fields[at + Field.ThenEnd] !== 0 ||
          this.#fields[at + Field.Branched] !== 0;
      default:
        return endReachable || this.#fields[at + Field.Branched] !== 0;
    }
  }
}
