/**
 * Lowers one function from rWasm to Program: stack shuffles become slot operands. Constants and
 * copies wait on an abstract stack until something needs them, results are written where the next
 * instruction wants them, pairs of slots become 64-bit operands, calls of hidden i64 functions become
 * one instruction, comparisons join the branch behind them. At each instruction that a run may enter,
 * leave or stop at, nothing waits: the slots in memory are those of the plain loop.
 *
 * @module
 */

import { FIRST_FLOAT_OP, Op, type OpName, POPS, PUSHES } from "../isa/opcode.ts";
import type { VerifiedModule } from "../isa/verify.ts";
import { HANDLER, WORDS } from "./handlers.ts";
import { CALLABLE, CHARGE_BYTES, TABLES } from "./layout.ts";
import type { Program } from "./program.ts";

/** What a slot of the abstract stack holds. */
const HOME = 0, CONST = 1, COPY = 2;

/** How an opcode is lowered. */
const enum Action {
  /** One instruction that only the plain loop knows. */
  Slow,
  Trap,
  LocalGet,
  LocalSet,
  LocalTee,
  Br,
  BrIf,
  BrTable,
  ConsumeFuel,
  Return,
  TailCall,
  TailCallIndirect,
  Call,
  CallIndirect,
  Syscall,
  Signature,
  StackCheck,
  Const,
  Drop,
  Select,
  GlobalGet,
  GlobalSet,
  Unary,
  Binary,
  Divide,
  Load,
  Store,
  WrapI64,
  Wide,
  BulkConst,
  BulkDrop,
  Logic64,
  Const64S,
  Const64U,
  Wide128,
  /** Float operations: operands and results of 1 or 2 slots, by the table of opcodes. */
  Float,
}

const ACTIONS = new Uint8Array(256);
/** Handler of an opcode, or of its RR form. */
const HANDLERS_RR = new Int16Array(256).fill(-1);
/** Handler of its RI form, or -1. */
const HANDLERS_RI = new Int16Array(256).fill(-1);

function handler(name: string): number {
  const number = HANDLER[name];
  if (number === undefined) throw new Error(`no handler ${name}`);
  return number;
}

function define(action: Action, op: OpName, rr = "", ri = ""): void {
  ACTIONS[Op[op]] = action;
  if (rr !== "") HANDLERS_RR[Op[op]] = handler(rr);
  if (ri !== "") HANDLERS_RI[Op[op]] = handler(ri);
}

define(Action.Trap, "Unreachable");
define(Action.Trap, "Trap");
define(Action.LocalGet, "LocalGet");
define(Action.LocalSet, "LocalSet");
define(Action.LocalTee, "LocalTee");
define(Action.Br, "Br");
define(Action.BrIf, "BrIfEqz");
define(Action.BrIf, "BrIfNez");
define(Action.BrTable, "BrTable");
define(Action.ConsumeFuel, "ConsumeFuel");
define(Action.Return, "Return");
define(Action.TailCall, "ReturnCallInternal");
define(Action.TailCallIndirect, "ReturnCallIndirect");
define(Action.Call, "CallInternal");
define(Action.CallIndirect, "CallIndirect");
define(Action.Syscall, "Call");
define(Action.Syscall, "ReturnCall");
define(Action.Signature, "SignatureCheck");
define(Action.StackCheck, "StackCheck");
define(Action.Const, "RefFunc");
define(Action.Const, "I32Const");
define(Action.Drop, "Drop");
define(Action.Select, "Select");
define(Action.GlobalGet, "GlobalGet");
define(Action.GlobalSet, "GlobalSet");
define(Action.WrapI64, "I32WrapI64");
define(Action.BulkConst, "BulkConst");
define(Action.BulkDrop, "BulkDrop");
define(Action.Const64S, "I64Const32S");
define(Action.Const64U, "I64Const32U");
for (const name of ["Eqz", "Clz", "Ctz", "Popcnt", "Extend8S", "Extend16S"]) {
  define(Action.Unary, `I32${name}` as OpName, name);
}
const COMPARISONS = ["Eq", "Ne", "LtS", "LtU", "GtS", "GtU", "LeS", "LeU", "GeS", "GeU"];
const PLAIN_BINARY = ["Add", "Sub", "Mul", "And", "Or", "Xor", "Shl", "ShrS", "ShrU", "Rotl", "Rotr"];
for (const name of [...COMPARISONS, ...PLAIN_BINARY]) {
  define(Action.Binary, `I32${name}` as OpName, `${name}RR`, `${name}RI`);
}
for (const name of ["DivS", "DivU", "RemS", "RemU"]) define(Action.Divide, `I32${name}` as OpName, name);
for (const name of ["8S", "8U", "16S", "16U"]) define(Action.Load, `I32Load${name}` as OpName, `Load${name}`);
define(Action.Load, "I32Load", "Load32");
define(Action.Load, "F32Load", "Load32");
define(Action.Load, "F64Load", "Load64");
define(Action.Store, "I32Store", "Store32RR", "Store32RI");
define(Action.Store, "I32Store8", "Store8RR", "Store8RI");
define(Action.Store, "I32Store16", "Store16RR", "Store16RI");
define(Action.Store, "F32Store", "Store32RR", "Store32RI");
define(Action.Store, "F64Store", "Store64RR");
define(Action.Wide, "I32Mul64", "WideMul64");
define(Action.Wide, "I32Add64", "WideAdd64");
define(Action.Logic64, "I32And64", "And64RR", "And64RI");
define(Action.Logic64, "I32Or64", "Or64RR", "Or64RI");
define(Action.Logic64, "I32Xor64", "Xor64RR", "Xor64RI");
define(Action.Wide128, "I64Add128", "Add128");
define(Action.Wide128, "I64Sub128", "Sub128");
define(Action.Wide128, "I64MulWideS", "MulWideS");
define(Action.Wide128, "I64MulWideU", "MulWideU");
for (const width of ["F32", "F64"]) {
  for (const name of ["Eq", "Ne", "Lt", "Gt", "Le", "Ge"]) {
    define(Action.Float, `${width}${name}` as OpName, `${name}${width}`);
  }
  for (const name of ["Abs", "Neg", "Ceil", "Floor", "Trunc", "Nearest", "Sqrt"]) {
    define(Action.Float, `${width}${name}` as OpName, `${name}${width}`);
  }
  for (const name of ["Add", "Sub", "Mul", "Div", "Min", "Max", "Copysign"]) {
    define(Action.Float, `${width}${name}` as OpName, `${name}${width}`);
  }
}
// Conversions have the names of their opcodes.
for (let op = Op.I32TruncF32S; op <= Op.I64TruncSatF64U; op++) {
  const name = (Object.keys(Op) as OpName[])[op];
  define(Action.Float, name, name);
}
// I32Sub64 borrows a mask of ones, which is what the high word of a 64-bit difference is.
define(Action.Wide, "I32Sub64", "WideSub64");

/** By handler of a comparison: the jump when it holds, and when it does not; -1 for other handlers. */
const JUMP_IF = new Int16Array(WORDS.length).fill(-1), JUMP_UNLESS = new Int16Array(WORDS.length).fill(-1);
const OPPOSITE: { readonly [name: string]: string } = {
  Eq: "Ne",
  Ne: "Eq",
  LtS: "GeS",
  LtU: "GeU",
  GtS: "LeS",
  GtU: "LeU",
  LeS: "GtS",
  LeU: "GtU",
  GeS: "LtS",
  GeU: "LtU",
};
for (const form of ["RR", "RI", "64RR", "64RI"]) {
  for (const name of COMPARISONS) {
    JUMP_IF[handler(name + form)] = handler(`Jump${name}${form}`);
    JUMP_UNLESS[handler(name + form)] = handler(`Jump${OPPOSITE[name]}${form}`);
  }
}
JUMP_IF[handler("Eqz")] = handler("JumpEqz");
JUMP_UNLESS[handler("Eqz")] = handler("JumpNez");

/** Handlers of the hidden functions by their number in SNIPPETS; the core, which is last, is not raised. */
const HIDDEN_RR: readonly number[] = [
  ...COMPARISONS.map((name) => handler(`${name}64RR`)),
  ...["Add64RR", "Sub64RR", "Mul64RR", "DivS64", "DivU64", "RemS64", "RemU64"].map(handler),
  ...["Shl64RR", "ShrS64RR", "ShrU64RR", "Rotl64RR", "Rotr64RR"].map(handler),
];
const HIDDEN_RI: readonly number[] = [
  ...COMPARISONS.map((name) => handler(`${name}64RI`)),
  ...["Add64RI", "Sub64RI", "Mul64RI"].map(handler),
  ...[-1, -1, -1, -1],
  ...["Shl64RI", "ShrS64RI", "ShrU64RI", "Rotl64RI", "Rotr64RI"].map(handler),
];
/** Hidden functions that are divisions: they can trap, inside of themselves. */
const FIRST_DIVISION = 13, LAST_DIVISION = 16, LAST_COMPARISON = 9;

const H = {
  AddRI: handler("AddRI"),
  AddRR: handler("AddRR"),
  Move: handler("Move"),
  Move64: handler("Move64"),
  Const: handler("Const"),
  Const64: handler("Const64"),
  Zero: handler("Zero"),
  Select: handler("Select"),
  GlobalGet: handler("GlobalGet"),
  GlobalSet: handler("GlobalSet"),
  ExtendU: handler("ExtendU"),
  Load32: handler("Load32"),
  Load64: handler("Load64"),
  Store32: handler("Store32RR"),
  Store64: handler("Store64RR"),
  Jump: handler("Jump"),
  JumpNez: handler("JumpNez"),
  JumpEqz: handler("JumpEqz"),
  JumpTable: handler("JumpTable"),
  Charge: handler("Charge"),
  Enter: handler("Enter"),
  Reserve: handler("Reserve"),
  Signature: handler("Signature"),
  Call: handler("Call"),
  CallIndirect: handler("CallIndirect"),
  TailCall: handler("TailCall"),
  TailCallIndirect: handler("TailCallIndirect"),
  Return: handler("Return"),
  Syscall: handler("Syscall"),
  Slow: handler("Slow"),
  Trap: handler("Trap"),
} as const;

/** Bytes of the `Signature` instruction, which direct calls skip. */
const SIGNATURE_BYTES = 8;

/** Words at the end of every conditional jump: two ways, an address and a charge each. */
const WAY_WORDS = 4;

/** Room that every step may rely on before it checks again. */
const STEP_WORDS = 32;

/** Lowers functions into a Program; one object serves a module. */
export class Lowering {
  readonly #program: Program;
  readonly #verified: VerifiedModule;
  /** Globals that have a place in the state memory. */
  readonly #globals: number;

  // The abstract stack, by slot above the lowest parameter.
  #kinds = new Uint8Array(256);
  #values = new Int32Array(256);
  /** How many waiting copies there are of each slot. */
  #copies = new Int32Array(256);
  /** Slots of parameters: what is added to a height to get an index. */
  #below = 0;
  /** Height above the entry. */
  #sp = 0;
  /** Nothing waits below this height. */
  #lazyLow = 0;

  #pc = 0;
  /** Word of the last instruction, and of the one before; -1 when a boundary lies between. */
  #last = -1;
  #previous = -1;
  /** Slots that the last instruction defines on top of the stack, 0 when it does not. */
  #defined = 0;

  /** Jumps whose target address is not known yet: word and rWasm pc. */
  #fixups = new Int32Array(256);
  #fixupCount = 0;

  /** Prepares for the functions of a Program. */
  constructor(program: Program, globals: number) {
    this.#program = program;
    this.#verified = program.verified;
    this.#globals = globals;
  }

  /** Lowers a function that has not been lowered. */
  lower(number: number): void {
    const program = this.#program, verified = this.#verified;
    const { module, starts, heights } = verified;
    const { opcodes, immediates } = module;
    const start = starts[number], end = starts[number + 1];
    this.#below = verified.paramSlots[number];
    this.#prepare(this.#below + verified.maxHeights[number] + 16);
    this.#fixupCount = 0;
    let falls = false;
    for (let pc = start; pc < end; pc++) {
      const height = heights[pc];
      if (height < -0x4000_0000) {
        falls = false;
        continue;
      }
      program.reserve(STEP_WORDS);
      this.#pc = pc;
      if (!falls || verified.isLeader(pc)) {
        if (falls) this.#flush();
        this.#sp = this.#lazyLow = height;
        this.#boundary(pc);
      }
      const op = opcodes[pc];
      falls = true;
      switch (ACTIONS[op]) {
        case Action.LocalGet:
          this.#localGet(this.#sp - immediates[pc]);
          break;
        case Action.LocalSet:
          pc += this.#localSet(pc, immediates[pc]);
          break;
        case Action.LocalTee:
          pc += this.#localTee(pc, immediates[pc]);
          break;
        case Action.Const:
          this.#pushConst(immediates[pc]);
          break;
        case Action.Const64S:
          this.#pushConst(immediates[pc]);
          this.#pushConst(immediates[pc] >> 31);
          break;
        case Action.Const64U:
          this.#pushConst(immediates[pc]);
          this.#pushConst(0);
          break;
        case Action.Binary:
          this.#binary(op);
          break;
        case Action.Unary:
          this.#unary(op);
          break;
        case Action.Divide: {
          const a = this.#register(this.#sp - 2), b = this.#register(this.#sp - 1);
          this.#drop(2);
          this.#define1(HANDLERS_RR[op], a, b);
          break;
        }
        case Action.Load:
          this.#load(HANDLERS_RR[op], PUSHES[op], immediates[pc]);
          break;
        case Action.Store:
          this.#store(op, immediates[pc]);
          break;
        case Action.Drop:
          this.#drop(1);
          break;
        case Action.BulkDrop:
          this.#drop(immediates[pc]);
          break;
        case Action.BulkConst:
          this.#zero(immediates[pc]);
          break;
        case Action.Select: {
          const sp = this.#sp;
          const a = this.#register(sp - 3), b = this.#register(sp - 2), c = this.#register(sp - 1);
          this.#drop(3);
          this.#define1(H.Select, a, b, c);
          break;
        }
        case Action.GlobalGet:
          if (immediates[pc] >>> 0 < this.#globals) this.#define1(H.GlobalGet, 4 * immediates[pc]);
          else this.#slow(pc + 1);
          break;
        case Action.GlobalSet:
          if (immediates[pc] >>> 0 < this.#globals) {
            const a = this.#register(this.#sp - 1);
            this.#drop(1);
            this.#emit2(H.GlobalSet, 4 * immediates[pc], a);
          } else this.#slow(pc + 1);
          break;
        case Action.WrapI64:
          break;
        case Action.Wide: {
          const a = this.#register(this.#sp - 2), b = this.#register(this.#sp - 1);
          this.#drop(2);
          this.#define2(HANDLERS_RR[op], a, b);
          break;
        }
        case Action.Logic64:
          this.#binary64(HANDLERS_RR[op], HANDLERS_RI[op], 2);
          break;
        case Action.Wide128: {
          const pops = POPS[op];
          this.#settle(this.#sp - pops);
          this.#drop(pops);
          const at = 4 * this.#sp;
          this.#emit3(HANDLERS_RR[op], at, at, at + 2 * pops);
          this.#sp += 4;
          break;
        }
        case Action.Float:
          this.#float(op);
          break;
        case Action.ConsumeFuel:
          pc += this.#charge(pc);
          break;
        case Action.StackCheck:
          this.#flush();
          this.#boundary(pc);
          this.#emit1(H.Reserve, 4 * (this.#sp + immediates[pc]));
          this.#boundary(pc + 1);
          break;
        case Action.Signature:
          this.#emit1(H.Signature, immediates[pc]);
          program.ips[pc] |= CALLABLE;
          this.#boundary(pc + 1);
          break;
        case Action.Br:
          this.#flush();
          this.#emit2(H.Jump, 0, 0);
          this.#fixup(program.length - 2, pc + immediates[pc]);
          falls = false;
          break;
        case Action.BrIf:
          this.#branchIf(op === Op.BrIfNez, pc + immediates[pc], pc + 1);
          break;
        case Action.BrTable:
          this.#branchTable(pc, immediates[pc]);
          falls = false;
          break;
        case Action.Return:
          this.#flush();
          this.#emit1(H.Return, 4 * this.#sp);
          falls = false;
          break;
        case Action.Call:
          this.#call(pc, immediates[pc]);
          break;
        case Action.TailCall: {
          this.#flush();
          this.#boundary(pc);
          const callee = immediates[pc];
          this.#emit3(H.TailCall, callee, this.#skip(callee), 4 * this.#sp);
          falls = false;
          break;
        }
        case Action.CallIndirect:
          this.#callIndirect(pc);
          pc++; // the payload
          break;
        case Action.TailCallIndirect:
          this.#flush();
          this.#boundary(pc);
          if (immediates[pc + 1] < TABLES) {
            const index = 4 * (this.#sp - 1);
            this.#emit4(H.TailCallIndirect, immediates[pc], immediates[pc + 1], index, index);
          } else this.#emit0(H.Slow);
          pc++;
          falls = false;
          break;
        case Action.Syscall:
          this.#flush();
          this.#boundary(pc);
          this.#emit0(H.Syscall);
          this.#enterNext(pc + 1);
          break;
        case Action.Trap:
          this.#flush();
          this.#boundary(pc);
          // Halts and interruptions are traps, too; the plain loop knows what they mean.
          this.#emit0(H.Slow);
          falls = false;
          break;
        default:
          this.#slow(pc + (op === Op.TableInit ? 2 : 1));
          if (op === Op.TableInit) pc++;
      }
    }
    this.#resolve();
    program.lowered[number] = 1;
    program.order.push(number);
    program.ends.push(program.length);
  }

  #prepare(slots: number): void {
    if (slots > this.#kinds.length) {
      this.#kinds = new Uint8Array(2 * slots);
      this.#values = new Int32Array(2 * slots);
      this.#copies = new Int32Array(2 * slots);
    } else {
      this.#kinds.fill(HOME, 0, slots);
      this.#copies.fill(0, 0, slots);
    }
    this.#last = this.#previous = -1;
    this.#defined = 0;
  }

  // ── the abstract stack ──────────────────────────────────────────────────────────────────────

  #pushConst(value: number): void {
    const index = this.#below + this.#sp;
    this.#kinds[index] = CONST;
    this.#values[index] = value;
    if (this.#sp < this.#lazyLow) this.#lazyLow = this.#sp;
    this.#sp++;
    this.#defined = 0;
  }

  /** Pushes what a slot holds, without a move. */
  #localGet(slot: number): void {
    const from = this.#below + slot, to = this.#below + this.#sp;
    if (this.#kinds[from] === CONST) return this.#pushConst(this.#values[from]);
    const source = this.#kinds[from] === COPY ? this.#values[from] : slot;
    this.#kinds[to] = COPY;
    this.#values[to] = source;
    this.#copies[this.#below + source]++;
    if (this.#sp < this.#lazyLow) this.#lazyLow = this.#sp;
    this.#sp++;
    this.#defined = 0;
  }

  #drop(slots: number): void {
    for (let n = 0; n < slots; n++) {
      const index = this.#below + --this.#sp;
      if (this.#kinds[index] === COPY) this.#copies[this.#below + this.#values[index]]--;
      this.#kinds[index] = HOME;
    }
    if (this.#lazyLow > this.#sp) this.#lazyLow = this.#sp;
  }

  /** Byte offset of a slot's value; a constant is put into its slot first. */
  #register(slot: number): number {
    const index = this.#below + slot;
    if (this.#kinds[index] === COPY) return 4 * this.#values[index];
    if (this.#kinds[index] === CONST) this.#settleOne(slot);
    return 4 * slot;
  }

  /** Byte offset of a 64-bit value; one that is not in two adjacent slots is put there. */
  #register64(slot: number): number {
    const index = this.#below + slot, kinds = this.#kinds, values = this.#values;
    if (kinds[index] === COPY && kinds[index + 1] === COPY && values[index + 1] === values[index] + 1) {
      return 4 * values[index];
    }
    this.#settlePair(slot);
    return 4 * slot;
  }

  #isConst64(slot: number): boolean {
    const index = this.#below + slot;
    return this.#kinds[index] === CONST && this.#kinds[index + 1] === CONST;
  }

  /** Puts the value of a slot into the slot. */
  #settleOne(slot: number): void {
    const index = this.#below + slot, kind = this.#kinds[index];
    if (kind === HOME) return;
    if (kind === CONST) this.#emit2(H.Const, 4 * slot, this.#values[index]);
    else {
      this.#emit2(H.Move, 4 * slot, 4 * this.#values[index]);
      this.#copies[this.#below + this.#values[index]]--;
    }
    this.#kinds[index] = HOME;
  }

  /** Puts the values of two adjacent slots into them, with one instruction where one does it. */
  #settlePair(slot: number): void {
    const index = this.#below + slot, kinds = this.#kinds, values = this.#values;
    const low = kinds[index], high = kinds[index + 1];
    if (low === CONST && high === CONST) {
      this.#emit3(H.Const64, 4 * slot, values[index], values[index + 1]);
    } else if (low === COPY && high === COPY && values[index + 1] === values[index] + 1) {
      this.#emit2(H.Move64, 4 * slot, 4 * values[index]);
      this.#copies[this.#below + values[index]]--;
      this.#copies[this.#below + values[index + 1]]--;
    } else if (low !== CONST && high === CONST && values[index + 1] === 0) {
      this.#emit2(H.ExtendU, 4 * slot, this.#register(slot));
      if (low === COPY) this.#copies[this.#below + values[index]]--;
    } else {
      this.#settleOne(slot);
      this.#settleOne(slot + 1);
      return;
    }
    kinds[index] = kinds[index + 1] = HOME;
  }

  /** Puts everything from a slot on into its slot. */
  #settle(slot: number): void {
    const kinds = this.#kinds, below = this.#below;
    for (let at = slot; at < this.#sp; at++) {
      if (kinds[below + at] === HOME) continue;
      if (at + 1 < this.#sp && kinds[below + at + 1] === kinds[below + at]) {
        this.#settlePair(at);
        this.#settleOne(at + 1);
        at++;
      } else this.#settleOne(at);
    }
  }

  #flush(): void {
    this.#settle(this.#lazyLow);
    this.#lazyLow = this.#sp;
  }

  /** Copies of a slot that is about to change get their value now. */
  #spill(slot: number): void {
    const below = this.#below;
    for (let at = this.#sp - 1; this.#copies[below + slot] > 0; at--) {
      if (this.#kinds[below + at] === COPY && this.#values[below + at] === slot) this.#settleOne(at);
    }
  }

  // ── emission ────────────────────────────────────────────────────────────────────────────────

  /** Nothing before here may be changed by what follows, and a run can enter at `pc`. */
  #boundary(pc: number): void {
    this.#last = this.#previous = -1;
    this.#defined = 0;
    this.#program.ips[pc] = this.#program.addressOf(this.#program.length);
  }

  #begin(number: number): number {
    const program = this.#program, at = program.length;
    program.words[at] = number;
    program.pcs[at] = this.#pc;
    this.#previous = this.#last;
    this.#last = at;
    this.#defined = 0;
    program.length = at + WORDS[number];
    return at;
  }

  #emit0(number: number): void {
    this.#begin(number);
  }

  #emit1(number: number, a: number): void {
    const at = this.#begin(number);
    this.#program.words[at + 1] = a;
  }

  #emit2(number: number, a: number, b: number): void {
    const at = this.#begin(number), { words } = this.#program;
    words[at + 1] = a;
    words[at + 2] = b;
  }

  #emit3(number: number, a: number, b: number, c: number): void {
    const at = this.#begin(number), { words } = this.#program;
    words[at + 1] = a;
    words[at + 2] = b;
    words[at + 3] = c;
  }

  #emit4(number: number, a: number, b: number, c: number, d: number): void {
    const at = this.#begin(number), { words } = this.#program;
    words[at + 1] = a;
    words[at + 2] = b;
    words[at + 3] = c;
    words[at + 4] = d;
  }

  /** Emits an instruction whose result of one slot is pushed. */
  #define1(number: number, a: number, b = 0, c = 0): void {
    this.#define(number, 1, a, b, c);
  }

  /** Emits an instruction whose result of two slots is pushed. */
  #define2(number: number, a: number, b = 0, c = 0): void {
    this.#define(number, 2, a, b, c);
  }

  #define(number: number, slots: number, a: number, b: number, c: number): void {
    const at = this.#begin(number), { words } = this.#program;
    words[at + 1] = 4 * this.#sp;
    words[at + 2] = a;
    // Words beyond the instruction are written again by the next one.
    words[at + 3] = b;
    words[at + 4] = c;
    this.#sp += slots;
    this.#defined = slots;
  }

  /** Takes the last instruction back. */
  #unemit(): void {
    this.#program.length = this.#last;
    this.#last = this.#previous;
    this.#previous = -1;
    this.#defined = 0;
  }

  #fixup(word: number, pc: number): void {
    if (this.#fixupCount === this.#fixups.length) {
      const fixups = new Int32Array(2 * this.#fixups.length);
      fixups.set(this.#fixups);
      this.#fixups = fixups;
    }
    this.#fixups[this.#fixupCount++] = word;
    this.#fixups[this.#fixupCount++] = pc;
  }

  #resolve(): void {
    const { words, ips } = this.#program;
    for (let k = 0; k < this.#fixupCount; k += 2) {
      words[this.#fixups[k]] = ips[this.#fixups[k + 1]] & ~CALLABLE;
    }
  }

  /** A run comes back at `pc` after something outside of the loop has changed the stack. */
  #enterNext(pc: number): void {
    const height = this.#verified.heights[pc];
    if (height < -0x4000_0000) return;
    this.#sp = this.#lazyLow = height;
    this.#boundary(pc);
  }

  /** Leaves one instruction to the plain loop. */
  #slow(next: number): void {
    this.#flush();
    this.#boundary(this.#pc);
    this.#emit0(H.Slow);
    this.#enterNext(next);
  }

  // ── opcodes ─────────────────────────────────────────────────────────────────────────────────

  /** Writes the top into a slot below; says how many more instructions that took. */
  #localSet(pc: number, depth: number): number {
    const { opcodes, immediates } = this.#verified.module;
    const top = this.#sp - 1;
    if (
      depth >= 2 && opcodes[pc + 1] === Op.LocalSet && immediates[pc + 1] === depth &&
      !this.#verified.isTarget(pc + 1)
    ) {
      this.#set64(top - 1, top - 1 - depth);
      this.#drop(2);
      return 1;
    }
    const slot = top - depth;
    if (this.#defined === 1 && this.#copies[this.#below + slot] === 0) {
      this.#drop(1);
      this.#retarget(slot);
    } else {
      this.#assign(slot, top);
      this.#drop(1);
    }
    return 0;
  }

  /** Makes the last instruction write to another slot than the one it pushed to. */
  #retarget(slot: number): void {
    const { words } = this.#program, last = this.#last, previous = this.#previous;
    words[last + 1] = 4 * slot;
    this.#settled(slot);
    this.#defined = 0;
    if (words[last] !== H.Load32 || previous < 0 || words[previous] !== H.Load32) return;
    // Two halves of 64 bits, the high one first: one load, which traps where the high half would.
    const high = words[previous + 1], base = words[last + 2], offset = words[last + 3];
    if (high !== 4 * slot + 4 || words[previous + 2] !== base || base === high) return;
    if (words[previous + 3] !== offset + 4 || offset < 0) return;
    this.#unemit();
    words[this.#last] = H.Load64;
    words[this.#last + 1] = 4 * slot;
    words[this.#last + 3] = offset;
    // It defines the pair on top of the stack, when that is what the two were.
    this.#defined = slot + 2 === this.#sp ? 2 : 0;
  }

  /** A slot got a value of its own. */
  #settled(slot: number): void {
    const index = this.#below + slot;
    if (this.#kinds[index] === COPY) this.#copies[this.#below + this.#values[index]]--;
    this.#kinds[index] = HOME;
  }

  /** slot := value of the slot `from`. */
  #assign(slot: number, from: number): void {
    const index = this.#below + from;
    const kind = this.#kinds[index], value = this.#values[index];
    if (kind === COPY && value === slot) return;
    this.#spill(slot);
    this.#settled(slot);
    if (this.#kinds[index] === CONST) this.#emit2(H.Const, 4 * slot, value);
    else this.#emit2(H.Move, 4 * slot, this.#register(from));
  }

  /** slot, slot + 1 := the 64-bit value of `from`, which is on top and stays there. */
  #set64(from: number, slot: number): void {
    const below = this.#below, copies = this.#copies, kinds = this.#kinds, values = this.#values;
    if (this.#defined === 2 && copies[below + slot] === 0 && copies[below + slot + 1] === 0) {
      this.#program.words[this.#last + 1] = 4 * slot;
      this.#settled(slot);
      this.#settled(slot + 1);
      // What is on top is where it was written to now.
      for (let half = 0; half < 2; half++) {
        kinds[below + from + half] = COPY;
        values[below + from + half] = slot + half;
        copies[below + slot + half]++;
      }
      if (from < this.#lazyLow) this.#lazyLow = from;
      this.#defined = 0;
      return;
    }
    const same = kinds[below + from] === COPY && kinds[below + from + 1] === COPY;
    if (same && values[below + from] === slot && values[below + from + 1] === slot + 1) return;
    if (this.#isConst64(from)) {
      this.#spill(slot);
      this.#spill(slot + 1);
      this.#settled(slot);
      this.#settled(slot + 1);
      this.#emit3(H.Const64, 4 * slot, values[below + from], values[below + from + 1]);
      return;
    }
    // The value may be made of the slots it goes to.
    this.#spill(slot);
    this.#spill(slot + 1);
    const source = this.#register64(from);
    this.#settled(slot);
    this.#settled(slot + 1);
    this.#emit2(H.Move64, 4 * slot, source);
  }

  /** Copies the top into a slot below; says how many more instructions that took. */
  #localTee(pc: number, depth: number): number {
    const { opcodes, immediates } = this.#verified.module;
    const top = this.#sp - 1, slot = this.#sp - depth;
    if (slot === top) return 0;
    const triple = depth >= 3 && opcodes[pc + 1] === Op.LocalGet && immediates[pc + 1] === 2 &&
      opcodes[pc + 2] === Op.LocalSet && immediates[pc + 2] === depth + 1 &&
      !this.#verified.isTarget(pc + 1) && !this.#verified.isTarget(pc + 2);
    if (triple && depth >= 4) {
      this.#set64(top - 1, slot - 1);
      return 2;
    }
    if (this.#defined === 1 && this.#copies[this.#below + slot] === 0) {
      this.#program.words[this.#last + 1] = 4 * slot;
      this.#settled(slot);
      this.#drop(1);
      this.#localGet(slot);
    } else this.#assign(slot, top);
    return 0;
  }

  #binary(op: number): void {
    const sp = this.#sp, b = this.#below + sp - 1;
    if (this.#kinds[b] === CONST) {
      const value = this.#values[b], a = this.#register(sp - 2);
      this.#drop(2);
      this.#define1(HANDLERS_RI[op], a, value);
    } else {
      const x = this.#register(sp - 2), y = this.#register(sp - 1);
      this.#drop(2);
      this.#define1(HANDLERS_RR[op], x, y);
    }
  }

  #unary(op: number): void {
    const a = this.#register(this.#sp - 1);
    this.#drop(1);
    this.#define1(HANDLERS_RR[op], a);
  }

  #binary64(rr: number, ri: number, results: number): void {
    const sp = this.#sp, b = this.#below + sp - 2;
    if (ri >= 0 && this.#isConst64(sp - 2)) {
      const low = this.#values[b], high = this.#values[b + 1], a = this.#register64(sp - 4);
      this.#drop(4);
      this.#define(ri, results, a, low, high);
    } else {
      const x = this.#register64(sp - 4), y = this.#register64(sp - 2);
      this.#drop(4);
      this.#define(rr, results, x, y, 0);
    }
  }

  #float(op: number): void {
    const pops = POPS[op], pushes = PUSHES[op], name = HANDLERS_RR[op];
    // All operands of one operation have the same width: two of them, or one.
    const binary = op >= FIRST_FLOAT_OP && WORDS[name] === 4;
    const width = binary ? pops >> 1 : pops;
    const operand = (slot: number) => width === 2 ? this.#register64(slot) : this.#register(slot);
    const a = operand(this.#sp - pops), b = binary ? operand(this.#sp - width) : 0;
    this.#drop(pops);
    this.#define(name, pushes, a, b, 0);
  }

  /** A load; an addition that makes its address becomes part of it. */
  #load(number: number, results: number, offset: number): void {
    const { words } = this.#program, last = this.#last;
    if (this.#defined === 1 && (words[last] === H.AddRI || words[last] === H.AddRR)) {
      const a = words[last + 2], b = words[last + 3];
      const fused = number + (words[last] === H.AddRI ? 1 : 2);
      this.#unemit();
      this.#drop(1);
      this.#define(fused, results, a, b, offset);
      return;
    }
    const a = this.#register(this.#sp - 1);
    this.#drop(1);
    this.#define(number, results, a, offset, 0);
  }

  #store(op: number, offset: number): void {
    const sp = this.#sp, pops = POPS[op], { words } = this.#program;
    const constant = pops === 2 && this.#kinds[this.#below + sp - 1] === CONST;
    const value = constant
      ? this.#values[this.#below + sp - 1]
      : pops === 2
      ? this.#register(sp - 1)
      : this.#register64(sp - 2);
    const base = this.#register(sp - pops);
    this.#drop(pops);
    const last = this.#last;
    if (!constant && HANDLERS_RR[op] === H.Store32 && last >= 0 && words[last] === H.Store32) {
      // Two halves of 64 bits, the high one first: one store, which traps where the high half would.
      const joins = words[last + 1] === base && words[last + 2] === value + 4 &&
        words[last + 3] === offset + 4;
      if (joins && offset >= 0) {
        words[last] = H.Store64;
        words[last + 2] = value;
        words[last + 3] = offset;
        return;
      }
    }
    this.#emit3(constant ? HANDLERS_RI[op] : HANDLERS_RR[op], base, value, offset);
  }

  #zero(slots: number): void {
    if (slots <= 2) {
      for (let n = 0; n < slots; n++) this.#pushConst(0);
      return;
    }
    this.#emit2(H.Zero, 4 * this.#sp, 4 * slots);
    this.#sp += slots;
  }

  /** A charge, with the reservation behind it; says how many more instructions that took. */
  #charge(pc: number): number {
    const { opcodes, immediates } = this.#verified.module;
    const amount = immediates[pc];
    if (amount === 0) return 0;
    this.#flush();
    this.#boundary(pc);
    if (amount < 0) {
      // Above 2^31: no slice holds it.
      this.#emit0(H.Slow);
      this.#enterNext(pc + 1);
      return 0;
    }
    if (opcodes[pc + 1] === Op.StackCheck && !this.#verified.isTarget(pc + 1)) {
      this.#emit2(H.Enter, amount, 4 * (this.#sp + immediates[pc + 1]));
      this.#boundary(pc + 2);
      return 1;
    }
    this.#emit1(H.Charge, amount);
    this.#boundary(pc + 1);
    return 0;
  }

  #branchIf(whenSet: boolean, target: number, next: number): void {
    const { words } = this.#program;
    const last = this.#defined === 1 ? this.#last : -1;
    const fused = last < 0 ? -1 : whenSet ? JUMP_IF[words[last]] : JUMP_UNLESS[words[last]];
    if (fused >= 0) {
      const a = words[last + 2], b = words[last + 3], c = words[last + 4];
      this.#unemit();
      this.#drop(1);
      this.#flush();
      this.#emit3(fused, a, b, c); // what it has not is written over by the ways
    } else {
      const a = this.#register(this.#sp - 1);
      this.#drop(1);
      this.#flush();
      this.#emit1(whenSet ? H.JumpNez : H.JumpEqz, a);
    }
    const ways = this.#program.length - WAY_WORDS;
    this.#way(ways, target);
    this.#way(ways + 2, next);
  }

  /** One way of a jump, an address and a charge: known when the function is lowered. */
  #way(word: number, pc: number): void {
    this.#program.words[word + 1] = 0;
    this.#fixup(word, pc);
  }

  #branchTable(pc: number, count: number): void {
    const a = this.#register(this.#sp - 1);
    this.#drop(1);
    this.#flush();
    this.#emit2(H.JumpTable, a, count);
    this.#program.reserve(2 * count + STEP_WORDS);
    const { opcodes, immediates } = this.#verified.module;
    for (let n = 0; n < count; n++) {
      // An entry that is a branch by itself is not worth a stop.
      const entry = pc + 1 + 2 * n;
      this.#way(this.#program.length, opcodes[entry] === Op.Br ? entry + immediates[entry] : entry);
      this.#program.length += 2;
    }
  }

  /** What is added to the ip of a callee: direct calls skip its signature check. */
  #skip(callee: number): number {
    const checked = this.#verified.module.opcodes[callee] === Op.SignatureCheck;
    return checked ? SIGNATURE_BYTES - CALLABLE : 0;
  }

  #call(pc: number, callee: number): void {
    const hidden = this.#program.hidden[this.#verified.functionAt(callee)];
    if (hidden >= 0 && hidden < HIDDEN_RR.length) return this.#raise(pc, hidden);
    this.#flush();
    this.#boundary(pc);
    const at = this.#begin(H.Call), { words } = this.#program;
    words[at + 1] = callee;
    words[at + 2] = this.#skip(callee);
    words[at + 3] = pc + 1;
    words[at + 4] = 4 * this.#sp;
    words[at + 5] = 4 * this.#verified.heights[pc + 1];
    this.#enterNext(pc + 1);
  }

  #callIndirect(pc: number): void {
    const { immediates } = this.#verified.module;
    this.#flush();
    this.#boundary(pc);
    const table = immediates[pc + 1];
    if (table < TABLES) {
      const at = this.#begin(H.CallIndirect), { words } = this.#program, index = 4 * (this.#sp - 1);
      words[at + 1] = immediates[pc];
      words[at + 2] = table;
      words[at + 3] = index;
      words[at + 4] = pc + 2;
      words[at + 5] = index;
      words[at + 6] = 4 * this.#verified.heights[pc + 2];
    } else this.#emit0(H.Slow);
    this.#enterNext(pc + 2);
  }

  /** A call of a hidden i64 function as one instruction. */
  #raise(pc: number, hidden: number): void {
    if (hidden < FIRST_DIVISION || hidden > LAST_DIVISION) {
      this.#binary64(HIDDEN_RR[hidden], HIDDEN_RI[hidden], hidden <= LAST_COMPARISON ? 1 : 2);
      return;
    }
    // A division that traps does so inside of the hidden function: the plain loop goes there.
    this.#flush();
    this.#boundary(pc);
    const a = 4 * (this.#sp - 4), b = 4 * (this.#sp - 2);
    this.#drop(4);
    this.#define2(HIDDEN_RR[hidden], a, b);
  }
}
