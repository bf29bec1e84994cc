/**
 * Writes WebAssembly: operators into a growing buffer, and sections around finished bodies. For code
 * that this library emits itself; it checks nothing, the engine that compiles the result does.
 *
 * @module
 */

/** Bytes of code or of a section, appended in order. */
export class CodeWriter {
  #bytes = new Uint8Array(256);
  /** Bytes so far. */
  length = 0;

  /** Appends single bytes: opcodes, types, small immediates. */
  op(...bytes: number[]): this {
    for (const byte of bytes) this.u8(byte);
    return this;
  }

  /** Appends one byte. */
  u8(byte: number): this {
    if (this.length === this.#bytes.length) this.#grow(1);
    this.#bytes[this.length++] = byte;
    return this;
  }

  /** Appends an unsigned LEB128 below 2^32. */
  u32(value: number): this {
    let rest = value >>> 0;
    for (; rest >= 0x80; rest >>>= 7) this.u8((rest & 0x7f) | 0x80);
    return this.u8(rest);
  }

  /** Appends a signed LEB128 of an int32. */
  s32(value: number): this {
    let rest = value | 0;
    for (;; rest >>= 7) {
      const byte = rest & 0x7f, after = rest >> 7;
      if ((after === 0 && (byte & 0x40) === 0) || (after === -1 && (byte & 0x40) !== 0)) return this.u8(byte);
      this.u8(byte | 0x80);
    }
  }

  /** Appends a signed LEB128 of the 64-bit integer in two words. */
  s64(low: number, high: number): this {
    let lo = low | 0, hi = high | 0;
    for (;;) {
      const byte = lo & 0x7f;
      lo = (lo >>> 7) | (hi << 25);
      hi >>= 7;
      const sign = byte & 0x40;
      if ((lo === 0 && hi === 0 && sign === 0) || (lo === -1 && hi === -1 && sign !== 0)) {
        return this.u8(byte);
      }
      this.u8(byte | 0x80);
    }
  }

  /** Appends the 8 bytes of a double. */
  f64Bits(low: number, high: number): this {
    for (const word of [low, high]) {
      for (let shift = 0; shift < 32; shift += 8) this.u8((word >>> shift) & 0xff);
    }
    return this;
  }

  /** Appends the 4 bytes of a float. */
  f32Bits(bits: number): this {
    for (let shift = 0; shift < 32; shift += 8) this.u8((bits >>> shift) & 0xff);
    return this;
  }

  /** Appends the immediate of a memory access; natural alignment is only a hint, so 0 will do. */
  memory(offset: number, memory = 0): this {
    // Bit 6 of the alignment says that a memory index follows (multi-memory).
    if (memory === 0) return this.u8(0).u32(offset);
    return this.u8(0x40).u32(memory).u32(offset);
  }

  /** Appends a block of bytes. */
  block(bytes: Uint8Array): this {
    if (this.length + bytes.length > this.#bytes.length) this.#grow(bytes.length);
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
    return this;
  }

  /** Appends a name: its length, its UTF-8 bytes. */
  name(text: string): this {
    const bytes = new TextEncoder().encode(text);
    return this.u32(bytes.length).block(bytes);
  }

  /** A copy of what was written. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.length);
  }

  #grow(more: number): void {
    const bytes = new Uint8Array(Math.max(2 * this.#bytes.length, this.length + more));
    bytes.set(this.#bytes.subarray(0, this.length));
    this.#bytes = bytes;
  }
}

/** A function type as type bytes. */
export interface EncodedType {
  /** Parameter type bytes. */
  readonly params: readonly number[];
  /** Result type bytes. */
  readonly results: readonly number[];
}

/** A function to encode. */
export interface EncodedFunction {
  /** Index into the types. */
  readonly type: number;
  /** Type bytes of the locals after the parameters. */
  readonly locals: readonly number[];
  /** Operators with the last `end`. */
  readonly body: Uint8Array;
}

/** A module to encode. */
export interface EncodedModule {
  /** Type section. */
  readonly types: readonly EncodedType[];
  /** Imported memories: least pages, by default 0, and no maximum. */
  readonly memories: readonly { readonly module: string; readonly name: string; readonly pages?: number }[];
  /** Functions. */
  readonly functions: readonly EncodedFunction[];
  /** Exported functions. */
  readonly exports: readonly { readonly name: string; readonly index: number }[];
}

/** Writes a module. */
export function encodeWasm(module: EncodedModule): Uint8Array<ArrayBuffer> {
  const out = new CodeWriter().op(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00);
  const section = (id: number, count: number, write: (to: CodeWriter) => void) => {
    if (count === 0) return;
    const payload = new CodeWriter().u32(count);
    write(payload);
    out.u8(id).u32(payload.length).block(payload.finish());
  };
  section(1, module.types.length, (to) => {
    for (const { params, results } of module.types) {
      to.u8(0x60).u32(params.length).op(...params).u32(results.length).op(...results);
    }
  });
  section(2, module.memories.length, (to) => {
    for (const { module: from, name, pages = 0 } of module.memories) {
      to.name(from).name(name).op(0x02, 0x00).u32(pages);
    }
  });
  section(3, module.functions.length, (to) => {
    for (const { type } of module.functions) to.u32(type);
  });
  section(7, module.exports.length, (to) => {
    for (const { name, index } of module.exports) to.name(name).u8(0x00).u32(index);
  });
  section(10, module.functions.length, (to) => {
    for (const { locals, body } of module.functions) {
      const code = new CodeWriter();
      const groups = runs(locals);
      code.u32(groups.length);
      for (const [type, count] of groups) code.u32(count).u8(type);
      code.block(body);
      to.u32(code.length).block(code.finish());
    }
  });
  return out.finish();
}

/** Equal neighbors, with their number: local declarations come in groups. */
function runs(types: readonly number[]): [type: number, count: number][] {
  const groups: [number, number][] = [];
  for (const type of types) {
    const last = groups[groups.length - 1];
    if (last !== undefined && last[0] === type) last[1]++;
    else groups.push([type, 1]);
  }
  return groups;
}
