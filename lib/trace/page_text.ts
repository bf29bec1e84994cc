/**
 * Texts of the pages and pictures: names and numbers in, HTML or XML out. Names come from modules that
 * nobody trusts; what leaves here can neither end an element or attribute nor turn the direction of
 * the line around it.
 *
 * @module
 */

import { UsageError } from "../error.ts";

/**
 * Makes a text that may be longer than a string can be.
 *
 * @param what names it in the message
 * @throws {UsageError} `TextTooLong`
 */
export function longText(what: string, make: () => string): string {
  try {
    return make();
  } catch (error) {
    // The engine's "Invalid string length": there is no way to know before.
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError("TextTooLong", `Cannot write ${what}: the text is too long for a string`, {
      hint: "a profiler with fewer stacks makes a smaller profile",
      cause: error,
    });
  }
}

/** Longest name a page shows; the rest is told by its length. */
const SHOWN_NAME = 200;

const ENTITIES: { readonly [character: string]: string } = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/**
 * A name in one line without anything that is invisible or steers what shows it: control, format and
 * line-breaking characters and halves of surrogate pairs as `\u{…}`, long names cut, blank ones quoted.
 */
export function plainName(name: string): string {
  let shown = name;
  if (name.length > SHOWN_NAME) {
    // Half of a pair would be escaped as what it never was.
    const high = name.charCodeAt(SHOWN_NAME - 1) & 0xfc00;
    shown = `${name.slice(0, high === 0xd800 ? SHOWN_NAME - 1 : SHOWN_NAME)}… (${name.length} characters)`;
  }
  if (shown.trim() === "") shown = `"${shown}"`;
  return shown.replace(
    /[\p{C}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}

/** A text as the content of an element or attribute of HTML and XML. */
export function escapeText(text: string): string {
  return plainLines(text).replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/** XML has no way to write most control characters and no halves of pairs at all. */
function plainLines(text: string): string {
  return text.replace(
    /[^\P{C}\n\t]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}

/** A name as the content of an element or attribute. */
export function nameText(name: string): string {
  return escapeText(plainName(name));
}

/** Data as JSON inside of a script element, where `<` would let a string end the element. */
export function scriptJson(data: unknown): string {
  return JSON.stringify(data).replace(/[<>&\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** An integer with a comma between groups of three digits. */
export function grouped(value: bigint | number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** A part of a whole in percent with two digits, rounded down to the digit; 0 of 0 is 0. */
export function percent(part: bigint, whole: bigint): string {
  if (whole === 0n) return "0.00 %";
  const hundredths = part * 10_000n / whole;
  return `${hundredths / 100n}.${String(hundredths % 100n).padStart(2, "0")} %`;
}
