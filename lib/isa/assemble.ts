/**
 * Reads the text form of a module: what `disassemble` writes, and what people type. One statement
 * per line; `;` starts a comment.
 *
 * ```
 * start:                     a label: the next instruction
 *   I32Const 7               an instruction; I32Const(7) is the same
 *   BrIfNez done             a branch to a label, or by an offset: BrIfNez 2
 *   CallInternal start       a code index by label, or a number
 *   TableCopy 0 1            destination, source
 *   Trap IntegerOverflow     a trap by name, or its number
 * done: Return <- SOURCE     where execute() starts; or .source_pc done
 * .ro_data 61 62             bytes of the data section; lines add up
 * .ro_elem 0 start           entries of the element section, numbers or labels
 * .hint 00 61 73 6d          bytes of the hint section
 * ```
 *
 * `RwasmModule {`, `}`, `.function_begin…`, `.function_end` and the numbers in front of instructions
 * are there for readers and have no effect. Whether the code makes sense is not checked here.
 *
 * @module
 */

import { Writer } from "../bytes/writer.ts";
import { DecodeError, TRAP_NAMES, UsageError } from "../error.ts";
import { RwasmModule } from "./module.ts";
import { nearest, quoteName } from "./nearest.ts";
import { immediateOf, immediateRange, Op, OP_NAMES } from "./opcode.ts";

const U32_MAX = 0xffff_ffff;

const DIRECTIVES = [".ro_data", ".ro_elem", ".hint", ".source_pc", ".function_begin", ".function_end"];

/** Opcodes whose immediate may be a label: the distance to it, or its code index. */
const RELATIVE_OPS: readonly number[] = [Op.Br, Op.BrIfEqz, Op.BrIfNez];
const ABSOLUTE_OPS: readonly number[] = [Op.CallInternal, Op.ReturnCallInternal, Op.RefFunc];

/** A place that waits for a label. */
interface Fixup {
  readonly label: string;
  readonly line: number;
  readonly column: number;
  /** Puts the code index of the label where it belongs. */
  readonly set: (target: number) => void;
}

/**
 * Assembles the text form of a module.
 *
 * @throws {DecodeError} with line and column: `UnknownOpcode`, `UnknownDirective`, `UnknownLabel`,
 * `UnknownTrap`, `DuplicateLabel`, `DuplicateSourcePc`, `ImmediateOutOfRange`, or `InvalidSyntax`.
 * @throws {UsageError} `InvalidArgument` when `text` is not a string.
 *
 * @example
 * ```ts
 * import { assemble } from "./mod.ts";
 * const module = assemble(`
 *   I32Const 10
 * again:
 *   I32Const 1
 *   I32Sub
 *   LocalGet 1
 *   BrIfNez again
 *   Return
 * `);
 * console.log(module.length); // 6
 * ```
 */
export function assemble(text: string): RwasmModule {
  if (typeof text !== "string") {
    throw new UsageError("InvalidArgument", "Cannot assemble rWasm module: the input is not a string");
  }
  return new Assembler(text).module();
}

const isSpace = (unit: number): boolean => unit === 0x20 || unit === 0x09 || unit === 0x0d || unit === 0x2c;

/** Letters, digits, and what numbers, names and directives may hold besides: $ + - . _ */
const isWord = (unit: number): boolean =>
  (unit >= 0x61 && unit <= 0x7a) || (unit >= 0x41 && unit <= 0x5a) || (unit >= 0x30 && unit <= 0x39) ||
  unit === 0x24 || unit === 0x2b || unit === 0x2d || unit === 0x2e || unit === 0x5f;

// Lengths are bounded first: a pattern that meets megabytes can exhaust the engine's own stack.
const isLabel = (word: string): boolean => word.length <= 1000 && /^[A-Za-z_$][\w$.]*$/.test(word);
const isNumber = (word: string): boolean =>
  word.length <= 100 && /^[+-]?(?:0x[\da-f]+(?:_[\da-f]+)*|\d+(?:_\d+)*)$/i.test(word);

class Assembler {
  readonly #text: string;
  #line = 0;
  #lineStart = 0;
  /** End of the statement: the end of the line or its comment. */
  #end = 0;
  #position = 0;
  /** Where the word read last starts. */
  #wordStart = 0;

  readonly #opcodes = new Writer();
  readonly #immediates = new Writer();
  readonly #elements = new Writer();
  readonly #data = new Writer();
  readonly #hint = new Writer();
  readonly #labels = new Map<string, number>();
  readonly #fixups: Fixup[] = [];
  #sourcePc: number | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  module(): RwasmModule {
    const text = this.#text;
    for (let start = 0; start <= text.length;) {
      let end = text.indexOf("\n", start);
      if (end < 0) end = text.length;
      this.#line++;
      this.#lineStart = this.#position = start;
      this.#end = end;
      this.#statement();
      start = end + 1;
    }
    for (const fixup of this.#fixups) this.#resolve(fixup);
    return new RwasmModule({
      opcodes: this.#opcodes.finish(),
      immediates: toCells(this.#immediates, Int32Array),
      data: this.#data.finish(),
      elements: toCells(this.#elements, Uint32Array),
      hint: this.#hint.finish(),
      sourcePc: this.#sourcePc ?? 0,
    });
  }

  #resolve({ label, line, column, set }: Fixup): void {
    const target = this.#labels.get(label);
    if (target === undefined) {
      const meant = nearest(label, this.#labels.keys());
      this.#failAt(line, column, "UnknownLabel", `label ${quoteName(label)} is not defined`, meant);
    }
    set(target);
  }

  #statement(): void {
    for (;;) {
      const word = this.#word();
      if (word === "") break;
      if (this.#accept(":")) {
        this.#label(word);
        continue;
      }
      if (word === "RwasmModule" && this.#accept("{")) break;
      if (word.startsWith(".")) this.#directive(word);
      else this.#instruction(word);
      break;
    }
    this.#accept("}");
    this.#endOfStatement();
  }

  #label(word: string): void {
    if (isNumber(word)) return; // the running number of a disassembly
    if (!isLabel(word)) this.#fail("InvalidSyntax", `${quoteName(word)} is not a label`);
    if (this.#labels.has(word)) this.#fail("DuplicateLabel", `label ${quoteName(word)} is defined twice`);
    this.#labels.set(word, this.#opcodes.length);
  }

  #instruction(name: string): void {
    if (!Object.hasOwn(Op, name)) {
      this.#fail("UnknownOpcode", `there is no opcode ${quoteName(name)}`, nearest(name, OP_NAMES));
    }
    const op = Op[name as keyof typeof Op];
    const pc = this.#opcodes.length;
    this.#opcodes.u8(op);
    const inParentheses = this.#accept("(");
    this.#immediates.u32(this.#immediate(op, pc));
    if (inParentheses && !this.#accept(")")) {
      this.#fail("InvalidSyntax", `")" is missing`, undefined, this.#position);
    }
    if (this.#accept("<")) {
      if (this.#word() !== "-" || this.#word() !== "SOURCE") {
        this.#fail("InvalidSyntax", `"<- SOURCE" is the only mark an instruction can have`);
      }
      this.#setSourcePc(pc, this.#line, this.#wordStart - this.#lineStart + 1);
    }
  }

  #immediate(op: number, pc: number): number {
    const range = immediateRange(op);
    if (range === undefined) return 0;
    const kind = immediateOf(op);
    if (kind === "U16x2") {
      const destination = this.#number([0, 0xffff]);
      return destination << 16 | this.#number([0, 0xffff]);
    }
    const word = this.#word();
    if (isLabel(word)) {
      if (kind === "Trap") return this.#trap(word);
      if (RELATIVE_OPS.includes(op)) {
        this.#fixup(word, (target) => this.#immediates.view.setInt32(4 * pc, target - pc, true));
        return 0;
      }
      if (ABSOLUTE_OPS.includes(op)) {
        this.#fixup(word, (target) => this.#immediates.view.setInt32(4 * pc, target, true));
        return 0;
      }
    }
    return this.#numberOf(word, range) | 0;
  }

  #trap(name: string): number {
    const code = (TRAP_NAMES as readonly string[]).indexOf(name);
    if (code < 0) {
      this.#fail("UnknownTrap", `there is no trap ${quoteName(name)}`, nearest(name, TRAP_NAMES));
    }
    return code;
  }

  #directive(name: string): void {
    if (name === ".ro_data") return this.#bytes(this.#data);
    if (name === ".hint") return this.#bytes(this.#hint);
    if (name === ".ro_elem") return this.#elementList();
    if (name === ".source_pc") {
      const word = this.#word();
      const line = this.#line, column = this.#wordStart - this.#lineStart + 1;
      if (!isLabel(word)) return this.#setSourcePc(this.#numberOf(word, [0, U32_MAX]), line, column);
      return this.#fixup(word, (target) => this.#setSourcePc(target, line, column));
    }
    if (name === ".function_end" || name.startsWith(".function_begin")) {
      this.#position = this.#end;
      return;
    }
    this.#fail("UnknownDirective", `there is no directive ${quoteName(name)}`, nearest(name, DIRECTIVES));
  }

  #elementList(): void {
    for (let word = this.#word(); word !== ""; word = this.#word()) {
      if (isLabel(word)) {
        const at = this.#elements.skip(4);
        this.#fixup(word, (target) => this.#elements.view.setUint32(at, target, true));
      } else {
        this.#elements.u32(this.#numberOf(word, [0, U32_MAX]));
      }
    }
  }

  #bytes(to: Writer): void {
    for (let word = this.#word(); word !== ""; word = this.#word()) {
      for (let index = 0; index < word.length; index += 2) {
        const high = hexDigit(word.charCodeAt(index)), low = hexDigit(word.charCodeAt(index + 1));
        if (high < 0 || low < 0) {
          this.#fail(
            "InvalidSyntax",
            "bytes are pairs of hexadecimal digits",
            undefined,
            this.#wordStart + index,
          );
        }
        to.u8(high << 4 | low);
      }
    }
  }

  #setSourcePc(pc: number, line: number, column: number): void {
    if (this.#sourcePc !== undefined && this.#sourcePc !== pc) {
      this.#failAt(
        line,
        column,
        "DuplicateSourcePc",
        `the source pc is ${pc} here, but ${this.#sourcePc} before`,
      );
    }
    this.#sourcePc = pc;
  }

  #fixup(label: string, set: (target: number) => void): void {
    this.#fixups.push({ label, line: this.#line, column: this.#wordStart - this.#lineStart + 1, set });
  }

  #number(range: readonly [low: number, high: number]): number {
    return this.#numberOf(this.#word(), range);
  }

  #numberOf(word: string, [low, high]: readonly [low: number, high: number]): number {
    if (word === "") this.#fail("InvalidSyntax", "a number is missing", undefined, this.#position);
    if (!isNumber(word)) this.#fail("InvalidSyntax", `${quoteName(word)} is not a number`);
    const digits = word.replaceAll("_", "");
    // Number() reads no sign in front of 0x.
    const signed = digits[0] === "-" || digits[0] === "+";
    const magnitude = Number(signed ? digits.slice(1) : digits);
    const value = digits[0] === "-" ? -magnitude : magnitude;
    if (!(value >= low && value <= high)) {
      this.#fail("ImmediateOutOfRange", `${quoteName(word)} is not in ${low} to ${high}`);
    }
    return value;
  }

  /** The next word of the statement, or "" at its end or before punctuation. */
  #word(): string {
    this.#skipSpace();
    const start = this.#wordStart = this.#position;
    let position = start;
    while (position < this.#end && isWord(this.#text.charCodeAt(position))) position++;
    this.#position = position;
    return this.#text.slice(start, position);
  }

  /** Moves over one punctuation character if it comes next. */
  #accept(character: string): boolean {
    this.#skipSpace();
    if (this.#position >= this.#end || this.#text[this.#position] !== character) return false;
    this.#position++;
    return true;
  }

  #skipSpace(): void {
    while (this.#position < this.#end && isSpace(this.#text.charCodeAt(this.#position))) this.#position++;
  }

  #endOfStatement(): void {
    this.#skipSpace();
    if (this.#position >= this.#end || this.#text[this.#position] === ";") return;
    this.#wordStart = this.#position;
    const rest = this.#word();
    const shown = rest === "" ? String.fromCodePoint(this.#text.codePointAt(this.#position)!) : rest;
    this.#fail("InvalidSyntax", `${quoteName(shown)} is not expected here`, undefined, this.#wordStart);
  }

  #fail(code: string, why: string, meant?: string, position = this.#wordStart): never {
    return this.#failAt(this.#line, position - this.#lineStart + 1, code, why, meant);
  }

  #failAt(line: number, column: number, code: string, why: string, meant?: string): never {
    throw new DecodeError(code, `Cannot assemble rWasm module: ${why}`, {
      where: `line ${line}, column ${column}`,
      hint: meant === undefined ? undefined : `did you mean "${meant}"?`,
    });
  }
}

/** The 32-bit cells that were written. */
function toCells<Cells>(
  writer: Writer,
  of: new (length: number) => Cells & { [index: number]: number },
): Cells {
  const bytes = writer.finish();
  const view = new DataView(bytes.buffer);
  const cells = new of(bytes.length / 4);
  for (let index = 0; 4 * index < bytes.length; index++) cells[index] = view.getInt32(4 * index, true);
  return cells;
}

/** Value of a hexadecimal digit, or -1. */
function hexDigit(unit: number): number {
  if (unit >= 0x30 && unit <= 0x39) return unit - 0x30;
  const lower = unit | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
