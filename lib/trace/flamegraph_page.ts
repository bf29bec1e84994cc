/**
 * Profiles as one HTML page that needs nothing beside it: the flame graph with a search field, and
 * below it the tables that say the same in numbers.
 *
 * @module
 */

import { changeText, flamegraphMarkup, type FlamegraphOptions } from "./flamegraph.ts";
import { FLAME_SCRIPT, FLAME_STYLE } from "./flamegraph_script.ts";
import { grouped, nameText, percent } from "./page_text.ts";
import { type Cell, pageHtml, tableHtml } from "./page_style.ts";
import type { Profile } from "./profile.ts";
import type { ProfileDiff } from "./profile_diff.ts";
import { fuelByFunction, fuelByOperator } from "./profile_operators.ts";

/** Rows of a table of functions. */
const MOST_ROWS = 200;

/** The line of facts has room for two lines, so that nothing moves when it changes. */
const GRAPH_STYLE =
  `.graph{padding:0 8px}.graph p{margin:0;padding:0 8px;min-height:40px;overflow-wrap:anywhere}\n`;

const CONTROLS = `<div class="bar"><label for="search">Search</label>` +
  `<input id="search" type="search" placeholder="part of a function name" autocomplete="off" spellcheck="false">` +
  `<span id="count" class="dim" role="status"></span>` +
  `<button id="reset" type="button">Show all</button></div>\n`;

function page(title: string, summary: string, graph: string, tables: string): string {
  const body = `<header><h1>${nameText(title)}</h1>\n<p class="dim">${summary}</p>\n${CONTROLS}</header>\n` +
    `<div class="graph"><div>${graph}</div><p id="facts" class="dim mono"></p></div>\n<main>\n${tables}</main>\n`;
  return pageHtml(nameText(title), FLAME_STYLE + GRAPH_STYLE, body, FLAME_SCRIPT);
}

function section(title: string, heads: readonly Cell[], rows: readonly (readonly Cell[])[]): string {
  const left = rows.length - MOST_ROWS;
  const rest = left > 0 ? `<p class="dim">${grouped(left)} more with less fuel</p>\n` : "";
  return `<h2>${title}</h2>\n${tableHtml(heads, rows.slice(0, MOST_ROWS))}${rest}`;
}

/** Writes a profile as a page. */
export function profileHtml(profile: Profile, options: FlamegraphOptions = {}): string {
  const { fuel, functions } = profile, byFunction = fuelByFunction(profile);
  const share = (part: bigint): Cell => ["n", percent(part, fuel)];
  const tables = section(
    "By function",
    [["", "function"], ["n", "own fuel"], ["n", "share"], ["n", "with callees"], ["n", "share"], [
      "n",
      "calls",
    ]],
    byFunction.map((row) => [
      ["name", nameText(functions[row.function]!.name)],
      ["n", grouped(row.self)],
      share(row.self),
      ["n", grouped(row.total)],
      share(row.total),
      ["n", grouped(row.calls)],
    ]),
  ) + section(
    "By operator",
    [["", "operator"], ["n", "fuel"], ["n", "share"], ["n", "times"]],
    fuelByOperator(profile).map((row) => [
      ["name", nameText(row.operator)],
      ["n", grouped(row.fuel)],
      share(row.fuel),
      ["n", row.count === 0 ? "" : grouped(row.count)],
    ]),
  );
  const summary = `${grouped(fuel)} fuel in ${grouped(byFunction.length)} functions, exact.`;
  return page(
    options.title ?? "Fuel",
    summary,
    flamegraphMarkup(profile, { ...options, title: "By calling context" }),
    tables,
  );
}

/** Writes a comparison as a page: the second profile, and what changed in it. */
export function diffHtml(diff: ProfileDiff, title: string): string {
  const { before, after, profile, fuelBefore, functions } = diff;
  const signed = (from: bigint, to: bigint): string =>
    from > to ? `−${grouped(from - to)}` : `+${grouped(to - from)}`;
  const changed = functions.filter(({ self, total }) => self[0] !== self[1] || total[0] !== total[1]);
  const tables = section(
    "By function",
    [
      ["", "function"],
      ["n", "own before"],
      ["n", "own after"],
      ["n", "change"],
      ["n", ""],
      ["n", "with callees"],
      ["n", ""],
    ],
    changed.map(({ name, self, total }) => [
      ["name", nameText(name)],
      ["n", grouped(self[0])],
      ["n", grouped(self[1])],
      ["n", signed(...self)],
      ["n", changeText(...self)],
      ["n", signed(...total)],
      ["n", changeText(...total)],
    ]),
  );
  const summary = `${grouped(before)} fuel before, ${grouped(after)} after: ${signed(before, after)} (${
    changeText(before, after)
  }). Frames are as wide as after; what is gone is in the table.`;
  return page(
    title,
    summary,
    flamegraphMarkup(profile, { title: "By calling context, after", before: fuelBefore }),
    tables,
  );
}
