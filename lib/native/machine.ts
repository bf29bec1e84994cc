/**
 * Runs a machine in compiled code, with the contract of the plain loop: from `machine.pc` until
 * something outside must decide, the state exact when it returns. Compiled code is entered at the
 * beginning of functions and, for frames that were interrupted, where ways join; the few instructions
 * in between, and whatever compiled code does not know, the plain loop does.
 *
 * @module
 */

import { TrapCode } from "../error.ts";
import { UNREACHED } from "../isa/heights.ts";
import { Op } from "../isa/opcode.ts";
import type { Program } from "../interpreter/program.ts";
import type { Loop } from "../vm/loop.ts";
import type { Machine } from "../vm/machine.ts";
import { Exit, run } from "../vm/step.ts";
import { IMPORT_MODULE } from "./assemble.ts";
import { type Batch, type Emitted, idOf, NativeCode } from "./code.ts";
import {
  DEPTH_BITS,
  HEIGHT_END,
  HOST_BYTES,
  MARGIN_DEPTH,
  MARGIN_SLOTS,
  MOST_FRAMES,
  MOST_SLOTS,
  Reason,
  REASON_BITS,
  SMALL_FRAME,
} from "./layout.ts";
import type { Shape } from "./signatures.ts";
import { NativeState, targetsAt } from "./state.ts";
import { type Position, wasmFrames, withWholeTraces } from "./stack_trace.ts";

/** Taken now: a program may put something else into the place of the globals later. */
const { Instance, Memory, Table, Global, Tag, Exception, RuntimeError } = WebAssembly as unknown as Host;

/** The parts of the host's interface that the standard types of TypeScript do not all have. */
interface Host {
  readonly Instance: typeof WebAssembly.Instance;
  readonly Memory: typeof WebAssembly.Memory;
  readonly Table: typeof WebAssembly.Table;
  readonly Global: typeof WebAssembly.Global;
  readonly RuntimeError: typeof WebAssembly.RuntimeError;
  readonly Tag: new (type: { readonly parameters: readonly string[] }) => object;
  readonly Exception: new (tag: object, payload: readonly unknown[]) => { is(tag: object): boolean };
}

/** What is thrown to leave compiled code. */
const TAG = new Tag({ parameters: [] });

/** Jumps without fuel that compiled code makes before it comes out. */
const TICKS = 2_000_000;

/** Runs of compiled code on the host's stack, of all machines: those in host functions of others. */
let active = 0;

/** Most of them below one that compiled code runs. */
const MOST_ACTIVE = 1;

/** Bytes of the host's stack for the frames of a run inside of a host function. */
const NESTED_BYTES = 120_000;

/**
 * Most fuel that compiled code gets at once. V8 replaces the code of a function by better code only when
 * it is entered anew, so none must stay inside for long; to leave and resume takes far less than a
 * thousandth of the time this much fuel does.
 */
const GRANT = 30_000_000;

/** What stands for the guest memory while there is none. */
let noMemory: WebAssembly.Memory | undefined;

/** Enters or resumes compiled code: what, place, fuel; the fuel that is left. */
type Enter = (what: number, place: number, fuel: number) => number;

/**
 * Performs the syscall that the machine stands at, and says whether the run goes on behind it. If not,
 * `run` returns `Exit.Syscall` with the machine as this has left it, and the syscall is not to be
 * performed again. The frames of compiled code are not in the stacks meanwhile.
 */
export type OnSyscall = () => boolean;

/** What a machine in compiled code can be given. */
export interface NativeOptions {
  /** Performs syscalls without leaving compiled code; absent, each of them is an exit. */
  readonly onSyscall?: OnSyscall | undefined;
}

/** A machine with compiled code. */
export class NativeMachine implements Loop {
  readonly #machine: Machine;
  readonly #program: Program;
  readonly #code: NativeCode;
  readonly #state: NativeState;
  readonly #onSyscall: OnSyscall | undefined;
  /** Height that is 0 in the places of the present run of compiled code, with its bias taken off. */
  #ground = 0;

  // What is linked to the present guest memory.
  #guest: WebAssembly.Memory | undefined;
  #imports: WebAssembly.Imports = {};
  #functions: WebAssembly.Table | undefined;
  #linked = new Set<Batch>();
  #enters = new Map<Shape, Enter>();
  #resumes = new Map<number, Enter | undefined>();
  /** By number of a linked module: its fuel. */
  readonly #fuels = new Map<number, WebAssembly.Global>();
  readonly #host = new Global({ value: "i32", mutable: true }, 0);
  readonly #base = new Global({ value: "i32", mutable: true }, 0);

  // What a run of compiled code says about how it ended.
  /** Fuel of the slice that compiled code does not have. */
  #kept = 0;
  /** Return addresses of the frames that were left, innermost first. */
  readonly #frames: number[] = [];
  #stopped = false;
  #exit: Exit | undefined;
  #reason: number = Reason.Leave;
  #capacity = 0;

  // Where the machine was left, which needs no proof.
  #stack: Int32Array | undefined;
  #depth = -1;
  #pc = -1;
  #sp = -1;

  private constructor(machine: Machine, program: Program, state: NativeState, options: NativeOptions) {
    this.#machine = machine;
    this.#program = program;
    this.#code = NativeCode.of(program);
    this.#state = state;
    this.#onSyscall = options.onSyscall;
  }

  /**
   * Moves a machine into a state memory, from where all loops can run it; undefined when its code
   * cannot be compiled, when it does not fit, or when the host has no room, and it stays as it is.
   */
  static attach(machine: Machine, program: Program, options: NativeOptions = {}): NativeMachine | undefined {
    if (!NativeCode.suits(program)) return undefined;
    const state = NativeState.make(machine, program);
    return state && new NativeMachine(machine, program, state, options);
  }

  /** Compiles and links the function at a pc, with what it calls, before a run needs it. */
  prepare(pc: number): void {
    const number = this.#program.verified.functionAt(pc);
    if (!this.#code.signatures.of(number).compiled) return;
    this.#refresh();
    this.#link(number);
  }

  /** Runs from `machine.pc` until an Exit, which is never `Left`. */
  run(): Exit {
    const machine = this.#machine, { verified } = this.#program, { starts, module } = verified;
    // Runs inside of host functions share the host's stack with those outside.
    if (this.#mustCount || active > MOST_ACTIVE) return this.#runWild();
    if (!this.#isKnown() && !this.#isProven()) return this.#runWild();
    this.#refresh();
    // After compiled code has left, one instruction at least is for the plain loop.
    let stay = false;
    for (;;) {
      const { pc, depth } = machine;
      if (pc >>> 0 >= module.length || verified.heights[pc] === UNREACHED) return this.#runWild();
      const number = verified.functionAt(pc);
      if (!stay) {
        let entered: Exit | undefined | null = null;
        if (pc === starts[number]) entered = this.#enter(number);
        else entered = this.#resume(number, pc);
        if (entered !== null) {
          if (entered !== undefined) return this.#leave(entered);
          this.#refresh();
          // A function that was not entered, because there were many frames, can be now that there are none.
          const again = machine.depth > depth && machine.pc === starts[verified.functionAt(machine.pc)];
          // So is a charge that is larger than what compiled code ever gets.
          const stuck = this.#reason === Reason.Leave || machine.pc === pc && machine.depth === depth;
          stay = stuck && !again;
          continue;
        }
      }
      stay = false;
      const exit = this.#step(number);
      if (exit === Exit.Syscall && this.#onSyscall?.() === true) continue;
      if (exit !== undefined) return this.#leave(exit);
    }
  }

  /** The plain loop has run the machine meanwhile. */
  forget(): void {
    this.#stack = undefined;
  }

  /** Whether only the plain loop sees that a run under a fuel limit charges nothing. */
  get #mustCount(): boolean {
    const { fuel, module } = this.#machine;
    return fuel.bounded && module.info?.metered !== false && !this.#program.metered;
  }

  // ── the plain loop ──────────────────────────────────────────────────────────────────────────

  /** The plain loop up to the next place where compiled code may go on; undefined when nothing outside must decide. */
  #step(number: number): Exit | undefined {
    const machine = this.#machine, { verified } = this.#program, { starts, module } = verified;
    const { pc } = machine, end = starts[number + 1], op = module.opcodes[pc];
    if (pc === starts[number]) {
      // Alone: in a longer stretch a recursion would not come out.
      const exit = run(machine, pc, 1);
      return exit === Exit.Left ? undefined : exit;
    }
    if (op === Op.CallIndirect || op === Op.ReturnCallIndirect) {
      const exit = run(machine, pc, 1);
      if (exit !== Exit.Left) return exit;
      return verified.isCallable(machine.pc) ? undefined : this.#runWild();
    }
    if (op === Op.ConsumeFuel || op === Op.ConsumeFuelStack) {
      const exit = run(machine, pc, 1);
      return exit === Exit.Left ? undefined : exit;
    }
    // Up to the next instruction that could be a target or must be looked at.
    let next = pc + 1;
    while (next < end && !verified.isTarget(next) && !isIndirect(module.opcodes[next])) next++;
    const exit = run(machine, pc, next - pc);
    if (exit !== Exit.Left) return exit;
    this.#refresh();
    return undefined;
  }

  /** Only the plain loop, which knows everything: also code that went where no function begins. */
  #runWild(): Exit {
    this.#stack = undefined;
    for (;;) {
      const exit = run(this.#machine);
      if (exit !== Exit.Syscall || this.#onSyscall?.() !== true) return exit;
    }
  }

  /** Notes where the machine is left. */
  #leave(exit: Exit): Exit {
    const machine = this.#machine;
    this.#stack = machine.stack;
    this.#depth = machine.depth;
    this.#pc = machine.pc;
    this.#sp = machine.sp;
    return exit;
  }

  /** Whether the machine stands where it was left, or behind the charge or call it was left at. */
  #isKnown(): boolean {
    const { stack, depth, pc, signaturePending } = this.#machine;
    return stack === this.#stack && depth === this.#depth && !signaturePending &&
      (pc === this.#pc || pc === this.#pc + 1) && this.#heightFits();
  }

  #heightFits(): boolean {
    const { pc, sp } = this.#machine, { heights, module } = this.#program.verified;
    return pc >>> 0 < module.length && heights[pc] !== UNREACHED && heights[this.#pc] !== UNREACHED &&
      sp - heights[pc] === this.#sp - heights[this.#pc];
  }

  /** Whether every frame is one that a call of a function made. */
  #isProven(): boolean {
    const machine = this.#machine, { verified } = this.#program;
    const { opcodes, length } = machine.module;
    let { pc, sp, depth } = machine;
    if (machine.signaturePending && opcodes[pc] !== Op.SignatureCheck) return false;
    while (pc >>> 0 < length && verified.heights[pc] !== UNREACHED) {
      const number = verified.functionAt(pc), entry = sp - verified.heights[pc];
      if (entry < verified.paramSlots[number]) return false;
      const results = verified.resultSlots[number];
      if (depth === 0 || results < 0) return true;
      sp += results - verified.paramSlots[number] - verified.heights[pc];
      pc = machine.calls[--depth];
      if (pc < 1) return false;
    }
    return false;
  }

  // ── into compiled code and out of it ────────────────────────────────────────────────────────

  /** Enters the function that begins at the pc: an exit, undefined to go on, null when it cannot be entered. */
  #enter(number: number): Exit | undefined | null {
    const machine = this.#machine, { opcodes, immediates } = machine.module;
    const shape = this.#code.signatures.of(number);
    if (machine.sp < shape.paramSlots || !shape.compiled) return null;
    if (machine.signaturePending) {
      if (opcodes[machine.pc] !== Op.SignatureCheck || immediates[machine.pc] !== machine.signature) {
        return null;
      }
      machine.signaturePending = false;
    }
    if (!this.#hasRoom(number, machine.sp)) return null;
    this.#link(number);
    let enter = this.#enters.get(shape);
    if (enter === undefined) {
      const instance = new Instance(this.#code.entryOf(shape), this.#imports);
      this.#enters.set(shape, enter = instance.exports.enter as Enter);
    }
    return this.#call(enter, number + 1, number, machine.sp);
  }

  /** Goes on in the middle of a function, as `#enter`. */
  #resume(number: number, pc: number): Exit | undefined | null {
    const machine = this.#machine, { verified } = this.#program;
    if (!verified.isTarget(pc) || machine.signaturePending) return null;
    const shape = this.#code.signatures.of(number);
    const target = shape.compiled ? this.#code.resumableOf(number)?.targets.get(pc) : undefined;
    if (target === undefined) return null;
    const height = machine.sp - verified.heights[pc];
    if (height < shape.paramSlots || !this.#hasRoom(number, height)) return null;
    let resume = this.#resumes.get(number);
    if (resume === undefined) {
      const { resume: made } = this.#instantiate(this.#code.resumableOf(number)!);
      this.#resumes.set(number, resume = made as Enter);
    }
    return this.#call(resume, target, number, height);
  }

  /** Whether a frame is far enough from all limits, with what it may call without looking at them. */
  #hasRoom(number: number, height: number): boolean {
    const machine = this.#machine;
    return height + this.#code.needs.slots[number] + MARGIN_SLOTS <= machine.window &&
      machine.depth + MARGIN_DEPTH <= machine.limits.callDepth;
  }

  #call(enter: Enter, what: number, number: number, height: number): Exit | undefined {
    const machine = this.#machine, { fuel } = machine, { ticks } = this.#program;
    const { depth } = machine, shape = this.#code.signatures.of(number);
    const outerGround = this.#ground, outerBase = this.#base.value, outerHost = this.#host.value;
    const heights = HEIGHT_END - 1 - Math.min(MOST_SLOTS, machine.window - height);
    const most = active === 0 ? MOST_FRAMES : NESTED_BYTES / SMALL_FRAME | 0;
    const depths = (1 << (DEPTH_BITS - 1)) - 1 - Math.min(most, machine.limits.callDepth - depth);
    if (active > 0) this.#host.value = HOST_BYTES - NESTED_BYTES;
    this.#ground = height - heights;
    this.#base.value = this.#state.stackAt + 4 * this.#ground;
    this.#frames.length = 0;
    this.#stopped = false;
    this.#exit = undefined;
    this.#reason = Reason.Call;
    this.#capacity = machine.capacity;
    const grant = ticks ? Math.min(TICKS, machine.mostUncharged) : Math.min(fuel.slice, GRANT);
    this.#kept = ticks ? fuel.slice : fuel.slice - grant;
    active++;
    try {
      const rest = withWholeTraces(() => enter(what, (heights << DEPTH_BITS) + depths, grant));
      this.#settleFuel(rest);
      machine.sp = height - shape.paramSlots + shape.resultSlots;
      return this.#return(number);
    } catch (error) {
      if (error instanceof Exception && error.is(TAG)) return this.#unwound(depth);
      if (error instanceof RuntimeError) return this.#trapped(error, depth, height - shape.paramSlots);
      throw error;
    } finally {
      active--;
      this.#host.value = outerHost;
      this.#base.value = outerBase;
      this.#ground = outerGround;
      machine.capacity = Math.max(machine.capacity, this.#capacity);
      machine.fuel.uncharged = this.#exit === Exit.Uncharged ? machine.mostUncharged : 0;
    }
  }

  #settleFuel(rest: number): void {
    this.#machine.fuel.slice = this.#program.ticks ? this.#kept : this.#kept + rest;
  }

  /** A function that was entered from outside of compiled code returned. */
  #return(number: number): Exit | undefined {
    const machine = this.#machine, { verified } = this.#program;
    if (machine.depth > 0) {
      machine.pc = machine.calls[--machine.depth];
      return undefined;
    }
    let pc = verified.starts[number + 1] - 1;
    while (pc > 0 && (machine.module.opcodes[pc] !== Op.Return || verified.heights[pc] === UNREACHED)) pc--;
    machine.pc = pc;
    return Exit.Done;
  }

  /** All frames are in the stacks. */
  #unwound(depth: number): Exit | undefined {
    const machine = this.#machine, frames = this.#frames;
    this.#reserveCalls(depth + frames.length);
    const { calls } = machine;
    for (let k = frames.length - 1; k >= 0; k--) calls[depth++] = frames[k];
    machine.depth = depth;
    if (this.#exit !== undefined) return this.#exit;
    switch (this.#reason) {
      case Reason.Fuel:
      case Reason.Huge:
        // The end of the grant is not the end of the slice.
        return chargeFits(machine) ? undefined : Exit.Fuel;
      case Reason.Tick:
        return this.#exit = Exit.Uncharged;
      default:
        return undefined;
    }
  }

  /** The engine trapped: the frames are those of the stack trace. */
  #trapped(error: Error, depth: number, base: number): Exit {
    const machine = this.#machine, { verified } = this.#program, { opcodes, immediates } = machine.module;
    const positions = wasmFrames(error), frames = this.#located(positions);
    if (frames.length === 0) throw error;
    const { signatures } = this.#code;
    let entry = base;
    this.#reserveCalls(depth + frames.length);
    for (let k = frames.length - 1; k >= 0; k--) {
      const { number, pc } = frames[k];
      entry += signatures.of(number).paramSlots;
      if (k === 0) break;
      machine.calls[depth++] = pc;
      const indirect = opcodes[pc - 1] === Op.TableGet && opcodes[pc - 2] === Op.CallIndirect;
      const call = indirect ? pc - 2 : pc - 1;
      const callee = indirect
        ? signatures.ofSignature(immediates[call])!
        : signatures.of(verified.functionAt(immediates[call]));
      entry += verified.heights[call] - (indirect ? 1 : 0) - callee.paramSlots;
    }
    const { pc } = frames[0], op = opcodes[pc];
    machine.depth = depth;
    machine.pc = pc;
    machine.sp = entry + verified.heights[pc];
    this.#settleFuel(this.#fuels.get(idOf(positions[0].script))!.value);
    // Every frame has reserved what it uses.
    machine.capacity = Math.max(machine.capacity, machine.sp);
    if (op === Op.Unreachable || op === Op.Trap) return run(machine, pc, 1);
    machine.trap = trapOf(op, error.message);
    machine.operandsKnown = false;
    return Exit.Trap;
  }

  /** Makes room for return addresses, of which there are no more than may be. */
  #reserveCalls(depth: number): void {
    while (this.#machine.calls.length < depth && this.#machine.growCalls());
  }

  #located(positions: readonly Position[]): { readonly number: number; readonly pc: number }[] {
    const frames: { number: number; pc: number }[] = [];
    for (const { script, byte } of positions) {
      const found = this.#code.locate(script, byte);
      if (found === undefined) break;
      const { number, pc, outer } = found;
      if (outer !== 0) {
        frames.push({ number: this.#program.verified.functionAt(pc), pc }, { number, pc: outer });
      } else frames.push(found);
    }
    return frames;
  }

  // ── what compiled code calls ────────────────────────────────────────────────────────────────

  /** A frame is about to write its slots: notes where it stands; which of its heights that is. */
  #unwind(number: number, site: number, place: number, fuel: number): number {
    const code = number < 0 ? this.#code.resumed.get(-1 - number)! : this.#code.functions[number]!;
    const { verified } = this.#program, { needs } = this.#code;
    const what = code.sites[3 * site], reason = what & ((1 << REASON_BITS) - 1), pc = what >>> REASON_BITS;
    const outer = code.sites[3 * site + 2];
    let entry = (place >>> DEPTH_BITS) + this.#ground;
    this.#capacity = Math.max(this.#capacity, entry + needs.slots[code.number]);
    if (reason === Reason.Call) this.#frames.push(pc);
    else {
      if (outer !== 0) {
        // A function in the place of its call: its frame is on top of the one that is written with it.
        this.#frames.push(outer);
        entry += verified.heights[outer - 1];
        this.#capacity = Math.max(this.#capacity, entry + needs.slots[verified.functionAt(pc)]);
      }
      if (!this.#stopped) {
        this.#stopped = true;
        this.#reason = reason;
        this.#machine.pc = pc;
        this.#machine.sp = entry + verified.heights[pc];
        const back = reason === Reason.Fuel ? this.#machine.module.immediates[pc] : 0;
        this.#settleFuel(fuel + back);
      }
    }
    return code.sites[3 * site + 1];
  }

  /** Performs one instruction for compiled code; the fuel it has from then on. */
  #perform(pc: number, place: number, rest: number): number {
    const machine = this.#machine, { ticks, verified } = this.#program;
    machine.pc = pc;
    machine.sp = (place >>> DEPTH_BITS) + this.#ground + verified.heights[pc];
    this.#settleFuel(rest);
    machine.capacity = Math.max(machine.capacity, machine.sp + 4);
    const op = machine.module.opcodes[pc];
    if (op === Op.Call || op === Op.ReturnCall) this.#callHost();
    else {
      const exit = run(machine, pc, 1);
      if (exit !== Exit.Left) this.#stop(exit);
    }
    if ((machine.memory.host ?? noMemory) !== this.#guest) this.#stop(undefined);
    this.#state.refresh();
    const { slice } = machine.fuel, grant = Math.min(slice, GRANT);
    this.#kept = ticks ? slice : slice - grant;
    return ticks ? rest : grant;
  }

  /** A call of a host function: by whoever drives the machine, from here when that is wanted. */
  #callHost(): void {
    const going = this.#onSyscall?.();
    // What the host has run meanwhile, also on this machine, has ended.
    this.#stopped = false;
    this.#exit = undefined;
    if (going !== true) this.#stop(Exit.Syscall);
  }

  /** Leaves compiled code; the machine stands where it is. */
  #stop(exit: Exit | undefined): never {
    this.#stopped = true;
    this.#exit = exit;
    this.#reason = Reason.Call;
    throw new Exception(TAG, []);
  }

  // ── linking ─────────────────────────────────────────────────────────────────────────────────

  #link(number: number): void {
    const batch = this.#code.batchOf(number);
    if (this.#linked.has(batch)) return;
    this.#linked.add(batch);
    this.#instantiate(batch);
    const { verified: { starts, module: { opcodes, immediates } } } = this.#program, { words } = this.#state;
    for (const number of batch.numbers) {
      const start = starts[number];
      if (opcodes[start] !== Op.SignatureCheck) continue;
      const at = (targetsAt(this.#program) >> 2) + 2 * start;
      words[at] = number + 1;
      words[at + 1] = ~immediates[start];
    }
  }

  #instantiate({ module, id }: Emitted): WebAssembly.Exports {
    const { exports } = new Instance(module, this.#imports);
    this.#fuels.set(id, exports.fuel as WebAssembly.Global);
    return exports;
  }

  /** Links what an indirect call goes to, if that is a function. */
  #find(pc: number): void {
    const { verified } = this.#program;
    if (!verified.isCallable(pc)) return;
    const number = verified.functionAt(pc);
    if (this.#code.signatures.of(number).compiled) this.#link(number);
  }

  /** Notices what changed outside of compiled code: memory, tables, globals. */
  #refresh(): void {
    const guest = this.#machine.memory.host ?? (noMemory ??= new Memory({ initial: 0 }));
    if (guest !== this.#guest) this.#relink(guest);
    this.#state.refresh();
  }

  /** Links everything anew to another guest memory. */
  #relink(guest: WebAssembly.Memory): void {
    const { functionCount } = this.#program.verified;
    this.#guest = guest;
    this.#linked.clear();
    this.#enters.clear();
    this.#resumes.clear();
    const targets = targetsAt(this.#program) >> 2;
    this.#state.words.fill(0, targets, targets + 2 * this.#program.verified.module.length);
    this.#functions = new Table({ initial: functionCount + 1, element: "anyfunc" });
    this.#imports = {
      [IMPORT_MODULE]: {
        guest,
        state: this.#state.memory,
        functions: this.#functions,
        tag: TAG as unknown as WebAssembly.Global,
        host: this.#host,
        base: this.#base,
        unwind: (number: number, site: number, place: number, fuel: number) =>
          this.#unwind(number, site, place, fuel),
        step: (pc: number, place: number, fuel: number) => this.#perform(pc, place, fuel),
        link: (number: number) => this.#link(number),
        find: (pc: number) => this.#find(pc),
      },
    };
  }
}

/** Whether the slice holds the charge at `machine.pc`. */
function chargeFits({ module, pc, stack, sp, fuel }: Machine): boolean {
  const amount = module.opcodes[pc] === Op.ConsumeFuelStack ? stack[sp - 1] : module.immediates[pc];
  return amount >= 0 && amount <= fuel.slice;
}

function isIndirect(op: number): boolean {
  return op === Op.CallIndirect || op === Op.ReturnCallIndirect;
}

/** The trap that an instruction makes when the engine says what went wrong. */
function trapOf(op: number, message: string): number {
  if (op < Op.I32DivS || op > Op.I32RemU) return TrapCode.MemoryOutOfBounds;
  return /unrepresentable/.test(message) ? TrapCode.IntegerOverflow : TrapCode.IntegerDivisionByZero;
}
