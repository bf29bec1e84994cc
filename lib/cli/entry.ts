/**
 * Which exported function a command means when it is not told, and what to say when a name is wrong.
 *
 * @module
 */

import { UsageError } from "../error.ts";
import { quoteName } from "../isa/nearest.ts";
import { hintFor } from "./suggest.ts";

/** Names tried in order when no function is chosen. */
const USUAL = ["main", "_start"];

/** The function that runs when none is chosen: `main`, `_start`, or the only one; undefined when that is not clear. */
export function usualExport(names: readonly string[]): string | undefined {
  return USUAL.find((name) => names.includes(name)) ?? (names.length === 1 ? names[0] : undefined);
}

/**
 * Checks that a chosen name is an exported function.
 *
 * @throws {UsageError} `UnknownExport`, with the nearest name or all of them.
 */
export function checkExport(name: string, names: readonly string[]): string {
  if (names.includes(name)) return name;
  throw new UsageError(
    "UnknownExport",
    `Cannot call ${quoteName(name)}: no exported function has that name`,
    {
      hint: hintFor(name, "exported functions", names),
    },
  );
}
