/**
 * Puts translated functions into WebAssembly modules: sections around bodies, the imports that all of
 * them share, trampolines to functions of other modules, and the stubs by which the host enters. It
 * also tells where in the bytes each body is, because that is how stack traces name an instruction.
 *
 * @module
 */

import { CodeWriter } from "../wasm/encode.ts";
import { LOAD_OPCODES, pushAddress, type Saver, STORE_OPCODES, width } from "./frame.ts";
import type { Translated } from "./function.ts";
import { Global, Import, IMPORTS, STATE } from "./layout.ts";
import type { Shape } from "./signatures.ts";
import { I32, TYPE_BYTES } from "./locals.ts";

/** Module name of all imports. */
export const IMPORT_MODULE = "m";

/** The imports, the same in all modules. */
const IMPORTED: Uint8Array = imported();

function imported(): Uint8Array {
  const to = new CodeWriter();
  const from = (field: string) => to.name(IMPORT_MODULE).name(field);
  for (const memory of ["guest", "state"]) from(memory).op(0x02, 0x00, 0x00);
  from("functions").op(0x01, 0x70, 0x00, 0x00);
  from("tag").op(0x04, 0x00, 0x03);
  from("host").op(0x03, TYPE_BYTES[I32], 0x01);
  from("base").op(0x03, TYPE_BYTES[I32], 0x01);
  from("unwind").op(0x00, 0x00);
  from("step").op(0x00, 0x01);
  from("link").op(0x00, 0x02);
  from("find").op(0x00, 0x02);
  return to.finish();
}

/** A module that is being put together. */
export class Assembly {
  readonly #types: string[] = [];
  readonly #typeBytes: Uint8Array[] = [];
  /** By number of a shape: its type index. */
  readonly #shapes: number[] = [];
  readonly #functions: {
    readonly type: number;
    readonly locals: readonly number[];
    readonly body: Uint8Array;
  }[] = [];
  readonly #exports: { readonly name: string; readonly index: number }[] = [];
  /** Table positions and function indices. */
  readonly #elements: [at: number, index: number][] = [];

  /** A module without functions. */
  constructor() {
    const word = TYPE_BYTES[I32];
    this.#type([word, word, word, word], [word]); // unwind: function, site, place, fuel
    this.#type([word, word, word], [word]); // step: pc, place, fuel
    this.#type([word], []); // link: function; find: pc
    this.#type([], []); // the tag
  }

  #type(params: readonly number[], results: readonly number[]): number {
    const key = `${params}:${results}`, known = this.#types.indexOf(key);
    if (known >= 0) return known;
    this.#types.push(key);
    const bytes = new CodeWriter().u8(0x60);
    for (const types of [params, results]) bytes.u32(types.length).block(Uint8Array.from(types));
    this.#typeBytes.push(bytes.finish());
    return this.#types.length - 1;
  }

  /** Type index of compiled functions of a shape. */
  typeOf(shape: Shape): number {
    return this.#shapes[shape.type] ??= this.#addShape(shape);
  }

  #addShape({ params, results, resultSlots }: Shape): number {
    const bytes = (types: readonly number[]) => types.map((type) => TYPE_BYTES[type]);
    const fuel = resultSlots < 0 ? [] : [TYPE_BYTES[I32]];
    return this.#type([...bytes(params), TYPE_BYTES[I32], TYPE_BYTES[I32]], [...bytes(results), ...fuel]);
  }

  /** Type index of a function that resumes one of a shape: target, place, fuel. */
  resumeTypeOf({ results, resultSlots }: Shape): number {
    const fuel = resultSlots < 0 ? [] : [TYPE_BYTES[I32]];
    return this.#type(
      [TYPE_BYTES[I32], TYPE_BYTES[I32], TYPE_BYTES[I32]],
      [...results.map((type) => TYPE_BYTES[type]), ...fuel],
    );
  }

  /** Adds a function; its index. */
  add(type: number, locals: readonly number[], body: Uint8Array): number {
    this.#functions.push({ type, locals, body });
    return IMPORTS + this.#functions.length - 1;
  }

  /** Puts a function into the table when the module is instantiated. */
  place(at: number, index: number): void {
    this.#elements.push([at, index]);
  }

  /** Adds a function that goes to one of another module, which is linked when it is not there yet. */
  addTrampoline(number: number, shape: Shape): number {
    const code = new CodeWriter(), type = this.typeOf(shape);
    code.u8(0x41).s32(number + 1).op(0x25, 0x00, 0xd1, 0x04, 0x40); // table.get, ref.is_null, if
    code.u8(0x41).s32(number).u8(0x10).u32(Import.link).u8(0x0b);
    for (let k = 0; k < shape.params.length + 2; k++) code.u8(0x20).u32(k);
    code.u8(0x41).s32(number + 1).u8(0x13).u32(type).u8(0x00).u8(0x0b); // return_call_indirect
    return this.add(type, [], code.finish());
  }

  /** Adds what saves a frame. */
  addSaver({ params, body }: Saver): number {
    return this.add(this.#type(params, []), [TYPE_BYTES[I32]], body);
  }

  /**
   * Adds and exports "enter": (position in the table, place, fuel) → fuel. It takes the parameters from
   * the value stack and puts the results there.
   */
  addEntry(shape: Shape): void {
    this.#addStub("enter", shape, (code) => {
      let slot = 0;
      for (const type of shape.params) {
        code.u8(0x20).u32(3).u8(LOAD_OPCODES[type]).memory(4 * slot, STATE);
        slot += width(type);
      }
      code.op(0x20, 1, 0x20, 2, 0x20, 0, 0x11).u32(this.typeOf(shape)).u8(0x00);
    });
  }

  /** Adds and exports "resume": (target, place, fuel) → fuel, for a function that resumes. */
  addResume(index: number, shape: Shape): void {
    this.#addStub("resume", shape, (code) => code.op(0x20, 0, 0x20, 1, 0x20, 2, 0x10).u32(index));
  }

  #addStub(name: string, shape: Shape, call: (code: CodeWriter) => void): void {
    const word = TYPE_BYTES[I32], code = new CodeWriter();
    // Locals: address of the lowest slot, then the results.
    code.op(0x20, 1);
    pushAddress(code, shape.paramSlots);
    code.op(0x21, 3);
    call(code);
    if (shape.resultSlots < 0) code.u8(0x00);
    else {
      code.op(0x21, 2);
      for (let k = shape.results.length - 1; k >= 0; k--) code.u8(0x21).u32(4 + k);
      let slot = 0;
      shape.results.forEach((type, k) => {
        code.op(0x20, 3).u8(0x20).u32(4 + k).u8(STORE_OPCODES[type]).memory(4 * slot, STATE);
        slot += width(type);
      });
      code.op(0x20, 2);
    }
    code.u8(0x0b);
    const locals = [word, ...shape.results.map((type) => TYPE_BYTES[type])];
    const index = this.add(this.#type([word, word, word], [word]), locals, code.finish());
    this.#exports.push({ name, index });
  }

  /**
   * Adds functions that nothing calls until half of all are small. V8 takes few small functions as a sign
   * that the toolchain has inlined already what is worth it, and then has a tenth of the budget for that.
   */
  #invite(): void {
    let large = 0;
    for (const { body, locals } of this.#functions) if (body.length + locals.length > SMALL_BODY) large++;
    for (let missing = 2 * large - this.#functions.length; missing > 0; missing--) {
      this.#functions.push({ type: 0, locals: [], body: NOTHING });
    }
  }

  /** The bytes, and the position in them of the body of each function added. */
  finish(name: string): { readonly bytes: Uint8Array<ArrayBuffer>; readonly positions: Int32Array } {
    this.#invite();
    const out = new CodeWriter().op(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00);
    const section = (id: number, count: number, write: (to: CodeWriter) => void) => {
      if (count === 0) return;
      const payload = new CodeWriter().u32(count);
      write(payload);
      out.u8(id).u32(payload.length).block(payload.finish());
    };
    const functions = this.#functions;
    section(1, this.#typeBytes.length, (to) => {
      for (const bytes of this.#typeBytes) to.block(bytes);
    });
    section(2, 10, (to) => to.block(IMPORTED));
    section(3, functions.length, (to) => {
      for (const { type } of functions) to.u32(type);
    });
    section(6, 1, (to) => to.op(TYPE_BYTES[I32], 0x01, 0x41, 0x00, 0x0b));
    section(7, this.#exports.length + 1, (to) => {
      to.name("fuel").u8(0x03).u32(Global.fuel);
      for (const { name, index } of this.#exports) to.name(name).u8(0x00).u32(index);
    });
    section(9, this.#elements.length, (to) => {
      for (const [at, index] of this.#elements) {
        to.op(0x00, 0x41).s32(at).op(0x0b, 0x01).u32(index);
      }
    });
    const positions = new Int32Array(functions.length);
    const codes = new CodeWriter().u32(functions.length);
    functions.forEach(({ locals, body }, k) => {
      const head = new CodeWriter();
      let groups = 0;
      for (let n = 0; n < locals.length; n++) if (n === 0 || locals[n] !== locals[n - 1]) groups++;
      head.u32(groups);
      for (let n = 0; n < locals.length;) {
        let end = n;
        while (end < locals.length && locals[end] === locals[n]) end++;
        head.u32(end - n).u8(locals[n]);
        n = end;
      }
      codes.u32(head.length + body.length).block(head.finish());
      positions[k] = codes.length;
      codes.block(body);
    });
    out.u8(10).u32(codes.length);
    for (let k = 0; k < positions.length; k++) positions[k] += out.length;
    out.block(codes.finish());
    const title = new CodeWriter().name("name");
    const text = new CodeWriter().name(name);
    title.u8(0x00).u32(text.length).block(text.finish());
    out.u8(0x00).u32(title.length).block(title.finish());
    return { bytes: out.finish(), positions };
  }
}

/** Bytes of a function's code, less what its locals may take, up to which V8 calls it small. */
const SMALL_BODY = 40;

/** The body of a function that is never called. */
const NOTHING = Uint8Array.of(0x00, 0x0b);

/** A function with its place in a module. */
export interface Placed extends Translated {
  /** Byte of the module at which its body begins. */
  readonly position: number;
}
