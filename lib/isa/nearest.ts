/**
 * Names in messages: finds the name somebody probably meant, and quotes names that come from
 * untrusted input. Imports nothing, so that every room can use it.
 *
 * @module
 */

/** Longer names are not compared: the work is quadratic and the names may come from a hostile module. */
const COMPARED_LENGTH = 64;

/** Characters of a name that a message shows. */
const SHOWN_LENGTH = 80;

/**
 * The candidate that `name` is most likely a misspelling of: smallest edit distance (insertion,
 * deletion, substitution, transposition of neighbors; letter case is free), the first one among
 * equals. Undefined when none is near: every character, or more than a third of them (but at least
 * one), would have to change.
 */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  if (name.length > COMPARED_LENGTH) return undefined;
  const folded = name.toLowerCase();
  let best: string | undefined;
  let bound = Math.min(Math.max(1, Math.floor(name.length / 3)), name.length - 1) + 1; // exclusive
  for (const candidate of candidates) {
    if (candidate === name) return candidate;
    if (candidate.length > COMPARED_LENGTH || Math.abs(candidate.length - name.length) >= bound) continue;
    const distance = editDistance(folded, candidate.toLowerCase());
    if (distance < bound) {
      best = candidate;
      bound = distance;
    }
  }
  return best;
}

/** Optimal string alignment distance, by rows of the usual matrix. */
function editDistance(a: string, b: string): number {
  const width = b.length + 1;
  let beforeLast = new Uint8Array(width);
  let last = Uint8Array.from({ length: width }, (_, column) => column);
  let row = new Uint8Array(width);
  for (let i = 1; i <= a.length; i++) {
    row[0] = i;
    for (let j = 1; j < width; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, beforeLast[j - 2]! + 1);
      }
      row[j] = cost;
    }
    [beforeLast, last, row] = [last, row, beforeLast];
  }
  return last[b.length]!;
}

/**
 * A name in double quotes, safe to print: control, format and line-breaking characters escaped, so
 * that a hostile name can neither break a line nor drive a terminal; long names are cut.
 */
export function quoteName(name: string): string {
  const shown = name.length > SHOWN_LENGTH ? `${name.slice(0, SHOWN_LENGTH)}…` : name;
  const escaped = shown.replace(/["\\]|[\p{C}\p{Zl}\p{Zp}]/gu, (character) => {
    if (character === '"' || character === "\\") return `\\${character}`;
    return `\\u{${character.codePointAt(0)!.toString(16)}}`;
  });
  return `"${escaped}"`;
}
