/**
 * The exit codes of the command line: one table, which help texts print, and the code of each error
 * and outcome.
 *
 * @module
 */

import {
  CompileError,
  DecodeError,
  LinkError,
  PluginError,
  RwasmError,
  SnapshotError,
  type Trap,
  UsageError,
  ValidationError,
  VerifyError,
} from "../error.ts";
import type { Paused } from "../vm/outcome.ts";

/** Exit codes by name. */
export const Exit = {
  Ok: 0,
  Host: 1,
  Usage: 2,
  InvalidModule: 3,
  Link: 4,
  Plugin: 5,
  Trap: 10,
  OutOfFuel: 11,
  Paused: 12,
  Limit: 13,
  Different: 14,
  Timeout: 124,
  Interrupted: 130,
  PipeClosed: 141,
} as const;

/** What each exit code means, in ascending order; a program of WASI may end with any other. */
export const EXIT_CODES: readonly (readonly [code: number, meaning: string])[] = [
  [Exit.Ok, "done"],
  [Exit.Host, "host error: a file, a permission, or a bug of ours"],
  [Exit.Usage, "usage error: unknown command, flag or export, or a wrong argument"],
  [Exit.InvalidModule, "invalid module or snapshot: malformed, not valid, or not to be compiled"],
  [Exit.Link, "link error: imports that no plugin offers"],
  [Exit.Plugin, "plugin error: a plugin that cannot be used, or a host function that failed"],
  [Exit.Trap, "the guest trapped"],
  [Exit.OutOfFuel, "the guest ran out of fuel"],
  [Exit.Paused, "the guest paused: by a host function, at --pause-at-fuel, or by Ctrl-C with --snapshot"],
  [Exit.Limit, "a limit was reached: of a module's size or of the guest's stack"],
  [Exit.Different, "diff or replay found a difference"],
  [Exit.Timeout, "the time of --timeout was over"],
  [Exit.Interrupted, "interrupted by Ctrl-C"],
  [Exit.PipeClosed, "the reader of the output went away"],
];

/** What follows the table: the codes that are the guest's. */
export const GUEST_EXIT = "A program of WASI that ends by itself with proc_exit(n) makes the exit code n.";

/** Exit code of something thrown. */
export function exitCodeOfError(error: unknown): number {
  if (error instanceof UsageError) return Exit.Usage;
  if (error instanceof LinkError || isUnlinked(error)) return Exit.Link;
  if (error instanceof PluginError) return Exit.Plugin;
  const invalid = [DecodeError, ValidationError, CompileError, VerifyError, SnapshotError];
  if (!invalid.some((kind) => error instanceof kind)) return Exit.Host;
  return limitOf(error) === undefined ? Exit.InvalidModule : Exit.Limit;
}

/** Whether code that has no import names any more calls what no plugin offers. */
function isUnlinked(error: unknown): boolean {
  return error instanceof VerifyError && error.code === "UnknownSyscall";
}

/** Exit code of a pause; `kept` tells whether the run can be resumed later. */
export function exitCodeOfPause({ reason }: Paused, kept = false): number {
  if (reason === "deadline") return Exit.Timeout;
  return reason === "abort" && !kept ? Exit.Interrupted : Exit.Paused;
}

/** Exit code of a trap. */
export function exitCodeOfTrap(trap: Trap): number {
  if (trap.code === "OutOfFuel") return Exit.OutOfFuel;
  if (trap.code === "StackOverflow") return Exit.Limit;
  // What AssemblyScript's abort throws is the guest's doing, not the plugin's.
  const { cause } = trap, aborted = cause instanceof Error && cause.name === "AssemblyScriptAbort";
  return trap.code === "HostError" && !aborted ? Exit.Plugin : Exit.Trap;
}

/**
 * Exit code for what a guest gave to `proc_exit`. The operating system keeps 8 bits; a failure must
 * not become a 0 by that.
 */
export function exitCodeOfGuest(code: number): number {
  return code <= 255 ? code : code % 256 || Exit.Host;
}

/** Name of the limit an error is about; an error at a limit names it in its hint. */
export function limitOf(error: unknown): string | undefined {
  return error instanceof RwasmError ? /\blimits\.(\w+)/.exec(error.hint ?? "")?.[1] : undefined;
}
