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
  type Trap,
  UsageError,
  ValidationError,
  VerifyError,
} from "../error.ts";

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
} as const;

/** What each exit code means, in ascending order. */
export const EXIT_CODES: readonly (readonly [code: number, meaning: string])[] = [
  [Exit.Ok, "done"],
  [Exit.Host, "host error: a file, a permission, or a bug of ours"],
  [Exit.Usage, "usage error: unknown command, flag or export, or a wrong argument"],
  [Exit.InvalidModule, "invalid module: malformed, not valid, or beyond a limit"],
  [Exit.Link, "link error: imports that no plugin offers"],
  [Exit.Plugin, "plugin error: a plugin that cannot be used, or a host function that failed"],
  [Exit.Trap, "the guest trapped"],
  [Exit.OutOfFuel, "the guest ran out of fuel"],
  [Exit.Paused, "the guest paused: a host function called pause()"],
];

/** Exit code of something thrown. */
export function exitCodeOfError(error: unknown): number {
  if (error instanceof UsageError) return Exit.Usage;
  if (error instanceof LinkError) return Exit.Link;
  if (error instanceof PluginError) return Exit.Plugin;
  const invalid = [DecodeError, ValidationError, CompileError, VerifyError];
  return invalid.some((kind) => error instanceof kind) ? Exit.InvalidModule : Exit.Host;
}

/** Exit code of a trap. */
export function exitCodeOfTrap(trap: Trap): number {
  if (trap.code === "OutOfFuel") return Exit.OutOfFuel;
  return trap.code === "HostError" ? Exit.Plugin : Exit.Trap;
}
