/**
 * The WebAssembly types of the functions of an rWasm module. Functions with the same rWasm signature
 * have the same type, so that they can be called through tables. Where the module says what its
 * signatures are, 64-bit integers and floats are single values; elsewhere every slot is an i32. Behind
 * its own parameters every function takes where it stands (see `layout.ts`) and the fuel, and behind
 * its own results it gives the fuel.
 *
 * @module
 */

import { slotsOfAll, type ValueType } from "../isa/module.ts";
import { Op } from "../isa/opcode.ts";
import type { VerifiedModule } from "../isa/verify.ts";
import { F32, F64, I32, I64 } from "./locals.ts";
import { MOST_OPERANDS } from "./slots.ts";

/** What a function takes and gives. */
export interface Shape {
  /** Types of the parameters. */
  readonly params: readonly number[];
  /** Types of the results. */
  readonly results: readonly number[];
  /** Slots of the parameters. */
  readonly paramSlots: number;
  /** Slots of the results; -1 when no call returns. */
  readonly resultSlots: number;
  /** Whether functions of the type are compiled: they have few parameters and results. */
  readonly compiled: boolean;
  /** Number of the type; functions of one type have the same. */
  readonly type: number;
}

const TYPE_OF: Readonly<Record<ValueType, number>> = {
  i32: I32,
  i64: I64,
  f32: F32,
  f64: F64,
  funcref: I32,
  externref: I32,
};

/** The shapes of the functions of a module, worked out when asked for. */
export class Signatures {
  readonly #verified: VerifiedModule;
  readonly #byFunction: (Shape | undefined)[];
  readonly #bySignature = new Map<number, Shape>();
  /** By signature: most slots of parameters, and the slots a call adds, -1 … when none is known to return. */
  readonly #slots = new Map<number, { params: number; delta: number | undefined }>();
  readonly #types = new Map<string, Shape>();
  /** The shapes by the number of their type. */
  readonly types: Shape[] = [];

  /** Looks at the functions of a module. */
  constructor(verified: VerifiedModule) {
    this.#verified = verified;
    this.#byFunction = new Array(verified.functionCount).fill(undefined);
    const { starts, paramSlots, resultSlots, module: { opcodes, immediates } } = verified;
    for (let number = 0; number < verified.functionCount; number++) {
      const start = starts[number];
      if (opcodes[start] !== Op.SignatureCheck) continue;
      const signature = immediates[start];
      let slots = this.#slots.get(signature);
      if (slots === undefined) this.#slots.set(signature, slots = { params: 0, delta: undefined });
      slots.params = Math.max(slots.params, paramSlots[number]);
      if (resultSlots[number] >= 0) slots.delta = resultSlots[number] - paramSlots[number];
    }
  }

  /** The shape of a function. */
  of(number: number): Shape {
    return this.#byFunction[number] ??= this.#shapeOf(number);
  }

  #shapeOf(number: number): Shape {
    const { starts, paramSlots, resultSlots, module: { opcodes, immediates } } = this.#verified;
    const start = starts[number];
    if (opcodes[start] === Op.SignatureCheck) return this.ofSignature(immediates[start])!;
    return this.#plain(paramSlots[number], resultSlots[number]);
  }

  /** The shape of the functions with a signature; undefined when there are none. */
  ofSignature(signature: number): Shape | undefined {
    const known = this.#bySignature.get(signature);
    if (known !== undefined) return known;
    const slots = this.#slots.get(signature);
    if (slots === undefined) return undefined;
    const { delta } = slots, type = this.#verified.module.info?.types[signature];
    let shape: Shape | undefined;
    if (type !== undefined && slotsOfAll(type.params) >= slots.params) {
      const params = slotsOfAll(type.params), results = slotsOfAll(type.results);
      if (delta === undefined || params + delta === results) {
        const of = (types: readonly ValueType[]) => types.map((name) => TYPE_OF[name]);
        shape = this.#shape(of(type.params), delta === undefined ? undefined : of(type.results));
      }
    }
    shape ??= this.#plain(slots.params, delta === undefined ? -1 : slots.params + delta);
    this.#bySignature.set(signature, shape);
    return shape;
  }

  #plain(params: number, results: number): Shape {
    return this.#shape(new Array(params).fill(I32), results < 0 ? undefined : new Array(results).fill(I32));
  }

  #shape(params: readonly number[], results: readonly number[] | undefined): Shape {
    const key = `${params.join("")}:${results?.join("")}`;
    let shape = this.#types.get(key);
    if (shape === undefined) {
      shape = {
        params,
        results: results ?? [],
        paramSlots: slotsOfTypes(params),
        resultSlots: results === undefined ? -1 : slotsOfTypes(results),
        compiled: params.length <= MOST_OPERANDS && (results?.length ?? 0) <= MOST_OPERANDS,
        type: this.types.length,
      };
      this.types.push(shape);
      this.#types.set(key, shape);
    }
    return shape;
  }
}

/** Slots that values of some types take. */
export function slotsOfTypes(types: readonly number[]): number {
  let slots = 0;
  for (const type of types) slots += type === I64 || type === F64 ? 2 : 1;
  return slots;
}
