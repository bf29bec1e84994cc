/**
 * Source lines from DWARF: the sections `.debug_line` and the strings it refers to in, a table from
 * Wasm offsets to file and line out. Versions 2 to 5 are read. Debugging information is written by
 * many tools and comes with modules that nobody trusts, so nothing in it is an error: what cannot be
 * read is as if it were not there, and the work is linear in the bytes.
 *
 * @module
 */

import { type Fail, Reader } from "../bytes/reader.ts";
import { ValidationError } from "../error.ts";
import type { RwasmModule } from "../isa/module.ts";
import { LineProgram, type Strings } from "./dwarf_line.ts";

/** A place in the source of a program. */
export interface SourceLine {
  /** Path of the file as the compiler wrote it, with its directory when that is known. */
  readonly file: string;
  /** Line, from 1. */
  readonly line: number;
}

const fail: Fail = (code, reason, offset) => {
  throw new ValidationError(code, `Cannot read DWARF: ${reason}`, { offset });
};

/** Runs a reader of untrusted bytes; undefined when they end too early or make no sense. */
function lenient<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof ValidationError) return undefined;
    throw error;
  }
}

/** The lines of a module, by Wasm offset. */
export class LineTable {
  /** Code offsets, ascending. A row with line 0 says that nothing is known from there on. */
  readonly #addresses: Uint32Array;
  readonly #lines: Uint32Array;
  /** Program and file of each row. */
  readonly #programs: Uint32Array;
  readonly #files: Uint32Array;
  readonly #sources: readonly LineProgram[];
  /** Where the payload of the code section begins: DWARF counts from there. */
  readonly #codeStart: number;

  /** Puts the sequences of all programs in the order of the code; of those that overlap the first one stays. */
  constructor(programs: readonly LineProgram[], codeStart: number, codeBytes: number) {
    const sequences = programs.flatMap((program, number) =>
      program.sequences.map(({ from, to, start, end }) => ({ program, number, from, to, start, end }))
    );
    // Linkers give what they removed an address of 0 or one outside of the code.
    const usable = sequences.filter(({ start, end }) => start > 0 && start < end && end <= codeBytes);
    usable.sort((a, b) => a.start - b.start || a.number - b.number || a.from - b.from);
    const rows = usable.reduce((sum, { from, to }) => sum + to - from + 1, 0);
    this.#addresses = new Uint32Array(rows);
    this.#lines = new Uint32Array(rows);
    this.#programs = new Uint32Array(rows);
    this.#files = new Uint32Array(rows);
    let row = 0, covered = 0;
    for (const { program, number, from, to, start, end } of usable) {
      if (start < covered) continue;
      covered = end;
      for (let at = from; at < to; at++) {
        this.#addresses[row] = program.addresses[at]!;
        this.#lines[row] = program.lines[at]!;
        this.#programs[row] = number;
        this.#files[row++] = program.rowFiles[at]!;
      }
      this.#addresses[row++] = end;
    }
    this.#addresses = this.#addresses.subarray(0, row);
    this.#sources = programs;
    this.#codeStart = codeStart;
  }

  /** How many rows there are. */
  get length(): number {
    return this.#addresses.length;
  }

  /** File and line of the operator at a byte offset of the module; undefined when nothing is known. */
  lineAt(offset: number): SourceLine | undefined {
    const address = offset - this.#codeStart, addresses = this.#addresses;
    let low = 0, high = addresses.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (addresses[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    const row = low - 1;
    if (row < 0 || this.#lines[row] === 0) return undefined;
    const file = this.#sources[this.#programs[row]!]!.fileName(this.#files[row]!);
    return file === undefined ? undefined : { file, line: this.#lines[row]! };
  }
}

/** The sections of a module that matter here. */
interface Sections extends Strings {
  readonly code: Uint8Array | undefined;
  readonly codeStart: number;
  readonly line: Uint8Array | undefined;
}

function sectionsOf(bytes: Uint8Array): Sections {
  const customs = new Map<string, Uint8Array>();
  let code: Uint8Array | undefined, codeStart = 0;
  const reader = new Reader(bytes, fail, 8);
  lenient(() => {
    while (!reader.atEnd) {
      const id = reader.u8(), size = reader.varU32(), start = reader.skip(size);
      if (id === 10 && code === undefined) {
        codeStart = start;
        code = bytes.subarray(start, start + size);
      } else if (id === 0) {
        const section = new Reader(bytes, fail, start, start + size);
        const name = lenient(() => section.name());
        if (name !== undefined && !customs.has(name)) customs.set(name, section.take(section.remaining));
      }
    }
  });
  return {
    code,
    codeStart,
    line: customs.get(".debug_line"),
    debugStr: customs.get(".debug_str"),
    debugLineStr: customs.get(".debug_line_str"),
  };
}

/** Reads the lines of a Wasm module; undefined when it has none. */
export function readLines(bytes: Uint8Array): LineTable | undefined {
  if (bytes.length < 8 || bytes[0] !== 0 || bytes[1] !== 0x61) return undefined;
  const sections = sectionsOf(bytes), { line, code, codeStart } = sections;
  if (line === undefined || code === undefined) return undefined;
  const programs: LineProgram[] = [];
  const reader = new Reader(line, fail);
  lenient(() => {
    while (!reader.atEnd) {
      let length = reader.u32(), wide = false;
      if (length === 0xffff_ffff) {
        length = reader.u64Length();
        wide = true;
      }
      const start = reader.skip(length);
      const program = lenient(() => {
        return new LineProgram(new Reader(line, fail, start, start + length), wide, sections);
      });
      if (program === undefined) continue;
      programs.push(program);
      lenient(() => program.run());
    }
  });
  const table = new LineTable(programs, codeStart, code.length);
  return table.length === 0 ? undefined : table;
}

const known = new WeakMap<RwasmModule, LineTable | undefined>();

/** The lines of a compiled module, read when they are first asked for; undefined when it has none. */
export function linesOf(module: RwasmModule): LineTable | undefined {
  if (known.has(module)) return known.get(module);
  const table = module.info === undefined ? undefined : readLines(module.hint);
  known.set(module, table);
  return table;
}
