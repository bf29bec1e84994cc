/**
 * The error classes of a facade, and the translation of our errors into them: a refused module is a
 * `CompileError`, a trap a `RuntimeError`; the original is the `cause`. What a host function throws
 * does not come here: it passes through the guest unchanged.
 *
 * @module
 */

import { RwasmError, type Trap } from "../error.ts";

/** The error classes of one facade. */
export interface ErrorClasses {
  /** A module that is malformed, invalid, or beyond the limits. */
  readonly CompileError: typeof WebAssembly.CompileError;
  /** Imports that do not fit the module. */
  readonly LinkError: typeof WebAssembly.LinkError;
  /** A guest that trapped or ran out of fuel. */
  readonly RuntimeError: typeof WebAssembly.RuntimeError;
}

/** New classes: errors of two facades are told apart by `instanceof`. */
export function createErrorClasses(): ErrorClasses {
  return {
    CompileError: errorClass("CompileError"),
    LinkError: errorClass("LinkError"),
    RuntimeError: errorClass("RuntimeError"),
  };
}

/** A class that, like every native error, can also be called without `new`. */
function errorClass(name: string): typeof WebAssembly.RuntimeError {
  function NativeError(...args: [message?: string, options?: ErrorOptions]): Error {
    return Reflect.construct(Error, args, new.target ?? NativeError);
  }
  Object.setPrototypeOf(NativeError, Error);
  NativeError.prototype = Object.create(Error.prototype, {
    constructor: { value: NativeError, writable: true, configurable: true },
    name: { value: name, writable: true, configurable: true },
    message: { value: "", writable: true, configurable: true },
  });
  Object.defineProperty(NativeError, "prototype", { writable: false });
  Object.defineProperty(NativeError, "name", { value: name, configurable: true });
  Object.defineProperty(NativeError, "length", { value: 1, configurable: true });
  return NativeError as unknown as typeof WebAssembly.RuntimeError;
}

/** What to throw when a module was refused; errors that are not ours are bugs and stay what they are. */
export function refusedModule(classes: ErrorClasses, error: unknown): unknown {
  return error instanceof RwasmError ? new classes.CompileError(error.message, { cause: error }) : error;
}

/**
 * What to throw for a trap. An exhausted stack is a `RangeError`, because the JavaScript interface
 * wants the class that JavaScript itself throws then.
 */
export function trapError(classes: ErrorClasses, trap: Trap): Error {
  const text = trap.message.split("\n", 1)[0]!;
  switch (trap.code) {
    case "StackOverflow":
      return new RangeError(text, { cause: trap });
    case "OutOfFuel":
      return new classes.RuntimeError(`${text}; raise fuelLimit, or call addFuel() or resetFuel()`, {
        cause: trap,
      });
    default:
      return new classes.RuntimeError(text, { cause: trap });
  }
}
