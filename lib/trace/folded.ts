/**
 * Profiles as folded stacks, one line per calling context: the functions from the outermost in,
 * separated by `;`, a space, the fuel. It is what flame graph tools read, and what `profile --diff`
 * compares. Written and read here.
 *
 * @module
 */

import { DecodeError } from "../error.ts";
import { longText } from "./page_text.ts";
import type { Profile } from "./profile.ts";
import { walk } from "./profile_stacks.ts";
import { CallTree, ROOT } from "./profile_tree.ts";

/** The part of a profile that has a name in every build of a program: functions and stacks. */
export interface StackProfile {
  /** All fuel. */
  readonly fuel: bigint;
  /** Functions by position; their names are unique. */
  readonly functions: readonly { readonly name: string }[];
  /** Calling contexts: columns as in `ProfileStacks`. */
  readonly stacks: Pick<Profile["stacks"], "parents" | "functions" | "fuel">;
}

/** Longest line that is read; deeper stacks than this come from no program. */
const LONGEST_LINE = 2 ** 24;

/** Most calling contexts that are read; more come from no program. */
const MOST_STACKS = 2 ** 24;

/** Most digits of an amount: 2^64 has 20. */
const MOST_DIGITS = 40;

/** A name as one frame of a folded stack: `;`, line ends and control characters as `\u{…}`. */
function frameName(name: string): string {
  return name.replace(/[;\\\p{C}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u{${character.codePointAt(0)!.toString(16)}}`;
  });
}

/** The name behind a frame. */
function nameOf(frame: string): string {
  return frame.replace(/\\u\{([0-9a-f]{1,6})\}/g, (text, digits: string) => {
    const code = parseInt(digits, 16);
    return code > 0x10ffff ? text : String.fromCodePoint(code);
  });
}

/** Writes a profile, contexts in the order they were first entered; those that charged nothing are left out. */
export function* foldedLines({ functions, stacks }: StackProfile): Generator<string, void> {
  const names = functions.map(({ name }) => frameName(name));
  const path: string[] = [], order: number[] = [], depths: number[] = [];
  walk(stacks, (node, depth) => {
    order.push(node);
    depths.push(depth);
  });
  for (let n = 0; n < order.length; n++) {
    const node = order[n]!, depth = depths[n]!;
    const name = names[stacks.functions[node]!]!;
    path[depth] = depth === 0 ? name : `${path[depth - 1]};${name}`;
    if (stacks.fuel[node]! > 0n) yield `${path[depth]} ${stacks.fuel[node]}\n`;
  }
}

/**
 * Writes a profile as one text. Deep recursion makes it long: every line names the whole stack.
 *
 * @throws {UsageError} `TextTooLong`
 */
export function foldedStacks(profile: StackProfile): string {
  return longText("folded stacks", () => {
    let text = "";
    for (const line of foldedLines(profile)) text += line;
    return text;
  });
}

/**
 * Reads folded stacks, from here or from another tool.
 *
 * @throws {DecodeError} `MalformedProfile` for a line that is not stack, space, amount.
 */
export function parseFolded(text: string): StackProfile {
  const names = new Map<string, number>(), tree = new CallTree(2 * MOST_STACKS, -2);
  let fuel = 0n, offset = 0;
  for (const line of text.split("\n")) {
    const at = offset;
    offset += line.length + 1;
    const content = line.endsWith("\r") ? line.slice(0, -1) : line;
    if (content.trim() === "") continue;
    const space = content.lastIndexOf(" "), amount = content.slice(space + 1);
    const whole = space > 0 && /^\d+$/.test(amount) && amount.length <= MOST_DIGITS;
    if (!whole || content.length > LONGEST_LINE) {
      throw new DecodeError(
        "MalformedProfile",
        "Cannot read folded stacks: a line is not stack, space, amount",
        {
          offset: at,
          hint: "such as main;parse;read 1234; profile writes it with --format folded",
        },
      );
    }
    if (tree.length > MOST_STACKS) {
      throw new DecodeError(
        "MalformedProfile",
        `Cannot read folded stacks: there are more than ${MOST_STACKS}`,
      );
    }
    let node = ROOT;
    for (const frame of content.slice(0, space).split(";")) {
      const name = nameOf(frame);
      let fn = names.get(name);
      if (fn === undefined) names.set(name, fn = names.size);
      node = tree.child(node, fn);
    }
    tree.fuel.addLarge(node, BigInt(amount));
    fuel += BigInt(amount);
  }
  const { length } = tree;
  return {
    fuel,
    functions: Array.from(names.keys(), (name) => ({ name })),
    stacks: {
      parents: tree.parents.slice(0, length),
      functions: tree.functions.slice(0, length),
      fuel: Array.from({ length }, (_, node) => tree.fuel.at(node)),
    },
  };
}
