/**
 * Profiles and differences of profiles as text for a terminal. Names are quoted, so that none of them
 * can break a line or drive the terminal.
 *
 * @module
 */

import { quoteName } from "../isa/nearest.ts";
import type { SourceLine } from "../wasm/dwarf.ts";
import { changeText } from "./flamegraph.ts";
import { grouped, percent, plainName } from "./page_text.ts";
import type { Profile } from "./profile.ts";
import type { ProfileDiff } from "./profile_diff.ts";
import { fuelByFunction, fuelByOperator, fuelByPlace } from "./profile_operators.ts";

/** Rows of each table. */
const MOST_ROWS = 30;

/** Columns of a table: texts to the left, numbers to the right. */
function table(rows: readonly (readonly string[])[], right: readonly boolean[]): string {
  const widths = right.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => {
    const cells = row.map((cell, at) => right[at] ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!));
    return `  ${cells.join("  ").trimEnd()}\n`;
  }).join("");
}

function section(
  title: string,
  heads: readonly string[],
  right: readonly boolean[],
  rows: readonly (readonly string[])[],
): string {
  if (rows.length === 0) return "";
  const left = rows.length - MOST_ROWS;
  const rest = left > 0 ? `  … and ${grouped(left)} more\n` : "";
  return `\n${title}\n${table([heads, ...rows.slice(0, MOST_ROWS)], right)}${rest}`;
}

/** Writes a profile: its most expensive functions, places and operators. */
export function profileText(
  profile: Profile,
  sourceAt?: (module: number, offset: number) => SourceLine | undefined,
): string {
  const { fuel, functions } = profile;
  const byFunction = fuelByFunction(profile).map(({ function: fn, calls, self, total }) => [
    grouped(self),
    percent(self, fuel),
    grouped(total),
    percent(total, fuel),
    grouped(calls),
    quoteName(functions[fn]!.name),
  ]);
  const places = fuelByPlace(profile).sort((a, b) => a.fuel < b.fuel ? 1 : a.fuel > b.fuel ? -1 : 0);
  const byPlace = places.map(({ function: fn, offset, pc, operator, count, fuel: part }) => {
    const { name, module } = functions[fn]!;
    const source = offset === undefined || module === undefined ? undefined : sourceAt?.(module, offset);
    return [
      grouped(part),
      percent(part, fuel),
      count === 0 ? "" : grouped(count),
      offset !== undefined ? `0x${offset.toString(16)}` : pc < 0 ? "" : `pc ${pc}`,
      operator,
      quoteName(name) + (source === undefined ? "" : ` ${plainName(source.file)}:${source.line}`),
    ];
  });
  const byOperator = fuelByOperator(profile).map(({ operator, count, fuel: part }) => [
    grouped(part),
    percent(part, fuel),
    count === 0 ? "" : grouped(count),
    operator,
  ]);
  return `${grouped(fuel)} fuel\n` +
    section(
      "by function",
      ["own fuel", "share", "with callees", "share", "calls", "function"],
      [true, true, true, true, true, false],
      byFunction,
    ) +
    section(
      "by place",
      ["fuel", "share", "times", "offset", "operator", "function"],
      [true, true, true, false, false, false],
      byPlace,
    ) +
    section("by operator", ["fuel", "share", "times", "operator"], [true, true, true, false], byOperator);
}

/** Writes a difference: the functions that changed, most changed first. */
export function diffText({ before, after, functions }: ProfileDiff): string {
  const signed = ([from, to]: readonly [bigint, bigint]): string =>
    from > to ? `-${grouped(from - to)}` : `+${grouped(to - from)}`;
  const rows = functions.filter(({ self, total }) => self[0] !== self[1] || total[0] !== total[1]);
  return `${grouped(before)} fuel before, ${grouped(after)} after: ${signed([before, after])} (${
    changeText(before, after)
  })\n` + section(
    "by function",
    ["own before", "own after", "change", "", "with callees", "", "function"],
    [true, true, true, true, true, true, false],
    rows.map(({ name, self, total }) => [
      grouped(self[0]),
      grouped(self[1]),
      signed(self),
      changeText(...self),
      signed(total),
      changeText(...total),
      quoteName(name),
    ]),
  );
}
