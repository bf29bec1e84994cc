/**
 * A profile by function, by place in the code and by operator. A charge pays for a region, which is a
 * sequence of Wasm operators: what it charged is divided among them by what each of them costs, so
 * every table sums up to the fuel of the profile. It runs nothing and formats nothing.
 *
 * @module
 */

import { COST } from "../compile/fuel.ts";
import type { RwasmModule } from "../isa/module.ts";
import { Op, OP_NAMES } from "../isa/opcode.ts";
import { type Listing, listOperators } from "../wasm/listing.ts";
import type { WasmModule } from "../wasm/module.ts";
import { operatorName } from "../wasm/opcode.ts";
import { wasmOf } from "./page_source.ts";
import type { Profile, ProfileCharge } from "./profile.ts";
import { functionTotals } from "./profile_stacks.ts";

/** Fuel of one function. */
export interface FunctionFuel {
  /** The function, as a position in the functions of the profile. */
  readonly function: number;
  /** How often it was called. */
  readonly calls: number;
  /** Fuel charged in it. */
  readonly self: bigint;
  /** Fuel charged in it and in what it called. */
  readonly total: bigint;
}

/** Fuel of one place in the code. */
export interface PlaceFuel {
  /** The function, as a position in the functions of the profile. */
  readonly function: number;
  /** Byte offset of the operator in the Wasm module; undefined when it came from none. */
  readonly offset: number | undefined;
  /** The instruction that charged; −1 for what was charged between runs. */
  readonly pc: number;
  /** The operator, or what it is instead, in parentheses. */
  readonly operator: string;
  /** How often it was charged. */
  readonly count: number;
  /** What it was charged in all. */
  readonly fuel: bigint;
}

/** Fuel of one operator. */
export interface OperatorFuel {
  /** The operator, or what it is instead, in parentheses. */
  readonly operator: string;
  /** How often it was charged. */
  readonly count: number;
  /** What it was charged in all. */
  readonly fuel: bigint;
}

/** What stands for an operator where there is none. */
const HOST = "(host function)",
  PROLOGUE = "(function entry)",
  TRAMPOLINE = "(import)",
  SETUP = "(instantiate)";

/** Operators that end the region they are in: control leaves, or joins from elsewhere. */
const ENDS_REGION: Uint8Array = endTable();

function endTable(): Uint8Array {
  const table = new Uint8Array(0x200);
  for (const code of [0x00, 0x03, 0x04, 0x05, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x12, 0x13]) table[code] = 1;
  return table;
}

/** By function, most expensive first. Functions that were not called are left out. */
export function fuelByFunction(profile: Profile): FunctionFuel[] {
  const { functions, stacks } = profile, { self, total } = functionTotals(profile);
  const calls = new Float64Array(functions.length);
  for (let node = 1; node < stacks.calls.length; node++) {
    calls[stacks.functions[node]!]! += stacks.calls[node]!;
  }
  const rows: FunctionFuel[] = [];
  for (let fn = 0; fn < functions.length; fn++) {
    if (calls[fn] === 0 && total[fn] === 0n) continue;
    rows.push({ function: fn, calls: calls[fn]!, self: self[fn]!, total: total[fn]! });
  }
  return rows.sort((a, b) => compare(b.self, a.self) || compare(b.total, a.total) || a.function - b.function);
}

function compare<T extends bigint | number | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** By place, in the order of the code. */
export function fuelByPlace(profile: Profile): PlaceFuel[] {
  const rows: PlaceFuel[] = [];
  const attributed = profile.charges.reduce((sum, { fuel }) => sum + fuel, 0n);
  if (attributed < profile.fuel) {
    const rest = profile.fuel - attributed;
    rows.push({ function: 0, offset: undefined, pc: -1, operator: HOST, count: 0, fuel: rest });
  }
  profile.modules.forEach((module, number) => {
    const charges = profile.charges.filter((charge) => charge.module === number);
    const places = new Places(profile, module, number);
    for (const charge of charges) places.add(charge);
    rows.push(...places.rows());
  });
  return rows;
}

/** By operator, most expensive first. */
export function fuelByOperator(profile: Profile): OperatorFuel[] {
  const sums = new Map<string, { count: number; fuel: bigint }>();
  for (const { operator, count, fuel } of fuelByPlace(profile)) {
    const sum = sums.get(operator) ?? { count: 0, fuel: 0n };
    sum.count += count;
    sum.fuel += fuel;
    sums.set(operator, sum);
  }
  return [...sums].map(([operator, sum]) => ({ operator, ...sum })).sort((a, b) =>
    compare(b.fuel, a.fuel) || compare(a.operator, b.operator)
  );
}

/** Collects the places of one module. */
class Places {
  readonly #module: RwasmModule;
  readonly #wasm: WasmModule | undefined;
  /** First function of the module in the profile, and their first pcs. */
  readonly #first: number;
  readonly #starts: readonly number[];
  readonly #indices: readonly (number | undefined)[];
  readonly #places = new Map<string, { -readonly [Key in keyof PlaceFuel]: PlaceFuel[Key] }>();
  #listing: Listing | undefined;
  #listed = -1;

  constructor({ functions }: Profile, module: RwasmModule, number: number) {
    this.#module = module;
    this.#wasm = wasmOf(module);
    this.#first = functions.findIndex((fn) => fn.module === number);
    const own = functions.filter((fn) => fn.module === number);
    this.#starts = own.map(({ pc }) => pc!);
    this.#indices = own.map(({ index }) => index);
  }

  /** Divides a charge among the operators it paid for. */
  add(charge: ProfileCharge): void {
    const { pc, count, fuel, host } = charge, position = this.#functionAt(pc);
    const offset = this.#module.info?.wasmOffsets[pc] || undefined;
    if (host) return this.#put(position, offset, pc, HOST, count, fuel);
    const { info } = this.#module, op = this.#module.opcodes[pc]!;
    if (info === undefined) return this.#put(position, undefined, pc, OP_NAMES[op]!, count, fuel);
    const index = this.#indices[position], body = (index ?? -1) - (this.#wasm?.importedFunctions ?? 0);
    if (index === undefined) return this.#put(position, offset, pc, SETUP, count, fuel);
    if (this.#wasm === undefined || body < 0 || offset === undefined) {
      return this.#put(position, offset, pc, TRAMPOLINE, count, fuel);
    }
    const listing = this.#list(body);
    const at = firstAt(listing, offset);
    if (op === Op.ConsumeFuel) this.#divide(listing, at, charge, position, offset);
    else this.#put(position, offset, pc, operatorName(listing.codes[at]!), 0, fuel);
  }

  /** The places so far, by offset where there is one, else by pc. */
  rows(): PlaceFuel[] {
    return [...this.#places.values()].sort((a, b) =>
      a.function - b.function || (a.offset ?? 0) - (b.offset ?? 0) || a.pc - b.pc ||
      compare(a.operator, b.operator)
    );
  }

  /** A region from its first operator that costs anything to the one that ends it. */
  #divide(listing: Listing, first: number, charge: ProfileCharge, position: number, offset: number): void {
    const { pc, count, fuel } = charge, { offsets, codes } = listing;
    const amount = this.#module.immediates[pc]! >>> 0, times = BigInt(count);
    let left = amount;
    for (let at = first; at < codes.length; at++) {
      const code = codes[at]!, cost = COST[code]!;
      if (cost > left) break;
      left -= cost;
      if (cost > 0) this.#put(position, offsets[at]!, pc, operatorName(code), count, BigInt(cost) * times);
      if (ENDS_REGION[code] === 1) break;
    }
    // Entering a function costs by itself; it is charged with the first region.
    const rest = fuel - BigInt(amount - left) * times;
    if (rest > 0n) this.#put(position, offset, pc, PROLOGUE, count, rest);
  }

  #put(
    position: number,
    offset: number | undefined,
    pc: number,
    operator: string,
    count: number,
    fuel: bigint,
  ): void {
    const key = `${offset ?? `pc ${pc}`} ${operator}`;
    const known = this.#places.get(key);
    if (known === undefined) {
      this.#places.set(key, { function: this.#first + position, offset, pc, operator, count, fuel });
    } else {
      known.count += count;
      known.fuel += fuel;
    }
  }

  #list(body: number): Listing {
    if (this.#listed !== body) {
      this.#listing = listOperators(this.#wasm!, body);
      this.#listed = body;
    }
    return this.#listing!;
  }

  #functionAt(pc: number): number {
    const starts = this.#starts;
    let low = 0, high = starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (starts[middle]! <= pc) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}

/** Position of the first operator at an offset or behind it. */
function firstAt({ offsets }: Listing, offset: number): number {
  let low = 0, high = offsets.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (offsets[middle]! < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
