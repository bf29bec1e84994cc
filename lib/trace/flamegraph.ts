/**
 * Flame graphs: a profile as one SVG that needs nothing beside it. A frame is as wide as its share of
 * the fuel, under the function that called it; it can be zoomed, searched and walked with the
 * keyboard. Without scripts the picture still stands, and every frame tells its numbers. The same
 * profile gives the same bytes.
 *
 * @module
 */

import { FLAME_SCRIPT, FLAME_STYLE } from "./flamegraph_script.ts";
import type { StackProfile } from "./folded.ts";
import { escapeText, grouped, nameText, percent, plainName } from "./page_text.ts";
import { totalsOf, walk } from "./profile_stacks.ts";

/** How a flame graph looks. */
export interface FlamegraphOptions {
  /** What it is of. */
  readonly title?: string | undefined;
  /** Fuel of the same calling contexts in another profile (`ProfileDiff`): frames then tell what changed. */
  readonly before?: readonly bigint[] | undefined;
}

/** Frames with a smaller part of the whole than this are left out: no screen can show them. */
const SMALLEST_PART = 20_000n;

/** Most frames of a picture; the smallest ones are left out. */
const MOST_FRAMES = 10_000;

/** Most levels of a picture. */
const MOST_LEVELS = 1_000;

/** Height of a row, margin around the frames, room for title and status, in pixels; the script knows the margin. */
const ROW = 22, MARGIN = 8, HEAD = 34, FOOT = 30;

/** Width of a picture before the script fits it to its window, in pixels. */
const WIDTH = 1200;

/** Width of a character in a frame, in pixels; the script knows it as well. */
const CHARACTER = 7.3;

/** Colors that names are spread over. */
const COLORS = 8;

/** Frames in the order of a depth-first walk. */
interface Frames {
  readonly nodes: readonly number[];
  /** Rows, from 1; the frame of everything is in row 0. */
  readonly depths: readonly number[];
  /** Fuel to the left of each frame. */
  readonly starts: readonly bigint[];
  /** Fuel of every node with what it called. */
  readonly totals: readonly bigint[];
  /** Nodes that charged something and are not shown. */
  readonly hidden: number;
  readonly levels: number;
}

function framesOf({ fuel, stacks }: StackProfile): Frames {
  const totals = totalsOf(stacks);
  let least = fuel / SMALLEST_PART;
  if (totals.length > MOST_FRAMES) {
    const sorted = totals.slice(1).sort((a, b) => a < b ? 1 : a > b ? -1 : 0);
    if (sorted[MOST_FRAMES - 1]! > least) least = sorted[MOST_FRAMES - 1]!;
  }
  const nodes: number[] = [], depths: number[] = [], starts: bigint[] = [], next: bigint[] = [0n];
  let hidden = 0, levels = 0;
  walk(stacks, (node, depth) => {
    const start = next[depth]!, total = totals[node]!;
    next[depth] = start + total;
    // What a function charged itself is to the right of what it called.
    next[depth + 1] = start;
    if (total === 0n) return;
    if (total < least || depth >= MOST_LEVELS || nodes.length >= MOST_FRAMES) return void hidden++;
    nodes.push(node);
    depths.push(depth + 1);
    starts.push(start);
    levels = Math.max(levels, depth + 1);
  });
  return { nodes, depths, starts, totals, hidden, levels };
}

/** A color for a name, the same in every profile. */
function colorOf(name: string): string {
  let hash = 0x811c9dc5;
  for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  return `c${(hash ^ hash >>> 15) & (COLORS - 1)}`;
}

/** How an amount changed: `+12.50 %`, `new`, `gone`, `same`. */
export function changeText(before: bigint, after: bigint): string {
  if (before === after) return "same";
  if (before === 0n) return "new";
  if (after === 0n) return "gone";
  return after > before ? `+${percent(after - before, before)}` : `−${percent(before - after, before)}`;
}

/** One frame to draw. */
interface Frame {
  readonly name: string;
  readonly depth: number;
  readonly start: bigint;
  readonly total: bigint;
  readonly self: bigint;
  readonly before: bigint | undefined;
}

function frameText({ name, depth, start, total, self, before }: Frame, fuel: bigint): string {
  const change = before === undefined ? "" : changeText(before, total);
  const own = depth === 0 || self === total ? "" : `; in itself ${grouped(self)} (${percent(self, fuel)})`;
  const was = before === undefined ? "" : `; before ${grouped(before)}, ${change}`;
  const facts = `${nameText(name)}: ${grouped(total)} fuel (${percent(total, fuel)})${own}${was}`;
  const label = change === "" || change === "same" ? plainName(name) : `${plainName(name)} ${change}`;
  const color = before === undefined
    ? depth === 0 ? "all" : colorOf(name)
    : total > before
    ? "up"
    : total < before
    ? "down"
    : "same";
  const inner = WIDTH - 2 * MARGIN;
  const part = (amount: bigint): number =>
    fuel === 0n ? inner : Number(amount * 1_000_000n / fuel) / 1e6 * inner;
  const x = MARGIN + (start === 0n ? 0 : part(start)), width = Math.max(0.3, part(total) - 1);
  const y = HEAD + depth * ROW, most = Math.floor((width - 8) / CHARACTER);
  const shown = label.length <= most ? label : most < 4 ? "" : `${label.slice(0, most - 1)}…`;
  return `<g class="f" data-s="${start}" data-w="${total}" data-d="${depth}" data-n="${escapeText(label)}" ` +
    `tabindex="${depth === 0 ? 0 : -1}"><title>${facts}</title>` +
    `<rect class="${color}" x="${x.toFixed(2)}" y="${y}" width="${width.toFixed(2)}" height="${
      ROW - 1
    }" rx="2"/>` +
    `<text x="${(x + 4).toFixed(2)}" y="${y + 15}">${escapeText(shown)}</text></g>\n`;
}

/** The picture without its style and script, for a page that has them. */
export function flamegraphMarkup(profile: StackProfile, options: FlamegraphOptions = {}): string {
  const { fuel, functions, stacks } = profile, { title = "Fuel", before } = options;
  const { nodes, depths, starts, totals, hidden, levels } = framesOf(profile);
  const old = before === undefined ? undefined : totalsOf({ parents: stacks.parents, fuel: before });
  const height = HEAD + (levels + 1) * ROW + FOOT;
  const left = hidden === 0 ? "" : ` ${grouped(hidden)} frames are too small or too deep to be shown.`;
  const idle = `${
    grouped(fuel)
  } fuel.${left} Click or Enter: zoom. Escape: all. /: search. n: next. Arrows: move.`;
  const all = { name: "all", depth: 0, start: 0n, total: fuel, self: 0n, before: old?.[0] };
  let text = `<svg class="flame" xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" ` +
    `viewBox="0 0 ${WIDTH} ${height}" role="group" aria-label="Flame graph: ${nameText(title)}">\n` +
    `<text class="head" x="${MARGIN}" y="22">${nameText(title)}</text>\n` +
    `<text class="dim found-text" x="${WIDTH - MARGIN}" y="22" text-anchor="end"></text>\n` +
    frameText(all, fuel);
  for (let n = 0; n < nodes.length; n++) {
    const node = nodes[n]!;
    text += frameText({
      name: functions[stacks.functions[node]!]!.name,
      depth: depths[n]!,
      start: starts[n]!,
      total: totals[node]!,
      self: stacks.fuel[node]!,
      before: old?.[node],
    }, fuel);
  }
  return `${text}<text class="dim status" x="${MARGIN}" y="${height - 10}">${idle}</text>\n</svg>\n`;
}

/** Writes a profile as an SVG file. */
export function flamegraphSvg(profile: StackProfile, options: FlamegraphOptions = {}): string {
  const markup = flamegraphMarkup(profile, options), end = markup.lastIndexOf("</svg>");
  return `<?xml version="1.0" encoding="UTF-8"?>\n${markup.slice(0, end)}` +
    `<style>${FLAME_STYLE}</style>\n<script><![CDATA[\n${FLAME_SCRIPT}]]></script>\n</svg>\n`;
}
