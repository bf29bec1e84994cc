/**
 * The shape of host functions: signatures, fuel policies, the `Caller` they get, and the plugin
 * module that groups them. Types only, but for `defineSyscalls`, which hands its argument back.
 *
 * @module
 */

import type { TrapName } from "../error.ts";
import type { ValueType } from "../isa/module.ts";

/**
 * A WebAssembly value in TypeScript: i32 is a signed `number`, i64 a signed `bigint`, f32 and f64
 * are `number`, a reference is a `number` or `null`.
 */
export type Value = number | bigint | null;

/**
 * What a host function costs, charged before it runs when `builtinsConsumeFuel` is on. `param` is
 * the metered i32 parameter, counted from the last one, starting at 1; words = (x + 31) / 32 rounded
 * down. Everything is u32 arithmetic that wraps, as in the reference.
 *
 * - const: the amount, 0 … 2^32 − 1
 * - linear: words · wordCost + base; x > 2^27 traps with IntegerOverflow
 * - quadratic: (words · wordCost + words² / divisor) · rate; x > 1,310,720 traps with IntegerOverflow
 */
export type SyscallFuel =
  | { readonly const: number | bigint }
  | { readonly linear: { readonly base: number; readonly param: number; readonly wordCost: number } }
  | {
    readonly quadratic: {
      readonly param: number;
      readonly wordCost: number;
      readonly divisor: number;
      readonly rate: number;
    };
  };

/** How a host function is declared. */
export interface SyscallSignature {
  /** Number the code calls it by, unique in a linker; 0 … 2^32 − 1. */
  readonly index: number;
  /** Parameter types, in order. */
  readonly params: readonly ValueType[];
  /** Result types, in order. */
  readonly results: readonly ValueType[];
  /** What a call costs; nothing when absent. */
  readonly fuel?: SyscallFuel;
  /**
   * Says that `call` returns a promise; needed only when it is not itself an `async` function. The run
   * pauses until it settles: `callAsync` awaits it, a synchronous run hands it out as `payload`. The
   * caller stays usable across its awaits.
   */
  readonly async?: boolean;
}

/** Bytes of the guest's memory, checked. */
export interface GuestMemory {
  /** Current size in bytes; a multiple of 65,536. */
  readonly byteLength: number;
  /** A copy of `length` bytes at `offset`. Out of range ends the run with MemoryOutOfBounds; outside of a run it throws that trap. */
  read(offset: number, length: number): Uint8Array;
  /** Copies `bytes` to `offset`. Out of range ends the run with MemoryOutOfBounds, nothing written; outside of a run it throws that trap. */
  write(offset: number, bytes: Uint8Array): void;
  /** The live bytes; the view becomes stale when the memory grows. */
  view(): Uint8Array;
}

/** What a host function gets besides its arguments; valid until it returns, or its promise settles. */
export interface Caller<T = unknown> {
  /** Host context of the store. */
  readonly data: T;
  /** The guest's memory. */
  readonly memory: GuestMemory;
  /**
   * Charges fuel; ends the run with OutOfFuel when the limit does not allow it. Charge before you act:
   * where runs pause for fuel, a call that has only used its arguments, read memory and charged is
   * made again from its beginning when there is fuel, its first charges given back. One that has used
   * `data`, written memory or taken its `view()` cannot be made again, and traps; so does an
   * asynchronous one that has returned its promise.
   */
  consumeFuel(amount: bigint | number): void;
  /** Charges fuel if the limit allows it, else charges nothing and says false. */
  tryConsumeFuel(amount: bigint | number): boolean;
  /** What may still be consumed; undefined when unbounded. */
  remainingFuel(): bigint | undefined;
  /** Consumed becomes 0, the limit becomes `limit`; undefined for unbounded. */
  resetFuel(limit?: bigint | number): void;
  /** Ends this call as "paused"; `resume(results)` supplies the results. */
  pause(payload?: unknown): never;
  /** Ends the run as done, with zeros for results. */
  halt(): never;
  /** Ends the run with a trap. */
  trap(code: TrapName): never;
}

/** A host function. */
// deno-lint-ignore no-explicit-any -- arguments have the types of the declared signature
export type SyscallFunction<T> = (caller: Caller<T>, ...args: any[]) => unknown;

/** An instruction of an intrinsic, by name: `["I32Const", 7]`, `["I32Add"]`. */
export type IntrinsicInstruction = readonly [name: string, immediate?: number];

/** What replaces every call of an intrinsic: instructions, or nothing but dropping the arguments. */
export type Intrinsic = { readonly replace: readonly IntrinsicInstruction[] } | "remove";

/** The TypeScript type of a value of each WebAssembly type. */
export interface ValueOf {
  /** Signed number. */
  i32: number;
  /** Signed bigint. */
  i64: bigint;
  /** Number; what a host function returns is rounded to 32 bits. */
  f32: number;
  /** Number. */
  f64: number;
  /** Code index of the function, or null. */
  funcref: number | null;
  /** Number of the host's choice, or null. */
  externref: number | null;
}

/** Arguments of a function with the given parameter types; `any[]` when the types are not literal. */
export type ArgumentsOf<Params extends readonly ValueType[]> = number extends Params["length"]
  // deno-lint-ignore no-explicit-any -- types known only at run time cannot be inferred
  ? any[]
  : { -readonly [Position in keyof Params]: ValueOf[Params[Position]] };

/** What a function with the given result types returns: nothing, the value, or an array of the values. */
export type ReturnOf<Results extends readonly ValueType[]> = number extends Results["length"] ? unknown
  : Results extends readonly [] ? void
  : Results extends readonly [infer Only extends ValueType] ? ValueOf[Only]
  : { readonly [Position in keyof Results]: ValueOf[Results[Position]] };

/**
 * A host function typed by its signature; an `async` one returns a promise of the same. `[never]`,
 * which no value is, makes TypeScript take the `[1, 2n]` of a `return` for a tuple.
 */
export type TypedSyscallFunction<
  T,
  Params extends readonly ValueType[],
  Results extends readonly ValueType[],
> = (caller: Caller<T>, ...args: ArgumentsOf<Params>) =>
  | ReturnOf<Results>
  | [never]
  | Promise<ReturnOf<Results> | [never]>;

/** A host function of a plugin: its signature and what it does. */
export interface SyscallDeclaration<T> extends SyscallSignature {
  /** Runs when the guest calls; gets one argument per parameter, returns the results. */
  readonly call: SyscallFunction<T>;
}

/** What a plugin finds of a store: its host context and the memory of its guest. A `RwasmStore` is one. */
export interface StoreView<T = unknown> {
  /** Host context of the store. */
  readonly data: T;
  /** The guest's memory. */
  readonly memory: GuestMemory;
}

/**
 * State that a plugin keeps outside of the guest, as a snapshot has it. Saving must not change the
 * state, and restoring what was just saved must change nothing a guest can see.
 */
// deno-lint-ignore no-explicit-any -- a plugin that does not name its context runs with any
export interface PluginState<T = any> {
  /** Name in snapshots, unique in a linker; the import module of the plugin when absent. */
  readonly name?: string;
  /** The state as bytes. */
  save(store: StoreView<T>): Uint8Array;
  /** Puts saved state in the place of what there is. Bytes may come from anybody: what is wrong must throw. */
  restore(store: StoreView<T>, bytes: Uint8Array): void;
}

/**
 * A plugin: host functions under one import module. The default export of a plugin file; see
 * {@link defineSyscalls}.
 */
// deno-lint-ignore no-explicit-any -- a plugin that does not name its context runs with any
export interface SyscallPlugin<T = any> {
  /** Module part of the import names. */
  readonly module: string;
  /** Name that errors show; the import module or the file when absent. */
  readonly name?: string;
  /** The functions by name part of the import names. */
  readonly functions: Readonly<Record<string, SyscallDeclaration<T>>>;
  /** How snapshots save and restore what it keeps; for plugins that keep something between calls. */
  readonly state?: PluginState<T>;
}

/** What {@link defineSyscalls} takes: a plugin in which the types of each `call` follow from its signature. */
export interface TypedSyscallPlugin<
  T,
  Params extends Record<string, readonly ValueType[]>,
  Results extends Record<string, readonly ValueType[]>,
> {
  /** Module part of the import names. */
  readonly module: string;
  /** Name that errors show; the import module or the file when absent. */
  readonly name?: string;
  /** How snapshots save and restore what it keeps; for plugins that keep something between calls. */
  readonly state?: PluginState<T>;
  // Two mapped types, because TypeScript infers one type parameter from each.
  /** The functions by name part of the import names. */
  readonly functions:
    & {
      readonly [Name in keyof Params]: SyscallSignature & {
        readonly params: Params[Name];
        readonly call: TypedSyscallFunction<T, Params[Name], Results[Name & keyof Results]>;
      };
    }
    & { readonly [Name in keyof Results]: { readonly results: Results[Name] } };
}

/**
 * Hands its argument back, having typed it: the arguments of each `call` follow from `params`, what
 * it must return from `results`. The linker checks a plugin when it is used, typed or not.
 *
 * @example
 * ```ts
 * import { defineSyscalls } from "./mod.ts";
 * export default defineSyscalls({
 *   module: "env",
 *   functions: {
 *     add: { index: 1, params: ["i32", "i32"], results: ["i32"], call: (_caller, a, b) => (a + b) | 0 },
 *     now: { index: 2, params: [], results: ["i64"], fuel: { const: 100 }, call: () => 0n },
 *   },
 * });
 * ```
 */
export function defineSyscalls<
  const Params extends Record<string, readonly ValueType[]>,
  const Results extends Record<string, readonly ValueType[]>,
  // deno-lint-ignore no-explicit-any -- the context is any unless a `caller` is annotated
  T = any,
>(plugin: TypedSyscallPlugin<T, Params, Results>): SyscallPlugin<T> {
  return plugin as unknown as SyscallPlugin<T>;
}

/** A host function as a linker holds it: checked, copied from the declaration, frozen. */
export interface Syscall<T> {
  /** Module part of the import name. */
  readonly module: string;
  /** Name part of the import name. */
  readonly name: string;
  /** Number the code calls it by; 0 … 2^32 − 1. */
  readonly index: number;
  /** Parameter types, in order. */
  readonly params: readonly ValueType[];
  /** Result types, in order. */
  readonly results: readonly ValueType[];
  /** What a call costs; `const` is a number up to 2^32 − 1, a bigint above. */
  readonly fuel: SyscallFuel | undefined;
  /** What the compiler puts in place of every call; undefined for a function that is called. */
  readonly intrinsic: Intrinsic | undefined;
  /** The function; that of an intrinsic throws. */
  readonly call: SyscallFunction<T>;
  /** Who declared it, for messages: the plugin, or "define()". */
  readonly plugin: string;
  /** Whether `call` returns a promise: the machine pauses until it settles. */
  readonly async: boolean;
}
