/**
 * Calls in both directions: the function objects of an instance, which run the guest, and host
 * functions, which the guest calls. A host function may call the guest again. What it throws leaves
 * through all guest frames to the caller of the export, unchanged.
 *
 * @module
 */

import type { FunctionType } from "../isa/module.ts";
import type { Value } from "../plugin/plugin.ts";
import { toJs, toValue } from "./convert.ts";
import { trapError } from "./errors.ts";
import type { InstanceState } from "./instance.ts";

/** What is behind a function object. */
export interface ExportedFunction {
  /** Where it runs. */
  readonly instance: InstanceState;
  /** Its Wasm index there. */
  readonly index: number;
  /** Its type. */
  readonly type: FunctionType;
}

/** The function object of a Wasm function, always the same; that of an imported exported function is the imported one. */
export function functionObject(instance: InstanceState, index: number): object {
  const made = instance.functionObjects[index];
  if (made !== undefined) return made;
  const { functions } = instance.realm;
  const imported = instance.imports.functions[index];
  if (imported !== undefined && functions.has(imported)) {
    return instance.functionObjects[index] = imported;
  }
  const type = instance.info.types[instance.info.functionTypes[index]!]!;
  // An arrow function, because exported functions are no constructors.
  const object = (...args: unknown[]): unknown => callGuest(instance, index, type, args);
  Object.defineProperties(object, { name: { value: `${index}` }, length: { value: type.params.length } });
  functions.set(object, { instance, index, type });
  return instance.functionObjects[index] = object;
}

function callGuest(instance: InstanceState, index: number, type: FunctionType, args: unknown[]): unknown {
  const params: Value[] = [];
  for (let i = 0; i < type.params.length; i++) params.push(toValue(instance, type.params[i]!, args[i]));
  instance.thrown = undefined;
  instance.enter();
  let outcome;
  try {
    outcome = instance.executor.callFunction(index, params);
  } finally {
    instance.leave();
  }
  if (outcome.status !== "done") throw failure(instance, outcome);
  const { results } = outcome;
  if (results.length === 1) return toJs(instance, type.results[0]!, results[0]!);
  if (results.length === 0) return undefined;
  return results.map((value, i) => toJs(instance, type.results[i]!, value));
}

/** What to throw for a run that did not end well. */
export function failure(
  instance: InstanceState,
  outcome: ReturnType<InstanceState["executor"]["instantiate"]>,
): unknown {
  const { thrown } = instance;
  instance.thrown = undefined;
  if (outcome.status !== "trap") return new Error("a run of the facade paused"); // a bug: nothing in it can
  if (outcome.trap.code === "HostError" && thrown !== undefined) return thrown.value;
  return trapError(instance.realm.errors, outcome.trap);
}

/** Runs a host function for the guest; its results as the machine takes them. */
export function callHost(
  instance: InstanceState,
  ordinal: number,
  { params, results }: FunctionType,
  args: readonly Value[],
): Value | Value[] | undefined {
  try {
    const converted: unknown[] = [];
    for (let i = 0; i < params.length; i++) converted.push(toJs(instance, params[i]!, args[i]!));
    instance.leave();
    const host = instance.imports.functions[ordinal] as () => unknown;
    const returned = Reflect.apply(host, undefined, converted);
    if (results.length === 0) return undefined;
    if (results.length === 1) return toValue(instance, results[0]!, returned);
    const values = [...returned as Iterable<unknown>];
    if (values.length !== results.length) {
      throw new TypeError(
        `Cannot return from import #${ordinal}: ${results.length} results expected, ${values.length} found`,
      );
    }
    return values.map((value, i) => toValue(instance, results[i]!, value));
  } catch (error) {
    instance.thrown = { value: error };
    throw error;
  } finally {
    instance.enter();
  }
}
