/**
 * Values between JavaScript and an instance, as the JavaScript interface of WebAssembly converts
 * them: `ToWebAssemblyValue` and `ToJSValue`. A funcref is an exported function object or null, an
 * externref any JavaScript value.
 *
 * @module
 */

import type { ValueType } from "../isa/module.ts";
import type { Value } from "../plugin/plugin.ts";
import { functionObject } from "./function.ts";
import type { InstanceState } from "./instance.ts";
import type { Realm } from "./realm.ts";

/**
 * A JavaScript value as one of the instance.
 *
 * @throws {TypeError} when it has no conversion; also what the value itself throws.
 */
export function toValue(instance: InstanceState, type: ValueType, value: unknown): Value {
  if (type !== "funcref") return toPlainValue(instance.realm, type, value);
  if (value === null) return null;
  const code = codeIndexOf(instance, value);
  if (code !== undefined) return code;
  throw new TypeError(
    instance.realm.functions.has(value as object)
      ? "Cannot use a function of another instance as a funcref: a machine refers to its own functions only"
      : "Cannot use the value as a funcref: it must be null or an exported function of this facade",
  );
}

/** A JavaScript value of a type that has the same values in every instance. */
export function toPlainValue(realm: Realm, type: Exclude<ValueType, "funcref">, value: unknown): Value {
  switch (type) {
    case "i32":
      return (value as number) | 0;
    case "i64":
      return BigInt.asIntN(64, value as bigint);
    case "f32":
      return Math.fround(value as number);
    case "f64":
      return +(value as number);
    case "externref":
      return realm.references.numberOf(value);
  }
}

/** A value of the instance as a JavaScript value. */
export function toJs(instance: InstanceState, type: ValueType, value: Value): unknown {
  if (value === null) return null;
  switch (type) {
    case "externref":
      return instance.realm.references.valueOf(value as number);
    case "funcref":
      return functionObject(instance, functionAtCode(instance, value as number));
    default:
      return value;
  }
}

/** Code index that stands for a function object in an instance; undefined when it has none there. */
function codeIndexOf(instance: InstanceState, value: unknown): number | undefined {
  const known = instance.realm.functions.get(value as object);
  if (known === undefined) return undefined;
  // A function of another instance that this one imports has a code index here: its trampoline.
  const index = known.instance === instance
    ? known.index
    : instance.imports.functions.indexOf(value as object);
  return index < 0 ? undefined : instance.info.functionStarts[index];
}

/** Wasm index of the function that starts at a code index. */
function functionAtCode({ info }: InstanceState, code: number): number {
  const starts = info.functionStarts;
  let low = 0, high = starts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (starts[middle]! < code) low = middle + 1;
    else high = middle;
  }
  return low;
}
