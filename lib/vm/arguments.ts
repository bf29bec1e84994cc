/**
 * Checks what callers of an executor hand over: values against their types, and types themselves.
 * Arrays and objects may be anything, proxies and getters included: each part is read once, and what
 * throws when it is read is refused like what has the wrong form.
 *
 * @module
 */

import { UsageError } from "../error.ts";
import type { FunctionType, ValueType } from "../isa/module.ts";
import type { Value } from "../plugin/plugin.ts";
import { elementsOf, expectedText, foundText, isValueOf, isValueType, typeText } from "./values.ts";

/**
 * A copy of values that fit their types.
 *
 * @param doing names the call in messages; only made when one is needed.
 * @param kind what the values are: "parameter" or "result".
 * @param of the function, for the hint.
 * @throws {UsageError} `InvalidValues`, `WrongValueCount` or `InvalidValue`.
 */
export function checkValues(
  doing: () => string,
  kind: string,
  types: readonly ValueType[],
  values: unknown,
  of?: FunctionType,
): Value[] {
  const given = readArray(values, types.length);
  if (given === undefined) {
    throw new UsageError(
      "InvalidValues",
      `Cannot ${doing()}: the ${kind}s are ${foundText(values)}, not an array that can be read`,
    );
  }
  if (given.length !== types.length) {
    const text = `${types.length} ${kind}${types.length === 1 ? "" : "s"} expected, ${given.length} found`;
    throw new UsageError("WrongValueCount", `Cannot ${doing()}: ${text}`, hintOf(of));
  }
  const checked = given.values;
  for (let i = 0; i < types.length; i++) {
    if (isValueOf(types[i]!, checked[i])) continue;
    const text = `${kind} ${i} must be ${expectedText(types[i]!)}, not ${foundText(checked[i])}`;
    throw new UsageError("InvalidValue", `Cannot ${doing()}: ${text}`, hintOf(of));
  }
  return checked as Value[];
}

function hintOf(of: FunctionType | undefined): { hint?: string } {
  return of === undefined ? {} : { hint: `the function is ${typeText(of)}` };
}

/**
 * A copy of the types of an entry point.
 *
 * @param most types there can be.
 * @throws {UsageError} `InvalidTypes`.
 */
export function checkTypes(types: unknown, most: number): FunctionType {
  if (typeof types !== "object" || types === null) throw invalidTypes(`types is ${foundText(types)}`);
  const list = (which: "params" | "results"): ValueType[] => {
    let value: unknown;
    try {
      value = (types as Record<string, unknown>)[which];
    } catch {
      throw invalidTypes(`types.${which} cannot be read`);
    }
    const given = readArray(value, most);
    if (given === undefined) {
      throw invalidTypes(`types.${which} is ${foundText(value)}, not an array of types`);
    }
    if (given.length > most) {
      throw invalidTypes(`types.${which} has ${given.length} types, more than any stack takes`);
    }
    const wrong = given.values.findIndex((type) => !isValueType(type));
    if (wrong >= 0) {
      throw invalidTypes(`types.${which}[${wrong}] is ${foundText(given.values[wrong])}, not a value type`);
    }
    return given.values as ValueType[];
  };
  return { params: list("params"), results: list("results") };
}

function invalidTypes(why: string): UsageError {
  return new UsageError("InvalidTypes", `Cannot execute: ${why}`, {
    hint: 'types are { params: ["i32"], results: ["i64"] }',
  });
}

/**
 * Types of values that nothing declares: numbers take one slot, bigints two.
 *
 * @param most values there can be; of more than that only the first ones are looked at.
 */
export function guessTypes(values: unknown, most: number): ValueType[] {
  const given = readArray(values, most)?.values ?? [];
  return given.map((value) => typeof value === "bigint" ? "i64" : value === null ? "funcref" : "i32");
}

/** Length and first elements of an array; undefined when it is none, or throws when it is read. */
function readArray(array: unknown, most: number): { length: number; values: unknown[] } | undefined {
  try {
    return elementsOf(array, most);
  } catch {
    return undefined;
  }
}
