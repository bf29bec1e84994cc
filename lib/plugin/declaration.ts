/**
 * Checks what a host declares (signatures, fuel, intrinsics, whole plugins) and copies it into
 * frozen records, so that nothing the host does to its objects later can change a linker. Every
 * property is read once, and only own ones; whatever is wrong is a PluginError.
 *
 * @module
 */

import type { ValueType } from "../isa/module.ts";
import { nearest, quoteName } from "../isa/nearest.ts";
import { immediateRange, Op, OP_COUNT, OP_NAMES } from "../isa/opcode.ts";
import type {
  Intrinsic,
  IntrinsicInstruction,
  PluginState,
  Syscall,
  SyscallFuel,
  SyscallFunction,
} from "./plugin.ts";
import type { Problems, Refuse } from "./problem.ts";

const U32_MAX = 0xffff_ffff, U64_MAX = 0xffff_ffff_ffff_ffffn;

const VALUE_TYPES: readonly string[] = ["i32", "i64", "f32", "f64", "funcref", "externref"];

/** Opcodes an intrinsic must not hold: their immediate is a code index of one particular module. */
const CODE_INDEX_OPS: readonly number[] = [Op.CallInternal, Op.ReturnCallInternal, Op.RefFunc];

/** Opcodes whose next slot must hold `TableGet`. */
const PAYLOAD_OPS: readonly number[] = [Op.CallIndirect, Op.ReturnCallIndirect, Op.TableInit];

/** Own property of an object or function; undefined when there is none. */
export function own(value: object, key: string): unknown {
  return Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
}

/** Whether a value can have properties. */
export function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/** What a value is, in a message; never content that may be huge or run code to print. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "string") return quoteName(value);
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value === "bigint") return BigInt.asIntN(80, value) === value ? String(value) : "a huge bigint";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** An import name in a message. What is not a string is reported by the check that follows. */
export function importLabel(module: unknown, name: unknown): string {
  const part = (value: unknown) => typeof value === "string" ? quoteName(value) : "?";
  return `${part(module)}.${part(name)}`;
}

/**
 * Checks a part of an import name.
 *
 * @throws {PluginError} `InvalidName`
 */
export function checkName(value: unknown, what: string, refuse: Refuse): string {
  if (typeof value !== "string") {
    return refuse("InvalidName", `the ${what} must be a string, not ${kindOf(value)}`);
  }
  if (!value.isWellFormed()) {
    return refuse("InvalidName", `the ${what} ${quoteName(value)} has an unpaired surrogate`);
  }
  return value;
}

function isInteger(value: unknown, low: number, high: number): value is number {
  return Number.isInteger(value) && (value as number) >= low && (value as number) <= high;
}

function checkTypes(value: unknown, what: string, refuse: Refuse): readonly ValueType[] {
  if (!Array.isArray(value)) {
    return refuse("InvalidSignature", `"${what}" must be an array of value types, not ${kindOf(value)}`);
  }
  // The length is read once: an array may be a Proxy. Wasm allows 1,000; more can never match an import.
  const length = value.length;
  if (length > 1000) {
    refuse("InvalidSignature", `"${what}" has ${length} types, more than the 1000 of WebAssembly`);
  }
  const types: ValueType[] = [];
  for (let position = 0; position < length; position++) {
    const type: unknown = value[position];
    if (typeof type !== "string" || !VALUE_TYPES.includes(type)) {
      const meant = typeof type === "string" ? nearest(type, VALUE_TYPES) : undefined;
      refuse(
        "InvalidSignature",
        `"${what}" has ${kindOf(type)} at position ${position}, which is not a value type`,
        meant === undefined ? `value types are ${VALUE_TYPES.join(", ")}` : `did you mean "${meant}"?`,
      );
    }
    types.push(type as ValueType);
  }
  return Object.freeze(types);
}

function checkFuel(value: unknown, params: readonly ValueType[], refuse: Refuse): SyscallFuel | undefined {
  if (value === undefined) return undefined;
  const forms = isObject(value) ? Object.keys(value) : [];
  const form = forms[0];
  if (!isObject(value) || forms.length !== 1 || !["const", "linear", "quadratic"].includes(form!)) {
    return refuse("InvalidFuel", `"fuel" must be an object with exactly one of const, linear and quadratic`);
  }
  const policy = own(value, form!);
  if (form === "const") {
    if (isInteger(policy, 0, Number.MAX_SAFE_INTEGER) || typeof policy === "bigint") {
      const amount = BigInt(policy);
      if (amount >= 0n && amount <= U64_MAX) {
        return Object.freeze({ const: amount <= BigInt(U32_MAX) ? Number(amount) : amount });
      }
    }
    return refuse("InvalidFuel", `"fuel.const" must be an integer from 0 to 2^64 - 1, not ${kindOf(policy)}`);
  }
  if (!isObject(policy)) {
    return refuse("InvalidFuel", `"fuel.${form}" must be an object, not ${kindOf(policy)}`);
  }
  const names = form === "linear"
    ? ["base", "param", "wordCost"] as const
    : ["param", "wordCost", "divisor", "rate"] as const;
  for (const name of Object.keys(policy)) {
    if (!(names as readonly string[]).includes(name)) {
      refuse("InvalidFuel", `"fuel.${form}" has no ${quoteName(name)}`, `it has ${names.join(", ")}`);
    }
  }
  const numbers: Record<string, number> = {};
  for (const name of names) {
    const number = own(policy, name);
    if (!isInteger(number, 0, U32_MAX)) {
      return refuse(
        "InvalidFuel",
        `"fuel.${form}.${name}" must be an integer from 0 to 2^32 - 1, not ${kindOf(number)}`,
      );
    }
    numbers[name] = number;
  }
  const param = numbers.param!;
  const metered = params[params.length - param];
  if (param === 0 || metered !== "i32") {
    const found = param === 0 || metered === undefined ? `there is no such parameter` : `it is ${metered}`;
    refuse(
      "InvalidFuel",
      `"fuel.${form}.param" is ${param} and must be an i32 parameter, but ${found}`,
      "param counts parameters from the last one, starting at 1",
    );
  }
  return Object.freeze({ [form!]: Object.freeze(numbers) }) as unknown as SyscallFuel;
}

/** The part of a {@link Syscall} that its signature decides. */
export type Signature = Pick<Syscall<never>, "index" | "params" | "results" | "fuel">;

/** Own properties that a declaration may have; others are the plugin's own matter. */
const KEYS = ["index", "params", "results", "fuel", "async", "call"];

/** A misspelled key would silently count as absent, a "feul" as free. */
function checkKeys(value: object, keys: readonly string[], refuse: Refuse): void {
  for (const key of Object.keys(value)) {
    const meant = keys.includes(key) ? undefined : nearest(key, keys);
    if (meant !== undefined && !Object.hasOwn(value, meant)) {
      refuse("UnknownKey", `it has ${quoteName(key)}`, `did you mean "${meant}"?`);
    }
  }
}

/** Checks and copies a signature; undefined when there is a problem. See {@link checkFunction} for the function. */
export function checkSignature(
  value: unknown,
  subject: string | undefined,
  problems: Problems,
): Signature | undefined {
  const signature = problems.attempt(subject, (refuse) => {
    if (!isObject(value)) {
      return refuse("InvalidSignature", `the signature must be an object, not ${kindOf(value)}`);
    }
    return value;
  });
  if (signature === undefined) return undefined;
  problems.attempt(subject, (refuse) => checkKeys(signature, KEYS, refuse));
  const index = problems.attempt(subject, (refuse) => {
    const index = own(signature, "index");
    if (!isInteger(index, 0, U32_MAX)) {
      return refuse(
        "InvalidSignature",
        `"index" must be an integer from 0 to 2^32 - 1, not ${kindOf(index)}`,
      );
    }
    return index + 0; // -0, which is an integer too, becomes 0
  });
  const [params, results] = (["params", "results"] as const).map((which) =>
    problems.attempt(subject, (refuse) => checkTypes(own(signature, which), which, refuse))
  );
  if (index === undefined || params === undefined || results === undefined) return undefined;
  const fuel = problems.attempt(subject, (refuse) => ({
    policy: checkFuel(own(signature, "fuel"), params, refuse),
  }));
  return fuel && { index, params, results, fuel: fuel.policy };
}

/**
 * Checks a host function and says whether it is asynchronous.
 *
 * @param params how many parameters the signature has; undefined when that is not known.
 */
export function checkFunction<T>(
  call: unknown,
  declared: unknown,
  params: number | undefined,
  refuse: Refuse,
): { readonly call: SyscallFunction<T>; readonly async: boolean } {
  if (typeof call !== "function") {
    return refuse("InvalidFunction", `"call" must be a function, not ${kindOf(call)}`);
  }
  if (declared !== undefined && typeof declared !== "boolean") {
    return refuse("InvalidFunction", `"async" must be true or false, not ${kindOf(declared)}`);
  }
  const kind = Object.prototype.toString.call(call);
  if (kind === "[object GeneratorFunction]" || kind === "[object AsyncGeneratorFunction]") {
    return refuse("InvalidFunction", `"call" is a generator function, which never returns results`);
  }
  const isAsync = kind === "[object AsyncFunction]";
  if (isAsync && declared === false) {
    return refuse("InvalidFunction", `"call" is an async function, but "async" is false`);
  }
  // One that ignores arguments declares fewer; one that declares more would get undefined.
  const { length } = call;
  if (params !== undefined && length > params + 1) {
    const has = params === 1 ? "1 parameter" : `${params} parameters`;
    return refuse(
      "InvalidFunction",
      `"call" takes ${length - 1} arguments after the caller, the signature has ${has}`,
      "call gets the caller, then one argument per parameter",
    );
  }
  return { call: call as SyscallFunction<T>, async: isAsync || declared === true };
}

/** A signature and its function, checked and copied; undefined when there is a problem. */
export function checkDeclaration<T>(
  signature: unknown,
  call: unknown,
  subject: string | undefined,
  problems: Problems,
): Signature & { readonly call: SyscallFunction<T>; readonly async: boolean } | undefined {
  const checked = checkSignature(signature, subject, problems);
  const callable = problems.attempt(subject, (refuse) => {
    const declared = isObject(signature) ? own(signature, "async") : undefined;
    return checkFunction<T>(call, declared, checked?.params.length, refuse);
  });
  return checked && callable && { ...checked, ...callable };
}

/** Checks and copies an intrinsic of a function with the given signature. */
export function checkIntrinsic(value: unknown, signature: Signature, refuse: Refuse): Intrinsic {
  if (value === "remove") {
    if (signature.results.length > 0) {
      return refuse("InvalidIntrinsic", `"remove" leaves nothing, but the function has results`);
    }
    return value;
  }
  const list = isObject(value) ? own(value, "replace") : undefined;
  if (!Array.isArray(list)) {
    return refuse("InvalidIntrinsic", `the intrinsic must be "remove" or { replace: [["I32Const", 7], …] }`);
  }
  const length = list.length;
  const ops: number[] = [];
  const body: IntrinsicInstruction[] = [];
  for (let position = 0; position < length; position++) {
    const entry: unknown = list[position];
    if (!Array.isArray(entry)) {
      return refuse(
        "InvalidIntrinsic",
        `instruction ${position} must be an array [name, immediate], not ${kindOf(entry)}`,
      );
    }
    const [name, immediate]: unknown[] = entry;
    const op = typeof name === "string" && Object.hasOwn(Op, name) ? Op[name as keyof typeof Op] : OP_COUNT;
    if (op === OP_COUNT) {
      const meant = typeof name === "string" ? nearest(name, OP_NAMES) : undefined;
      const hint = meant === undefined ? undefined : `did you mean "${meant}"?`;
      return refuse("InvalidIntrinsic", `instruction ${position} has no opcode named ${kindOf(name)}`, hint);
    }
    if (CODE_INDEX_OPS.includes(op)) {
      refuse(
        "InvalidIntrinsic",
        `instruction ${position}, ${OP_NAMES[op]}, refers to code of one particular module`,
      );
    }
    const range = immediateRange(op);
    if (range === undefined ? immediate !== undefined : !isInteger(immediate, ...range)) {
      const wanted = range === undefined ? "no immediate" : `an integer from ${range[0]} to ${range[1]}`;
      refuse(
        "InvalidIntrinsic",
        `instruction ${position}, ${OP_NAMES[op]}, needs ${wanted}, not ${kindOf(immediate)}`,
      );
    }
    ops.push(op);
    body.push(Object.freeze(range === undefined ? [OP_NAMES[op]!] : [OP_NAMES[op]!, immediate as number]));
  }
  checkFlow(ops, body, refuse);
  return Object.freeze({ replace: Object.freeze(body) });
}

/** Branches must stay inside the body or go to its end, and payload slots must be there. */
function checkFlow(ops: readonly number[], body: readonly IntrinsicInstruction[], refuse: Refuse): void {
  for (let position = 0; position < ops.length; position++) {
    const op = ops[position]!, immediate = body[position]![1] ?? 0;
    let first = position, last = position;
    if (op === Op.Br || op === Op.BrIfEqz || op === Op.BrIfNez) first = last = position + immediate;
    else if (op === Op.BrTable) last = position + 2 * immediate;
    if (first < 0 || last > ops.length) {
      refuse("InvalidIntrinsic", `instruction ${position}, ${OP_NAMES[op]}, branches out of the intrinsic`);
    }
    if (PAYLOAD_OPS.includes(op) && ops[position + 1] !== Op.TableGet) {
      refuse("InvalidIntrinsic", `instruction ${position}, ${OP_NAMES[op]}, must be followed by TableGet`);
    }
  }
}

/** How a plugin file looks. */
export const PLUGIN_HINT = "a plugin file has `export default defineSyscalls({ module, functions })`";

/** A plugin whose outer shape is checked: a module name and named declarations. */
export interface PluginShape {
  /** Module part of the import names. */
  readonly module: string;
  /** Its own name, when it has one. */
  readonly name: string | undefined;
  /** Its functions, neither read nor checked yet. */
  readonly functions: readonly (readonly [name: string, declaration: () => unknown])[];
  /** What it keeps between calls. */
  readonly state: LinkedState | undefined;
}

/** State of a plugin as a linker holds it: checked and copied. */
export interface LinkedState extends Required<PluginState> {
  /** The object it was declared as: plugins that share it share the state. */
  readonly declared: object;
}

/** Checks and copies how a plugin saves its state. */
function checkState(value: unknown, module: string, refuse: Refuse): LinkedState | undefined {
  if (value === undefined) return undefined;
  if (!isObject(value)) {
    return refuse("InvalidState", `"state" must be an object with save and restore, not ${kindOf(value)}`);
  }
  checkKeys(value, ["name", "save", "restore"], refuse);
  const name = own(value, "name"), save = own(value, "save"), restore = own(value, "restore");
  if (name !== undefined) checkName(name, `"name" of a state`, refuse);
  if (typeof save !== "function" || typeof restore !== "function") {
    const which = typeof save === "function" ? "restore" : "save";
    return refuse("InvalidState", `"state.${which}" must be a function`);
  }
  return Object.freeze(
    {
      declared: value,
      name: name as string | undefined ?? module,
      save: (store) => Reflect.apply(save, value, [store]),
      restore: (store, bytes) => void Reflect.apply(restore, value, [store, bytes]),
    } satisfies LinkedState,
  );
}

/** Checks the shape of a plugin, or of a module namespace whose default export is one. */
export function checkPlugin(value: unknown, refuse: Refuse): PluginShape {
  const hint = PLUGIN_HINT;
  if (!isObject(value)) {
    return refuse("InvalidPlugin", `a plugin must be an object, not ${kindOf(value)}`, hint);
  }
  let plugin: object = value;
  if (!Object.hasOwn(value, "functions") && Object.hasOwn(value, "default")) {
    const exported = own(value, "default");
    if (!isObject(exported)) {
      return refuse("InvalidPlugin", `its default export must be an object, not ${kindOf(exported)}`, hint);
    }
    plugin = exported;
  }
  checkKeys(plugin, ["module", "name", "functions", "state"], refuse);
  if (!Object.hasOwn(plugin, "functions")) {
    return refuse("InvalidPlugin", `it has neither "functions" nor a default export that has them`, hint);
  }
  const module = checkName(own(plugin, "module"), `"module" of a plugin`, refuse);
  const name = own(plugin, "name");
  if (name !== undefined) checkName(name, `"name" of a plugin`, refuse);
  const functions = own(plugin, "functions");
  if (!isObject(functions)) {
    return refuse("InvalidPlugin", `"functions" must be an object, not ${kindOf(functions)}`, hint);
  }
  const names = Object.keys(functions);
  return {
    module,
    name: name as string | undefined,
    functions: names.map((name) => [name, () => own(functions, name)]),
    state: checkState(own(plugin, "state"), module, refuse),
  };
}
