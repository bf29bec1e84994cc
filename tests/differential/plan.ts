/**
 * What is done with a generated module: which exports are called, in which order, with which
 * arguments. It follows from the seed, and stays the same while the module is made smaller.
 *
 * @module
 */

import type { Value, ValueType } from "../../mod.ts";
import { interestingBits } from "../generate/constants.ts";
import type { GeneratedModule } from "../generate/generate.ts";
import type { ModuleSource, Signature } from "../generate/module.ts";
import { isNumeric } from "../generate/operators.ts";
import { Random, toValue } from "../harness.ts";
import { valueText } from "./observation.ts";

/** A function reference is given by the index of the function; each engine has its own form of it. */
export interface PlannedValue {
  readonly type: ValueType;
  readonly value: Value;
}

/** One call. */
export interface PlannedCall {
  readonly name: string;
  readonly args: readonly PlannedValue[];
}

/** Everything that is done with one module. */
export interface Plan {
  readonly calls: readonly PlannedCall[];
  /** Value "budget" is set to before each call. */
  readonly budget: number;
}

/** The type of a function of the index space. */
export function typeOfFunction({ types, imports, functions }: ModuleSource, index: number): Signature {
  const at = index < imports.length ? imports[index].type : functions[index - imports.length].type;
  return types[at];
}

/** An argument of a type. */
function argument(random: Random, type: ValueType, functions: readonly number[]): PlannedValue {
  if (isNumeric(type)) {
    return { type, value: toValue({ type, value: String(interestingBits(random, type)) }) };
  }
  if (random.below(3) === 0) return { type, value: null };
  return { type, value: type === "funcref" ? random.pick(functions) : random.below(1000) };
}

/** A call as text. */
export function callText({ name, args }: PlannedCall): string {
  return `${name}(${args.map(({ type, value }) => valueText(type, value)).join(", ")})`;
}

/** The plan of a module: up to six exports, twice each with other arguments, then the table probes. */
export function planOf({ seed, source, budget }: GeneratedModule): Plan {
  const random = new Random(seed ^ 0x5eed);
  const exported = source.exports.filter(({ kind }) => kind === "function");
  const probes = exported.filter(({ name }) => name.startsWith("table"));
  const ordinary = exported.filter((entry) => !probes.includes(entry));
  const references = ordinary.map(({ index }) => index);
  const chosen = Array.from({ length: Math.min(6, ordinary.length) }, () => random.pick(ordinary));
  const calls = [...chosen, ...chosen].map(({ name, index }) => ({
    name,
    args: typeOfFunction(source, index).params.map((type) => argument(random, type, references)),
  }));
  return { calls: [...calls, ...probes.map(({ name }) => ({ name, args: [] }))], budget };
}
