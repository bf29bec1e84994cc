/**
 * Collects what is wrong with a declaration, so that one error tells all of it. Checks look at objects
 * of the host, whose getters and proxies may throw anything: that is noted too. It checks nothing by
 * itself.
 *
 * @module
 */

import { PluginError } from "../error.ts";

/** One thing that is wrong. */
export interface Problem {
  /** Stable code of the error that tells it. */
  readonly code: string;
  /** What it is about, such as `function "env"."get"`; undefined for the whole. */
  readonly subject: string | undefined;
  /** What is wrong. */
  readonly why: string;
  /** What the reader can do. */
  readonly hint: string | undefined;
  /** What was thrown while looking. */
  readonly cause: unknown;
}

/** Reports what is wrong, and leaves the check. */
export type Refuse = (code: string, why: string, hint?: string) => never;

/** Carries a problem out of a check. */
class Refused extends Error {
  readonly code: string;
  readonly hint: string | undefined;

  constructor(code: string, why: string, hint: string | undefined) {
    super(why);
    this.code = code;
    this.hint = hint;
  }
}

/** What a check notes. */
export class Problems {
  readonly #list: Problem[] = [];

  /** How many there are. */
  get count(): number {
    return this.#list.length;
  }

  /** Notes one problem. */
  add(code: string, why: string, hint?: string, subject?: string): void {
    this.#list.push({ code, subject, why, hint, cause: undefined });
  }

  /** Runs a check about one subject; undefined, and a problem noted, when it refuses or throws. */
  attempt<Result>(subject: string | undefined, check: (refuse: Refuse) => Result): Result | undefined {
    try {
      return check((code, why, hint) => {
        throw new Refused(code, why, hint);
      });
    } catch (error) {
      const found = error instanceof Refused
        ? { code: error.code, why: error.message, hint: error.hint, cause: undefined }
        : { code: "InvalidPlugin", why: "reading the declaration failed", hint: undefined, cause: error };
      this.#list.push({ subject, ...found });
      return undefined;
    }
  }

  /**
   * Throws one error with all problems when there are any: "Cannot <doing>: <why>". Its code and its
   * cause are those of the first problem.
   */
  report(doing: string): void {
    const [first, ...others] = this.#list;
    if (first === undefined) return;
    if (others.length === 0) {
      const about = first.subject === undefined ? "" : `${first.subject}: `;
      throw new PluginError(first.code, `Cannot ${doing}: ${about}${first.why}`, {
        hint: first.hint,
        cause: first.cause,
      });
    }
    let text = `Cannot ${doing}: there are ${this.#list.length} problems`;
    for (const { subject, why, hint } of this.#list.slice(0, LISTED)) {
      text += `\n  ${subject === undefined ? "" : `${subject}: `}${why}`;
      if (hint !== undefined) text += ` (${hint})`;
    }
    if (this.#list.length > LISTED) text += `\n  … and ${this.#list.length - LISTED} more`;
    throw new PluginError(first.code, text, { cause: first.cause });
  }
}

/** Problems that one message lists. */
const LISTED = 100;

/** Runs one check whose first problem is the error. */
export function guarded<Result>(doing: string, check: (refuse: Refuse) => Result): Result {
  const problems = new Problems();
  const result = problems.attempt(undefined, check);
  problems.report(doing);
  return result as Result;
}
