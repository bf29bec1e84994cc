/**
 * The environment of one guest: everything a call of WASI works on, and the wrapper that makes a host
 * function of a call. A call gets unsigned numbers, ends by returning or by a `Failure`, and finds
 * memory and caller of the call under way in its environment.
 *
 * @module
 */

import type { ArgumentsOf, Caller, SyscallFuel, ValueType } from "../../mod.ts";
import type { Clock } from "./clock.ts";
import type { DescriptorTable } from "./descriptor.ts";
import { Errno, Failure } from "./errno.ts";
import type { FileSystem } from "./file_system.ts";
import { type Buffers, Guest } from "./guest.ts";
import type { RandomSource } from "./random.ts";
import type { Input, Output } from "./stream.ts";

/** A directory a guest was given. */
export interface Preopen {
  /** The name the guest knows it by. */
  readonly name: string;
  /** What is behind it. */
  readonly fs: FileSystem;
}

/** What one guest sees of the world, and what it has done to it. */
export class Environment {
  /** Arguments, each with its closing NUL. */
  args: readonly Uint8Array[];
  /** Variables as `name=value`, each with its closing NUL. */
  variables: readonly Uint8Array[];
  /** Standard input. */
  readonly input: Input;
  /** Standard output and standard error. */
  readonly outputs: readonly [Output, Output];
  /** Time. */
  readonly clock: Clock;
  /** Random bytes. */
  readonly random: RandomSource;
  /** What is open. */
  readonly descriptors: DescriptorTable;
  /** The directories the guest was given, by the names it knows them by, closed or not. */
  preopens: readonly Preopen[];
  /** Whether bytes that are read and written cost fuel. */
  readonly metered: boolean;
  /** What the guest gave to `proc_exit`. */
  exitCode: number | undefined = undefined;

  /** Memory during a call. */
  guest: Guest = new Guest(new Uint8Array(0));
  /** The call under way. */
  caller: Caller | undefined = undefined;

  /** Takes its parts as they are. */
  constructor(
    parts: Pick<
      Environment,
      "args" | "variables" | "input" | "outputs" | "clock" | "random" | "descriptors" | "preopens" | "metered"
    >,
  ) {
    this.args = parts.args;
    this.variables = parts.variables;
    this.input = parts.input;
    this.outputs = parts.outputs;
    this.clock = parts.clock;
    this.random = parts.random;
    this.descriptors = parts.descriptors;
    this.preopens = parts.preopens;
    this.metered = parts.metered;
  }

  /** Charges for the bytes that a call moves, one fuel per 32; then the live buffers to move them to or from. */
  charged(buffers: Buffers): Uint8Array[] {
    if (this.metered) this.caller!.consumeFuel((buffers.total + 31) >>> 5);
    return this.guest.live(buffers);
  }
}

/** A call of WASI: its signature, its default cost, and what it does. */
export interface WasiCall {
  /** Parameter types. */
  readonly params: readonly ValueType[];
  /** An error number; nothing for `proc_exit`. */
  readonly results: readonly ["i32"] | readonly [];
  /** What it costs when costs are asked for; see `WasiOptions.fuel`. */
  readonly fuel: SyscallFuel;
  /** What it does; i32 arguments are unsigned. */
  // deno-lint-ignore no-explicit-any -- arguments have the types of `params`
  readonly body: (environment: Environment, ...args: any[]) => void;
}

/** Fuel of a call that declares none. */
const CALL_FUEL: SyscallFuel = { const: 50 };

/** Declares a call that returns an error number; the types of `body` follow from `params`. */
export function wasiCall<const Params extends readonly ValueType[]>(
  params: Params,
  body: (environment: Environment, ...args: ArgumentsOf<Params>) => void,
  fuel: SyscallFuel = CALL_FUEL,
): WasiCall {
  return { params, results: ["i32"], fuel, body };
}

/** Makes the host function of a call. */
export function hostFunction(
  { params, results, body }: WasiCall,
  environmentOf: (caller: Caller) => Environment,
): (caller: Caller, ...args: (number | bigint)[]) => number | void {
  const returnsErrno = results.length === 1;
  const call = (caller: Caller, ...args: (number | bigint)[]): number | void => {
    const environment = environmentOf(caller), { caller: outerCaller, guest: outerGuest } = environment;
    // A call that charges by itself must be one that can be made again until it has charged.
    if (environment.metered) environment.guest = new Guest(caller.memory);
    else {
      const bytes = caller.memory.view();
      if (bytes !== outerGuest.bytes) environment.guest = new Guest(bytes);
    }
    environment.caller = caller;
    for (let i = 0; i < args.length; i++) {
      const value = args[i]!;
      if (typeof value === "number") args[i] = value >>> 0;
    }
    try {
      body(environment, ...args);
      return returnsErrno ? Errno.SUCCESS : undefined;
    } catch (error) {
      if (error instanceof Failure && returnsErrno) return error.errno;
      throw error;
    } finally {
      // A sink may run another guest with the same environment: what was under way goes on after it.
      environment.caller = outerCaller;
      if (outerCaller !== undefined) environment.guest = outerGuest;
    }
  };
  // The wrapper takes any number of arguments; checks of a plugin look at how many it declares.
  return Object.defineProperty(call, "length", { value: params.length + 1 });
}
