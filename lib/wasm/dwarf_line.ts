/**
 * One line program of DWARF: the header with its directories and files, and the state machine that
 * makes rows of address, file and line. It fails through its reader, and keeps what it had by then.
 *
 * @module
 */

import type { Reader } from "../bytes/reader.ts";

/** Sections of strings that headers of version 5 refer to. */
export interface Strings {
  /** `.debug_str`. */
  readonly debugStr: Uint8Array | undefined;
  /** `.debug_line_str`. */
  readonly debugLineStr: Uint8Array | undefined;
}

/** Rows of one stretch of code. */
export interface Sequence {
  /** First row. */
  readonly from: number;
  /** One past the last row. */
  readonly to: number;
  /** Address of the first row. */
  readonly start: number;
  /** One past the last address. */
  readonly end: number;
}

/** A string somewhere in the input, decoded when somebody asks. */
interface Place {
  readonly bytes: Uint8Array;
  readonly at: number;
}

/** A file or directory of a header. */
interface Entry {
  readonly path: Place | undefined;
  readonly directory: number;
}

/** Longest path that is shown, in bytes. */
const LONGEST_PATH = 4096;

/** Highest address a row can have: offsets in a module are u32. */
const MOST_ADDRESS = 0xffff_ffff;

/** Parameters of a state machine, with its instructions. */
interface Machine {
  readonly reader: Reader;
  readonly unit: number;
  readonly lineBase: number;
  readonly lineRange: number;
  readonly opcodeBase: number;
  /** Operands of each standard opcode. */
  readonly lengths: Uint8Array;
}

const CONTENT_PATH = 1, CONTENT_DIRECTORY = 2;

const enum Standard {
  Copy = 1,
  AdvancePc,
  AdvanceLine,
  SetFile,
  SetColumn,
  NegateStatement,
  SetBasicBlock,
  ConstAddPc,
  FixedAdvancePc,
}

const enum Extended {
  EndSequence = 1,
  SetAddress,
}

const utf8 = new TextDecoder();

function text(place: Place | undefined): string | undefined {
  if (place === undefined || place.at >= place.bytes.length) return undefined;
  const end = place.bytes.indexOf(0, place.at);
  const last = Math.min(end < 0 ? place.bytes.length : end, place.at + LONGEST_PATH);
  return utf8.decode(place.bytes.subarray(place.at, last));
}

/** An unsigned LEB128 of any length; bits above the 53rd become an imprecise, large number. */
function unsigned(reader: Reader): number {
  let value = 0, scale = 1;
  for (;;) {
    const byte = reader.u8(), part = byte & 0x7f;
    // Padding may follow for as long as it likes; 0 times infinity is not 0.
    if (part !== 0) value += part * scale;
    if (byte < 0x80) return value;
    scale *= 128;
  }
}

/** A signed LEB128 of any length, with the same reserve. */
function signed(reader: Reader): number {
  let value = 0, scale = 1;
  for (;;) {
    const byte = reader.u8(), part = byte & 0x7f;
    if (part !== 0) value += part * scale;
    scale *= 128;
    if (byte < 0x80) return (byte & 0x40) === 0 ? value : value - scale;
  }
}

/** A column that grows. */
class Column {
  items: Uint32Array = new Uint32Array(64);

  set(index: number, value: number): void {
    if (index >= this.items.length) {
      const items = new Uint32Array(2 * index);
      items.set(this.items);
      this.items = items;
    }
    this.items[index] = value;
  }
}

/** Rows and files of one program. */
export class LineProgram {
  /** Finished stretches. */
  readonly sequences: Sequence[] = [];
  readonly #addresses = new Column();
  readonly #lines = new Column();
  readonly #rowFiles = new Column();
  #rows = 0;
  /** Directories and files, as the file numbers of rows count them. */
  readonly #directories: Entry[] = [];
  readonly #files: Entry[] = [];
  /** Names of the files that somebody asked for. */
  readonly #names = new Map<number, string | undefined>();
  readonly #strings: Strings;
  /** What the header says of the state machine; undefined when it is of an unknown version. */
  #machine: Machine | undefined = undefined;

  /** Reads the header of a program whose reader stands behind the length, and ends where it does. */
  constructor(reader: Reader, wide: boolean, strings: Strings) {
    this.#strings = strings;
    const version = reader.u16();
    if (version < 2 || version > 5) return;
    if (version === 5) reader.skip(2); // sizes of addresses and of segment selectors
    const headerLength = wide ? reader.u64Length() : reader.u32();
    const program = reader.position + headerLength;
    const unit = reader.u8();
    if (version >= 4) reader.u8(); // operations per instruction: Wasm has no others than 1
    reader.u8(); // whether rows are statements by default
    const lineBase = reader.u8() << 24 >> 24, lineRange = reader.u8(), opcodeBase = reader.u8();
    if (opcodeBase === 0) return;
    const lengths = reader.take(opcodeBase - 1);
    if (version === 5) this.#readEntries(reader, wide);
    else this.#readLists(reader);
    if (!(program >= reader.position && program <= reader.end)) return;
    reader.position = program;
    this.#machine = { reader, unit, lineBase, lineRange, opcodeBase, lengths };
  }

  /** Addresses of all rows. */
  get addresses(): Uint32Array {
    return this.#addresses.items;
  }

  /** Lines of all rows. */
  get lines(): Uint32Array {
    return this.#lines.items;
  }

  /** File numbers of all rows. */
  get rowFiles(): Uint32Array {
    return this.#rowFiles.items;
  }

  /** Path of a file by its number; undefined when the header does not tell. */
  fileName(number: number): string | undefined {
    if (!this.#names.has(number)) this.#names.set(number, this.#nameOf(this.#files[number]));
    return this.#names.get(number);
  }

  #nameOf(file: Entry | undefined): string | undefined {
    const name = text(file?.path);
    if (name === undefined || name === "") return undefined;
    const directory = text(this.#directories[file!.directory]?.path) ?? "";
    if (name.startsWith("/") || directory === "" || directory === ".") return name;
    return directory.endsWith("/") ? directory + name : `${directory}/${name}`;
  }

  /** Lists of strings, up to an empty one: versions 2 to 4, which count from 1. */
  #readLists(reader: Reader): void {
    const string = (): Place => {
      const at = reader.position;
      while (reader.u8() !== 0);
      return { bytes: reader.bytes, at };
    };
    this.#directories.push({ path: undefined, directory: 0 });
    while (reader.peek() !== 0) this.#directories.push({ path: string(), directory: 0 });
    reader.u8();
    this.#files.push({ path: undefined, directory: 0 });
    while (reader.peek() !== 0) {
      const path = string(), directory = unsigned(reader);
      unsigned(reader); // time
      unsigned(reader); // length
      this.#files.push({ path, directory });
    }
    reader.u8();
  }

  /** Tables with a description of their columns: version 5, which counts from 0. */
  #readEntries(reader: Reader, wide: boolean): void {
    for (const entries of [this.#directories, this.#files]) {
      const columns = Array.from({ length: reader.u8() }, () => [unsigned(reader), unsigned(reader)]);
      const count = unsigned(reader);
      // Without columns an entry has no bytes, and any number of them would fit.
      if (columns.length === 0) continue;
      for (let n = 0; n < count; n++) {
        let path: Place | undefined, directory = 0;
        for (const [content, form] of columns) {
          const value = this.#readForm(reader, form!, wide);
          if (content === CONTENT_PATH && typeof value === "object") path = value;
          if (content === CONTENT_DIRECTORY && typeof value === "number") directory = value;
        }
        entries.push({ path, directory });
      }
    }
  }

  #readForm(reader: Reader, form: number, wide: boolean): Place | number | undefined {
    const inSection = (bytes: Uint8Array | undefined): Place | undefined => {
      const at = wide ? reader.u64Length() : reader.u32();
      return bytes === undefined ? undefined : { bytes, at };
    };
    switch (form) {
      case 0x08: { // string
        const at = reader.position;
        while (reader.u8() !== 0);
        return { bytes: reader.bytes, at };
      }
      case 0x1f: // line_strp
        return inSection(this.#strings.debugLineStr);
      case 0x0e: // strp
        return inSection(this.#strings.debugStr);
      case 0x0f: // udata
        return unsigned(reader);
      case 0x0b: // data1
        return reader.u8();
      case 0x05: // data2
        return reader.u16();
      case 0x06: // data4
        return reader.u32();
      case 0x07: // data8
        return void reader.skip(8);
      case 0x1e: // data16: a digest
        return void reader.skip(16);
      case 0x09: // block
        return void reader.skip(unsigned(reader));
      default:
        // Its size is not known, so nothing behind it can be read.
        return void reader.skip(Infinity);
    }
  }

  /** Runs the program; what it did before it fails stays. */
  run(): void {
    if (this.#machine === undefined) return;
    const { reader, unit, lineBase, lineRange, opcodeBase, lengths } = this.#machine;
    let address = 0, file = 1, line = 1, first = this.#rows, valid = true;
    const advance = (operation: number) => {
      address += operation * unit;
      if (!(address <= MOST_ADDRESS)) valid = false;
    };
    const row = () => {
      const rows = this.#rows;
      // Addresses never go down within a sequence; one that does is not to be believed.
      if (rows > first && address < this.#addresses.items[rows - 1]!) valid = false;
      if (!valid) return;
      const known = line > 0 && line <= 0xffff_ffff && file >= 0 && file <= 0xffff_ffff;
      this.#addresses.set(rows, address);
      this.#lines.set(rows, known ? line : 0);
      this.#rowFiles.set(rows, known ? file : 0);
      this.#rows = rows + 1;
    };
    const special = (opcode: number) => lineRange === 0 ? 0 : Math.floor((opcode - opcodeBase) / lineRange);
    while (!reader.atEnd) {
      const opcode = reader.u8();
      if (opcode >= opcodeBase) {
        advance(special(opcode));
        line += lineBase + (lineRange === 0 ? 0 : (opcode - opcodeBase) % lineRange);
        row();
        continue;
      }
      if (opcode === 0) {
        const length = unsigned(reader), end = reader.position + length;
        if (length === 0) continue;
        reader.skip(length);
        reader.position -= length;
        switch (reader.u8()) {
          case Extended.EndSequence:
            if (valid && this.#rows > first && address >= this.#addresses.items[this.#rows - 1]!) {
              const start = this.#addresses.items[first]!;
              this.sequences.push({ from: first, to: this.#rows, start, end: address });
            }
            address = 0;
            file = line = 1;
            first = this.#rows;
            valid = true;
            break;
          case Extended.SetAddress:
            address = length === 5 ? reader.u32() : length === 9 ? reader.u64Length() : Infinity;
            if (!(address <= MOST_ADDRESS)) valid = false;
            break;
        }
        reader.position = end;
        continue;
      }
      switch (opcode) {
        case Standard.Copy:
          row();
          break;
        case Standard.AdvancePc:
          advance(unsigned(reader));
          break;
        case Standard.AdvanceLine:
          line += signed(reader);
          break;
        case Standard.SetFile:
          file = unsigned(reader);
          break;
        case Standard.ConstAddPc:
          advance(special(255));
          break;
        case Standard.FixedAdvancePc:
          address += reader.u16();
          if (!(address <= MOST_ADDRESS)) valid = false;
          break;
        default:
          for (let operands = lengths[opcode - 1]!; operands > 0; operands--) unsigned(reader);
      }
    }
  }
}
