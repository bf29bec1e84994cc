/**
 * Runs a generated module in the host's own WebAssembly, which is the oracle.
 *
 * @module
 */

import type { Value, ValueType } from "../../mod.ts";
import { IMPORTED_GLOBAL } from "../generate/generate.ts";
import { HOST, type ModuleSource, type Signature } from "../generate/module.ts";
import { toValue } from "../harness.ts";
import { Host, HostEnd } from "./host.ts";
import {
  type CallObservation,
  type Ending,
  type Observation,
  type TrapClass,
  valueText,
} from "./observation.ts";
import { callText, type Plan, typeOfFunction } from "./plan.ts";

type Callable = (...args: unknown[]) => unknown;

/** Class of a trap by V8's message, the first that fits. */
const TRAPS: readonly (readonly [message: RegExp, trap: TrapClass])[] = [
  [/^unreachable/, "unreachable"],
  [/signature mismatch|null function/, "signature"],
  [/(divide|remainder) by zero/, "division by zero"],
  [/unrepresentable/, "unrepresentable"],
  [/memory access|data segment/, "memory"],
  [/table|element segment/, "table"],
];

/** How a run ended that threw. */
function endingOf(error: unknown, results: readonly ValueType[], initializing: boolean): Ending {
  if (error instanceof HostEnd) {
    if (error.how === "trap") return { kind: "trap", trap: "host" };
    if (initializing) return { kind: "trap", trap: "halt" };
    const zero = (type: ValueType): Value => type === "i64" ? 0n : type.endsWith("ref") ? null : 0;
    return { kind: "done", results: results.map((type) => valueText(type, zero(type))) };
  }
  if (error instanceof RangeError && /call stack/.test(error.message)) return { kind: "exhausted" };
  if (error instanceof WebAssembly.RuntimeError) {
    const { message } = error;
    for (const [pattern, trap] of TRAPS) if (pattern.test(message)) return { kind: "trap", trap };
  }
  throw error;
}

/** A result as the text of its type; a function is known by its index, which is its name. */
function resultText(type: ValueType, value: unknown): string {
  return valueText(type, typeof value === "function" ? Number(value.name) : value as Value);
}

/** Results as a list, whatever their number. */
function resultList({ results }: Signature, returned: unknown): unknown[] {
  return results.length === 0 ? [] : results.length === 1 ? [returned] : [...returned as Iterable<unknown>];
}

/** What V8 shows of a module under a plan. */
export function observeV8(source: ModuleSource, wasm: Uint8Array<ArrayBuffer>, plan: Plan): Observation {
  const host = new Host();
  const imports: Record<string, unknown> = {};
  for (const { name, type } of source.imports) {
    const call = host.function(name, source.types[type]);
    const count = source.types[type].results.length;
    imports[name] = (...args: Value[]) => {
      const results = call(args);
      return count === 0 ? undefined : count === 1 ? results[0] : results;
    };
  }
  for (const { imported, type, mutable } of source.globals) {
    if (imported === undefined) continue;
    const bits = type === "i32" || type === "f32" ? IMPORTED_GLOBAL & 0xffffffffn : IMPORTED_GLOBAL;
    const value = toValue({ type, value: String(bits) });
    imports[imported] = new WebAssembly.Global({ value: type as "i32", mutable }, value as never);
  }

  const calls: CallObservation[] = [];
  let exports: Record<string, unknown>;
  try {
    exports = new WebAssembly.Instance(new WebAssembly.Module(wasm), { [HOST]: imports } as never).exports;
    calls.push({ what: "instantiate", ending: { kind: "done", results: [] }, log: host.take() });
  } catch (error) {
    calls.push({ what: "instantiate", ending: endingOf(error, [], true), log: host.take() });
    return { calls, globals: new Map(), memory: new Uint8Array(0) };
  }

  const memory = () =>
    exports.memory === undefined
      ? new Uint8Array(0)
      : new Uint8Array((exports.memory as WebAssembly.Memory).buffer);
  host.memory = memory;
  const functionOf = new Map<number, unknown>();
  for (const { name, kind, index } of source.exports) {
    if (kind === "function") functionOf.set(index, exports[name]);
  }
  const budget = exports.budget as WebAssembly.Global | undefined;
  for (const call of plan.calls) {
    const entry = source.exports.find(({ name, kind }) => kind === "function" && name === call.name);
    if (entry === undefined) continue;
    if (budget !== undefined) budget.value = plan.budget;
    const type = typeOfFunction(source, entry.index);
    let ending: Ending;
    try {
      const args = call.args.map(({ type, value }) =>
        type === "funcref" && value !== null ? functionOf.get(value as number) : value
      );
      const results = resultList(type, (exports[call.name] as Callable)(...args));
      ending = { kind: "done", results: results.map((value, i) => resultText(type.results[i], value)) };
    } catch (error) {
      ending = endingOf(error, type.results, false);
    }
    calls.push({ what: callText(call), ending, log: host.take() });
    if (ending.kind === "exhausted") break;
  }
  const globals = new Map<string, string>();
  for (const { name, kind, index } of source.exports) {
    if (kind !== "global") continue;
    globals.set(name, resultText(source.globals[index].type, (exports[name] as WebAssembly.Global).value));
  }
  return { calls, globals, memory: memory().slice() };
}
