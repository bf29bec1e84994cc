/**
 * Hints for mistyped names: the nearest one, and the list of what there is.
 *
 * @module
 */

import { nearest } from "../isa/nearest.ts";

/** Names a hint lists at most. */
const LISTED = 20;

/** A hint for an unknown name: the nearest one if there is one, and what there is. */
export function hintFor(name: string, what: string, candidates: readonly string[]): string {
  const near = nearest(name, candidates);
  const guess = near === undefined ? "" : `did you mean ${near}? `;
  if (candidates.length === 0) return `there are no ${what}`;
  const more = candidates.length > LISTED ? `, and ${candidates.length - LISTED} more` : "";
  return `${guess}the ${what} are ${candidates.slice(0, LISTED).join(", ")}${more}`;
}
