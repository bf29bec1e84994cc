/**
 * Stand-in for `@std/assert` where JSR cannot be reached: the assertions our tests use, with the
 * names, parameters and error class of the real package, over `node:assert`. `assertEquals` is
 * stricter than the real one in one point: it tells 0 from -0.
 *
 * @module
 */

import { deepStrictEqual } from "node:assert/strict";

// deno-lint-ignore no-explicit-any -- a class is anything that can be newed
type Class<T> = abstract new (...args: any[]) => T;

/** What every assertion throws when it does not hold. */
export class AssertionError extends Error {
  /** Class name. */
  override readonly name = "AssertionError";
}

function refuse(what: string, msg: string | undefined): never {
  throw new AssertionError(msg === undefined ? what : `${what}: ${msg}`);
}

function show(value: unknown): string {
  return Deno.inspect(value, { depth: 6, sorted: true, trailingComma: true, strAbbreviateSize: 10_000 });
}

function differenceOf(actual: unknown, expected: unknown): string | undefined {
  try {
    deepStrictEqual(actual, expected);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Asserts that `expr` is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

/** Asserts deep equality. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  const difference = differenceOf(actual, expected);
  if (difference !== undefined) refuse(`Values are not equal.\n${difference}`, msg);
}

/** Asserts deep inequality. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (differenceOf(actual, expected) === undefined) {
    refuse(`Expected actual: ${show(actual)} not to be: ${show(expected)}`, msg);
  }
}

/** Asserts identity, as `Object.is` tells it. */
export function assertStrictEquals<T>(actual: unknown, expected: T, msg?: string): asserts actual is T {
  if (!Object.is(actual, expected)) {
    refuse(`Values are not strictly equal.\n  actual: ${show(actual)}\n  expected: ${show(expected)}`, msg);
  }
}

/** Asserts that a value is neither null nor undefined. */
export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  if (actual === undefined || actual === null) {
    refuse(`Expected actual: "${actual}" to not be null or undefined`, msg);
  }
}

/** Asserts that a value is an instance of a class. */
export function assertInstanceOf<T>(actual: unknown, expected: Class<T>, msg = ""): asserts actual is T {
  if (!(actual instanceof expected)) {
    refuse(
      `Expected object to be an instance of "${expected.name}" but was ${show(actual)}`,
      msg || undefined,
    );
  }
}

/** Asserts that a text matches a pattern. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  if (!expected.test(actual)) refuse(`Expected actual: "${actual}" to match: "${expected}"`, msg);
}

/** Asserts that a text contains another. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (!actual.includes(expected)) refuse(`Expected actual: "${actual}" to contain: "${expected}"`, msg);
}

/** Asserts that every expected element is deeply equal to some actual one. */
export function assertArrayIncludes<T>(
  actual: ArrayLike<T>,
  expected: ArrayLike<T>,
  msg?: string,
): void {
  const all = Array.from(actual);
  const missing = Array.from(expected).filter((wanted) =>
    !all.some((one) => differenceOf(one, wanted) === undefined)
  );
  if (missing.length > 0) {
    refuse(
      `Expected actual: "${show(actual)}" to include: "${show(expected)}"\nmissing: ${show(missing)}`,
      msg,
    );
  }
}

/** Asserts that two numbers differ by at most `tolerance` (default: a ten-millionth of `expected`). */
export function assertAlmostEquals(actual: number, expected: number, tolerance?: number, msg?: string): void {
  if (Object.is(actual, expected)) return;
  const allowed = tolerance ?? (Number.isFinite(expected) ? Math.abs(expected * 1e-7) : 1e-7);
  const delta = Math.abs(expected - actual);
  if (!(delta <= allowed)) {
    refuse(`Expected actual: "${actual}" to be close to "${expected}": delta ${delta} > ${allowed}`, msg);
  }
}

/** Fails. */
export function fail(msg?: string): never {
  refuse("Failed assertion", msg);
}

// One check for assertThrows and assertRejects: class and text of what was thrown.
function checkThrown(
  error: unknown,
  expected: Class<Error> | undefined,
  includes: string | undefined,
  msg: string | undefined,
): void {
  if (expected === undefined) return;
  if (!(error instanceof Error)) refuse(`A non-Error object was thrown: ${show(error)}`, msg);
  if (!(error instanceof expected)) {
    refuse(
      `Expected error to be instance of "${expected.name}", but was ${error}`,
      msg,
    );
  }
  if (includes !== undefined && !error.message.includes(includes)) {
    refuse(`Expected error message to include ${show(includes)}, but got ${show(error.message)}`, msg);
  }
}

/** Asserts that `fn` throws; gives the error back. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Asserts that `fn` throws an error of a class, with a text in its message; gives the error back. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  // deno-lint-ignore no-explicit-any -- as in the real package
  ErrorClass: abstract new (...args: any[]) => E,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows(
  fn: () => unknown,
  classOrMsg?: Class<Error> | string,
  includes?: string,
  msg?: string,
): unknown {
  const expected = typeof classOrMsg === "string" ? undefined : classOrMsg;
  const note = typeof classOrMsg === "string" ? classOrMsg : msg;
  let thrown: unknown;
  try {
    fn();
  } catch (error) {
    thrown = error;
    checkThrown(error, expected, includes, note);
    return thrown;
  }
  refuse("Expected function to throw", note);
}

/** Asserts that `fn` gives a promise that rejects; resolves to the error. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/** Asserts that `fn` gives a promise that rejects with an error of a class, with a text in its message. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  // deno-lint-ignore no-explicit-any -- as in the real package
  ErrorClass: abstract new (...args: any[]) => E,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  classOrMsg?: Class<Error> | string,
  includes?: string,
  msg?: string,
): Promise<unknown> {
  const expected = typeof classOrMsg === "string" ? undefined : classOrMsg;
  const note = typeof classOrMsg === "string" ? classOrMsg : msg;
  let promise: PromiseLike<unknown>;
  try {
    promise = fn();
  } catch {
    refuse("Function throws when expected to reject", note);
  }
  try {
    await promise;
  } catch (error) {
    checkThrown(error, expected, includes, note);
    return error;
  }
  refuse("Expected function to reject", note);
}
