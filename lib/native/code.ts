/**
 * The compiled code of one module, shared by all machines that run it: functions are translated in
 * batches, a function that is needed together with what it calls, and each batch is one WebAssembly
 * module. What a stack trace says is looked up here. It holds no state of a run.
 *
 * @module
 */

import { Op } from "../isa/opcode.ts";
import { UNREACHED } from "../isa/heights.ts";
import type { Program } from "../interpreter/program.ts";
import { Assembly, type Placed } from "./assemble.ts";
import { IMPORTS } from "./layout.ts";
import { Mode, type Translated, Translator } from "./function.ts";
import { type Shape, Signatures } from "./signatures.ts";
import { targetsAt } from "./state.ts";
import { findNeeds, type Needs } from "./limits.ts";
import type { Surroundings } from "./calls.ts";

/** Taken now: a program may put something else into the place of the globals later. */
const { Module: HostModule, CompileError } = WebAssembly;

/** Instructions after which a batch takes no further functions. */
const BATCH_INSTRUCTIONS = 300_000;

/** Functions that an indirect call may go to above which they are not compiled with it. */
const MOST_INDIRECT = 64;

/** What begins the names of emitted modules; a number follows. */
const NAME = "rwasm-native-";

/** Emitted modules of this process so far: their names are not used again. */
let named = 0;

/** An emitted module. */
export interface Emitted {
  /** The module. */
  readonly module: WebAssembly.Module;
  /** Its number among all of this process. */
  readonly id: number;
}

/** Functions in one WebAssembly module. */
export interface Batch extends Emitted {
  /** Numbers of its functions. */
  readonly numbers: readonly number[];
}

/** A function that is resumed, in a module with the export "resume". */
export interface Resumable extends Emitted {
  /** By pc: the target, for places where a frame can go on. */
  readonly targets: ReadonlyMap<number, number>;
}

/** What a position in an emitted module means. */
export interface Location {
  /** The function that was compiled. */
  readonly number: number;
  /** The instruction; of calls that behind. */
  readonly pc: number;
  /** Where the instruction's function would have returned to in that one, when it is another; else 0. */
  readonly outer: number;
}

/** Where an emitted module has its functions. */
interface Located {
  /** The functions in the order of the bytes. */
  readonly functions: readonly Placed[];
}

/** The compiled code of a module. */
export class NativeCode {
  /** The lowered module it belongs to, with what verification knows. */
  readonly program: Program;
  /** Types of the functions. */
  readonly signatures: Signatures;
  /** By function: what was translated of it. */
  readonly functions: (Translated | undefined)[];
  /** By function: the same for resuming it. */
  readonly resumed = new Map<number, Translated>();
  /** What the functions need. */
  readonly needs: Needs;
  /** Bytes of WebAssembly emitted so far. */
  emittedBytes = 0;
  /** Instructions translated so far. */
  translatedInstructions = 0;

  readonly #translator: Translator;
  readonly #batches: (Batch | undefined)[];
  readonly #entries = new Map<Shape, WebAssembly.Module>();
  readonly #resumables = new Map<number, Resumable | undefined>();
  #bySignature: Map<number, number[]> | undefined;
  readonly #located = new Map<number, Located>();

  /** Nothing is compiled yet. */
  private constructor(program: Program) {
    const { verified } = program, { functionCount } = verified;
    this.program = program;
    this.signatures = new Signatures(verified);
    this.functions = new Array(functionCount).fill(undefined);
    this.#batches = new Array(functionCount).fill(undefined);
    this.needs = findNeeds(verified, program.hidden);
    this.#translator = new Translator({
      verified,
      signatures: this.signatures,
      hidden: program.hidden,
      needs: this.needs,
      globalWords: program.globalWords,
      targets: targetsAt(program),
      metered: !program.ticks,
    });
  }

  /** The compiled code of a lowered module, the same for all machines that run it. */
  static of(program: Program): NativeCode {
    let code = codes.get(program);
    if (code === undefined) codes.set(program, code = new NativeCode(program));
    return code;
  }

  /** Whether a module can be compiled: every push is reserved, and its loops can be stopped. */
  static suits(program: Program): boolean {
    const { verified, ticks } = program;
    if (!program.fits || verified.module.length > MOST_INSTRUCTIONS) return false;
    for (const excess of verified.excessSlots) if (excess !== 0) return false;
    return ticks || program.metered;
  }

  /** The batch with a function. */
  batchOf(number: number): Batch {
    return this.#batches[number] ?? this.#compile(number);
  }

  /** A module with the export "enter" for functions of a shape. */
  entryOf(shape: Shape): WebAssembly.Module {
    let module = this.#entries.get(shape);
    if (module === undefined) {
      const assembly = new Assembly();
      assembly.addEntry(shape);
      this.#entries.set(shape, module = new HostModule(assembly.finish(`${NAME}entry`).bytes));
    }
    return module;
  }

  /** A function as one that goes on in the middle; undefined when it has no place for that. */
  resumableOf(number: number): Resumable | undefined {
    if (this.#resumables.has(number)) return this.#resumables.get(number);
    const resumable = this.#compileResumable(number);
    this.#resumables.set(number, resumable);
    return resumable;
  }

  /** What a position in a script of a stack trace means, when the script is one of these modules. */
  locate(script: string, position: number): Location | undefined {
    const located = this.#located.get(idOf(script));
    if (located === undefined) return undefined;
    const { functions } = located;
    let low = 0, high = functions.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (functions[middle].position <= position) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return undefined;
    const { number, marks, position: start } = functions[low - 1], offset = position - start;
    low = 0;
    high = marks.length / 3;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (marks[3 * middle] < offset) low = middle + 1;
      else high = middle;
    }
    return marks[3 * low] === offset
      ? { number, pc: marks[3 * low + 1], outer: marks[3 * low + 2] }
      : undefined;
  }

  #finish(assembly: Assembly, translated: readonly Translated[]): Emitted {
    const id = ++named, { bytes, positions } = assembly.finish(`${NAME}${id}`);
    this.emittedBytes += bytes.length;
    this.#located.set(id, { functions: translated.map((one, k) => ({ ...one, position: positions[k] })) });
    return { module: new HostModule(bytes), id };
  }

  #compile(root: number): Batch {
    try {
      return this.#compileAll(this.#gather(root), Mode.Call);
    } catch (error) {
      // The engine has limits of its own. What it refuses stays in the interpreter.
      if (!isRefusal(error)) throw error;
      return this.#compileAll([root], Mode.Leave);
    }
  }

  #compileAll(numbers: readonly number[], mode: number): Batch {
    const assembly = new Assembly(), { signatures } = this, places = new Places(assembly, numbers);
    const translated = numbers.map((number) =>
      this.functions[number] = this.#translator.translate(number, mode, places)!
    );
    for (const { number, locals, body } of translated) {
      assembly.place(number + 1, assembly.add(assembly.typeOf(signatures.of(number)), locals, body));
    }
    this.#addOthers(assembly, places, this.functions);
    const batch = { ...this.#finish(assembly, translated), numbers };
    for (const number of numbers) this.#batches[number] = batch;
    return batch;
  }

  #addOthers(
    assembly: Assembly,
    { others }: Places,
    translated: { [number: number]: Translated | undefined },
  ): void {
    for (const other of others) {
      if (other < 0) assembly.addSaver(translated[-1 - other]!.saver!);
      else assembly.addTrampoline(other, this.signatures.of(other));
    }
  }

  /** A function and what it calls directly or not, nearest first, up to the size of a batch. */
  #gather(root: number): number[] {
    const { verified, hidden } = this.program,
      { starts, heights, module: { opcodes, immediates } } = verified;
    const numbers = [root], known = new Set(numbers);
    let instructions = 0;
    for (let k = 0; k < numbers.length; k++) {
      const number = numbers[k];
      instructions += starts[number + 1] - starts[number];
      this.translatedInstructions += starts[number + 1] - starts[number];
      if (instructions > BATCH_INSTRUCTIONS) {
        // What waits is compiled when it is called.
        for (const left of numbers.splice(k + 1)) known.delete(left);
        break;
      }
      const add = (callee: number) => {
        if (known.has(callee) || this.#batches[callee] !== undefined || hidden[callee] >= 0) return;
        if (!this.signatures.of(callee).compiled) return;
        known.add(callee);
        numbers.push(callee);
      };
      for (let pc = starts[number]; pc < starts[number + 1]; pc++) {
        const op = opcodes[pc];
        if (heights[pc] === UNREACHED) continue;
        if (op === Op.CallInternal || op === Op.ReturnCallInternal) add(verified.functionAt(immediates[pc]));
        else if (op === Op.CallIndirect || op === Op.ReturnCallIndirect) {
          // The engine makes a call through a table direct only within one module.
          const others = this.#reachable(immediates[pc]);
          if (others.length <= MOST_INDIRECT) others.forEach(add);
        }
      }
    }
    return numbers;
  }

  /** Functions with a signature that can get into a table. */
  #reachable(signature: number): readonly number[] {
    if (this.#bySignature === undefined) {
      const { verified } = this.program, { elements, opcodes, immediates } = verified.module;
      const starts = new Set(elements);
      for (let pc = 0; pc < opcodes.length; pc++) if (opcodes[pc] === Op.RefFunc) starts.add(immediates[pc]);
      this.#bySignature = new Map();
      for (const start of starts) {
        if (start === 0 || !verified.isCallable(start)) continue;
        const list = this.#bySignature.get(immediates[start]) ?? [];
        list.push(verified.functionAt(start));
        this.#bySignature.set(immediates[start], list);
      }
    }
    return this.#bySignature.get(signature) ?? [];
  }

  #compileResumable(number: number): Resumable | undefined {
    const assembly = new Assembly(), places = new Places(assembly, [-1]), shape = this.signatures.of(number);
    const one = this.#translator.translate(number, Mode.Resume, places);
    const targets = one === undefined ? undefined : this.#translator.targets();
    if (one === undefined || targets === undefined || targets.size === 0) return undefined;
    const index = assembly.add(assembly.resumeTypeOf(shape), one.locals, one.body);
    this.#addOthers(assembly, places, { [number]: one });
    assembly.addResume(index, shape);
    this.resumed.set(number, one);
    try {
      return { ...this.#finish(assembly, [one]), targets };
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return undefined;
    }
  }
}

/** The number of the module that is a script of a stack trace, NaN when it is none of these. */
export function idOf(script: string): number {
  const at = script.indexOf(NAME);
  return at < 0 ? NaN : parseInt(script.slice(at + NAME.length), 10);
}

/** Whether an error says that the engine does not compile a module, or has no memory left for it. */
function isRefusal(error: unknown): boolean {
  return error instanceof CompileError || error instanceof RangeError;
}

/** Where the functions of a module that is being put together come to be: first those it is for, then others. */
class Places implements Surroundings {
  /** Functions of other modules that are called, and what saves those of this one as negative numbers. */
  readonly others: number[] = [];
  readonly #assembly: Assembly;
  readonly #own: number;
  readonly #indices: Map<number, number>;

  constructor(assembly: Assembly, numbers: readonly number[]) {
    this.#assembly = assembly;
    this.#own = numbers.length;
    this.#indices = new Map(numbers.map((number, k) => [number, IMPORTS + k]));
    // What is resumed is no function that can be called.
    this.#indices.delete(-1);
  }

  indexOf(number: number): number {
    let index = this.#indices.get(number);
    if (index === undefined) {
      this.#indices.set(number, index = IMPORTS + this.#own + this.others.length);
      this.others.push(number);
    }
    return index;
  }

  saverOf(number: number): number {
    return this.indexOf(-1 - number);
  }

  typeOf(shape: Shape): number {
    return this.#assembly.typeOf(shape);
  }
}

/** Instructions above which a module stays in the interpreter. */
const MOST_INSTRUCTIONS = 2 ** 26;

const codes = new WeakMap<Program, NativeCode>();
