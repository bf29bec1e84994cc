/**
 * The stacks, the pc and the fuel that follow from a trace: instructions and events go in, one after the
 * other, and what the next instruction finds comes out, as far as it follows from what is known. The
 * replay of a trace uses it to rebuild the stack, the binary format to store only what does not follow.
 *
 * @module
 */

import { Op, POPS, PUSHES } from "../isa/opcode.ts";
import { BULK_CONST_MAX } from "../limits.ts";
import type { TraceCode } from "./code.ts";
import { EventKind } from "./event.ts";

/** Most cells and return addresses that a trace may tell of; what has more is no trace. */
export const MOST_CELLS = 2 ** 24;

const GROWTH = Int8Array.from(POPS, (pops, op) => PUSHES[op]! - pops);

/** How an opcode moves what the model knows. */
const enum Move {
  /** Pops and pushes by the table; what it pushes is not known. */
  Value,
  Br,
  BrIfEqz,
  BrIfNez,
  BrTable,
  ConsumeFuel,
  ConsumeFuelStack,
  Return,
  Jump,
  Call,
  CallIndirect,
  JumpIndirect,
  /** Events tell. */
  Syscall,
  LocalGet,
  LocalSet,
  LocalTee,
  Const,
  ConstSigned,
  ConstUnsigned,
  Select,
  BulkConst,
  BulkDrop,
  TableInit,
  /** Pushes four cells. */
  Wide,
}

const MOVES = new Uint8Array(POPS.length);
for (
  const [op, move] of [
    [Op.Br, Move.Br],
    [Op.BrIfEqz, Move.BrIfEqz],
    [Op.BrIfNez, Move.BrIfNez],
    [Op.BrTable, Move.BrTable],
    [Op.ConsumeFuel, Move.ConsumeFuel],
    [Op.ConsumeFuelStack, Move.ConsumeFuelStack],
    [Op.Return, Move.Return],
    [Op.ReturnCallInternal, Move.Jump],
    [Op.CallInternal, Move.Call],
    [Op.CallIndirect, Move.CallIndirect],
    [Op.ReturnCallIndirect, Move.JumpIndirect],
    [Op.Call, Move.Syscall],
    [Op.ReturnCall, Move.Syscall],
    [Op.LocalGet, Move.LocalGet],
    [Op.LocalSet, Move.LocalSet],
    [Op.LocalTee, Move.LocalTee],
    [Op.I32Const, Move.Const],
    [Op.RefFunc, Move.Const],
    [Op.I64Const32S, Move.ConstSigned],
    [Op.I64Const32U, Move.ConstUnsigned],
    [Op.Select, Move.Select],
    [Op.BulkConst, Move.BulkConst],
    [Op.BulkDrop, Move.BulkDrop],
    [Op.TableInit, Move.TableInit],
    [Op.I64Add128, Move.Wide],
    [Op.I64Sub128, Move.Wide],
    [Op.I64MulWideS, Move.Wide],
    [Op.I64MulWideU, Move.Wide],
  ] as const
) MOVES[op] = move;

/** The stacks of a run that waits for one that a host function started. */
interface Waiting {
  readonly pc: number;
  readonly stack: Int32Array;
  readonly calls: Int32Array;
}

/** The stack machine as a trace tells it. */
export class StackModel {
  /** The next instruction. */
  pc = 0;
  /** Height of the stack before it. */
  height = 0;
  /** Return addresses before it. */
  depth = 0;
  /** Fuel consumed before it, low 32 bits, as int32. */
  fuel = 0;
  /** Fuel consumed before it, high 32 bits. */
  fuelHigh = 0;
  /** The cells; the first `height` count. */
  stack: Int32Array = new Int32Array(1024);
  /** The return addresses; the first `depth` count. */
  calls: Int32Array = new Int32Array(64);
  /** Cells on top that the last instruction pushed and that do not follow from anything, 0 … 2. */
  unknown = 0;
  /** Whether the next pc does not follow from anything. */
  jumped = false;

  readonly #opcodes: Uint8Array;
  readonly #immediates: Int32Array;
  /** Whether the instruction at `pc` was told of and is not applied yet. */
  #pending = false;
  #low0 = 0;
  #low1 = 0;
  readonly #waiting: Waiting[] = [];

  /** A machine that has run nothing. */
  constructor({ opcodes, immediates }: TraceCode) {
    this.#opcodes = opcodes;
    this.#immediates = immediates;
  }

  /** Fuel consumed. */
  consumed(): bigint {
    this.advance();
    return BigInt.asUintN(32, BigInt(this.fuelHigh)) << 32n | BigInt.asUintN(32, BigInt(this.fuel));
  }

  /** Does what the last instruction did, as far as it is known. */
  advance(): void {
    if (!this.#pending) return;
    this.#pending = false;
    this.#apply();
    // Where instructions are left out, what is known does not add up.
    if (this.height < 0) this.height = 0;
  }

  #apply(): void {
    const pc = this.pc, op = this.#opcodes[pc]!, immediate = this.#immediates[pc]!;
    const stack = this.stack, height = this.height, move: Move = MOVES[op]!;
    switch (move) {
      case Move.Value:
        this.setHeight(height + GROWTH[op]!);
        this.unknown = PUSHES[op]!;
        break;
      case Move.LocalGet:
        this.#push(stack[height - immediate]!);
        break;
      case Move.LocalSet:
        if (height - 1 - immediate >= 0) stack[height - 1 - immediate] = stack[height - 1]!;
        this.height = height - 1;
        break;
      case Move.LocalTee:
        if (height - immediate >= 0) stack[height - immediate] = stack[height - 1]!;
        break;
      case Move.Const:
        this.#push(immediate);
        break;
      case Move.ConstSigned:
        this.#push(immediate);
        this.#push(immediate >> 31);
        break;
      case Move.ConstUnsigned:
        this.#push(immediate);
        this.#push(0);
        break;
      case Move.Select:
        this.height = height - 2;
        if (stack[height - 1] === 0) stack[height - 3] = stack[height - 2]!;
        break;
      case Move.Br:
        this.pc = (pc + immediate) | 0;
        return;
      case Move.BrIfEqz:
      case Move.BrIfNez:
        this.height = height - 1;
        if ((stack[height - 1] === 0) !== (move === Move.BrIfEqz)) break;
        this.pc = (pc + immediate) | 0;
        return;
      case Move.BrTable: {
        this.height = height - 1;
        const index = stack[height - 1]! >>> 0, count = immediate >>> 0;
        this.pc = (pc + 2 * Math.min(index, count - 1) + 1) | 0;
        return;
      }
      case Move.ConsumeFuel:
        this.#charge(immediate);
        break;
      case Move.ConsumeFuelStack:
        this.height = height - 1;
        this.#charge(stack[height - 1]!);
        break;
      case Move.Return:
        if (this.depth > 0) this.pc = this.calls[--this.depth]!;
        return;
      case Move.Call:
        this.#call(pc + 1);
        this.pc = immediate;
        return;
      case Move.Jump:
        this.pc = immediate;
        return;
      case Move.CallIndirect:
      case Move.JumpIndirect:
        this.height = height - 1;
        if (move === Move.CallIndirect) this.#call(pc + 2);
        this.jumped = true;
        return;
      case Move.Syscall:
        return;
      case Move.BulkConst: {
        const count = Math.min(immediate >>> 0, BULK_CONST_MAX);
        this.setHeight(height + count);
        this.stack.fill(0, height, this.height);
        break;
      }
      case Move.BulkDrop:
        this.height = height - (immediate >>> 0);
        break;
      case Move.TableInit:
        this.height = height - 3;
        this.pc = pc + 2;
        return;
      case Move.Wide:
        this.height = height + GROWTH[op]!;
        stack[this.height - 4] = this.#low0;
        stack[this.height - 3] = this.#low1;
        this.unknown = 2;
        break;
    }
    this.pc = pc + 1;
  }

  /**
   * The next instruction is told of: what was not known of it becomes known. False when it is not what
   * had to follow.
   */
  instruction(pc: number, top: number, below: number, height: number, depth: number, fuel: number): boolean {
    this.advance();
    const { stack } = this;
    let follows = (this.jumped || pc === this.pc) && height === this.height && depth === this.depth &&
      fuel === this.fuel;
    if (height !== this.height) this.setHeight(height);
    if (depth !== this.depth) this.setDepth(depth);
    if (height > 0) {
      if (this.unknown > 0) this.stack[height - 1] = top;
      else follows &&= stack[height - 1] === top;
      if (height > 1) {
        if (this.unknown > 1) this.stack[height - 2] = below;
        else follows &&= stack[height - 2] === below;
      }
    }
    if (!follows) this.#correct(top, below, fuel);
    this.pc = pc;
    this.unknown = 0;
    this.jumped = false;
    this.#pending = true;
    return follows;
  }

  #correct(top: number, below: number, fuel: number): void {
    const { height } = this;
    if (height > 0) this.stack[height - 1] = top;
    if (height > 1) this.stack[height - 2] = below;
    this.fuel = fuel;
  }

  /** An event is told of. */
  event(kind: EventKind, address: number, size: number, words: Int32Array): void {
    switch (kind) {
      case EventKind.Cells:
        this.#low0 = words[0] ?? 0;
        this.#low1 = words[1] ?? 0;
        return;
      case EventKind.Instance:
        this.#reset(0);
        this.#waiting.length = 0;
        return;
      case EventKind.Start:
        this.#pending = false;
        if (size > this.#waiting.length) {
          const { pc, stack, height, calls, depth } = this;
          this.#waiting.push({ pc, stack: stack.slice(0, height), calls: calls.slice(0, depth) });
        } else {
          this.#waiting.length = size;
        }
        this.#reset(address);
        return;
      case EventKind.Trap:
      case EventKind.Done:
      case EventKind.Halt:
        this.#pending = false;
        this.#leave();
        return;
      case EventKind.Pause:
        this.advance();
        this.pc = address;
        this.jumped = false;
        this.unknown = 0;
        this.setHeight(size);
        this.stack.set(words.subarray(0, size), Math.max(0, size - words.length));
        return;
      case EventKind.Resume:
        this.#pending = false;
        this.pc = address;
        return;
      case EventKind.Syscall:
        this.#pending = false;
        this.height = Math.max(0, this.height - size);
        return;
      case EventKind.Result:
        this.pc++;
        this.#cells(this.height, words);
        return;
      case EventKind.Stack:
        this.#cells(address, words);
        return;
      case EventKind.Calls:
        this.setDepth(address + words.length);
        this.calls.set(words, address);
        return;
      case EventKind.Fuel:
        this.advance();
        this.fuel = words[0] ?? 0;
        this.fuelHigh = words[1] ?? 0;
        return;
    }
  }

  #reset(pc: number): void {
    this.#pending = false;
    this.pc = pc;
    this.height = this.depth = this.unknown = 0;
    this.jumped = false;
  }

  /** The current run is over: the one that waits for it goes on. The last run leaves its stack behind. */
  #leave(): void {
    const outer = this.#waiting.pop();
    if (outer === undefined) return;
    this.pc = outer.pc;
    this.setHeight(outer.stack.length);
    this.stack.set(outer.stack);
    this.setDepth(outer.calls.length);
    this.calls.set(outer.calls);
    this.unknown = 0;
    this.jumped = false;
  }

  #cells(at: number, words: Int32Array): void {
    this.setHeight(at + words.length);
    this.stack.set(words, at);
  }

  #push(value: number): void {
    if (this.height === this.stack.length) this.setHeight(this.height + 1);
    else this.height++;
    this.stack[this.height - 1] = value;
  }

  #call(to: number): void {
    this.setDepth(this.depth + 1);
    this.calls[this.depth - 1] = to;
  }

  #charge(amount: number): void {
    const low = (this.fuel >>> 0) + (amount >>> 0);
    this.fuel = low | 0;
    if (low >= 2 ** 32) this.fuelHigh = (this.fuelHigh + 1) | 0;
  }

  /** Makes the stack so many cells high. */
  setHeight(height: number): void {
    if (height > this.stack.length) {
      if (height > MOST_CELLS) throw new RangeError("a stack that no trace can have");
      const stack = new Int32Array(Math.max(height, 2 * this.stack.length));
      stack.set(this.stack);
      this.stack = stack;
    }
    this.height = height;
  }

  /** Makes the call stack so many addresses high. */
  setDepth(depth: number): void {
    if (depth > this.calls.length) {
      if (depth > MOST_CELLS) throw new RangeError("a call stack that no trace can have");
      const calls = new Int32Array(Math.max(depth, 2 * this.calls.length));
      calls.set(this.calls);
      this.calls = calls;
    }
    this.depth = depth;
  }
}
