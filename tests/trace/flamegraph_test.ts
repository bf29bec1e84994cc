/**
 * Flame graphs: every frame has its place and its numbers, no name gets out of its element, and the
 * same profile gives the same bytes.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { diffHtml, diffProfiles, flamegraphSvg, parseFolded, profileHtml } from "../../mod.ts";
import { changeText } from "../../lib/trace/flamegraph.ts";
import { FLAME_SCRIPT, FLAME_STYLE } from "../../lib/trace/flamegraph_script.ts";
import { PAGE_STYLE } from "../../lib/trace/page_style.ts";
import { escapeText, grouped, percent, plainName, scriptJson } from "../../lib/trace/page_text.ts";
import { type Element, elementsOf } from "./markup.ts";
import { HOSTILE, hostileModule, profileOf } from "./hostile.ts";

interface Drawn {
  readonly label: string;
  readonly fact: string;
  readonly depth: number;
  readonly start: bigint;
  readonly size: bigint;
  readonly x: number;
  readonly width: number;
}

/** Frames of a picture. */
function framesOf(elements: readonly Element[]): Drawn[] {
  return elements.flatMap((element, at) => {
    if (element.attributes.get("class") !== "f") return [];
    const [title, rect] = elements.slice(at + 1);
    assertEquals([title.name, rect.name, elements[at + 3].name], ["title", "rect", "text"]);
    const get = (name: string) => element.attributes.get(name)!;
    return {
      label: get("data-n"),
      fact: title.text,
      depth: Number(get("data-d")),
      start: BigInt(get("data-s")),
      size: BigInt(get("data-w")),
      x: Number(rect.attributes.get("x")),
      width: Number(rect.attributes.get("width")),
    };
  });
}

const FOLDED = "main 10\nmain;parse 20\nmain;parse;read 30\nmain;print 40\n";

Deno.test("a frame is as wide as its share, under its caller, and tells its numbers", () => {
  const frames = framesOf(elementsOf(flamegraphSvg(parseFolded(FOLDED), { title: "t" })));
  assertEquals(frames.map(({ label, depth, start, size }) => [label, depth, start, size]), [
    ["all", 0, 0n, 100n],
    ["main", 1, 0n, 100n],
    ["parse", 2, 0n, 50n],
    ["read", 3, 0n, 30n],
    ["print", 2, 50n, 40n],
  ]);
  assertEquals(frames[2].fact, "parse: 50 fuel (50.00 %); in itself 20 (20.00 %)");
  assertEquals(frames[3].fact, "read: 30 fuel (30.00 %)");
  const inner = 1200 - 16;
  for (const { x, width, start, size } of frames) {
    assert(Math.abs(x - 8 - inner * Number(start) / 100) < 0.02);
    assert(Math.abs(width + 1 - inner * Number(size) / 100) < 0.02, "a gap of one pixel is left");
  }
});

Deno.test("frames never overlap, and lie within their callers", () => {
  const frames = framesOf(elementsOf(flamegraphSvg(profileOf(hostileModule()))));
  for (const [n, frame] of frames.entries()) {
    const caller = frames.slice(0, n).findLast(({ depth }) => depth === frame.depth - 1);
    if (caller === undefined) continue;
    assert(frame.start >= caller.start && frame.start + frame.size <= caller.start + caller.size);
    const before = frames.slice(0, n).findLast(({ depth }) => depth === frame.depth);
    if (before !== undefined) assert(frame.start >= before.start + before.size);
  }
});

Deno.test("hostile names stay in their element, in the picture and in the pages", () => {
  const profile = profileOf(hostileModule());
  const documents = {
    svg: flamegraphSvg(profile, { title: HOSTILE[1] }),
    html: profileHtml(profile, { title: HOSTILE[0] }),
    diff: diffHtml(diffProfiles(parseFolded(FOLDED), profile), HOSTILE[1]),
  };
  for (const [what, text] of Object.entries(documents)) {
    const elements = elementsOf(text);
    const scripts = elements.filter(({ name }) => name === "script");
    assertEquals(scripts.length, 1, what);
    assert(scripts[0].text.includes(FLAME_SCRIPT), what);
    const handlers = elements.flatMap(({ attributes }) => [...attributes.keys()])
      .filter((name) => name.startsWith("on") || name === "href" || name === "src");
    assertEquals(handlers, [], what);
    // deno-lint-ignore no-control-regex -- that there are none is the point
    assert(!/[\0-\x08\x0b-\x1f\x7f\u202e\u2028]|[\ud800-\udbff](?![\udc00-\udfff])/.test(text), what);
    const labels = framesOf(elements).map(({ label }) => label);
    for (const name of HOSTILE) {
      assert(labels.some((label) => label.startsWith(plainName(name))), `${what}: ${plainName(name)}`);
    }
  }
});

Deno.test("script and style can stand in every document, and load nothing", () => {
  for (const text of [FLAME_SCRIPT, FLAME_STYLE, PAGE_STYLE]) {
    assert(!/<\/|]]>|<!--|https?:|url\(|@import|innerHTML|eval\(/.test(text));
  }
  new Function(FLAME_SCRIPT); // it parses
  const page = profileHtml(profileOf(hostileModule()));
  assertMatch(
    page,
    /http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;;/,
  );
});

Deno.test("the same profile gives the same bytes", () => {
  const [first, second] = [profileOf(hostileModule()), profileOf(hostileModule())];
  assertEquals(flamegraphSvg(first), flamegraphSvg(second));
  assertEquals(profileHtml(first), profileHtml(second));
});

Deno.test("frames too many, too small or too deep to be seen are counted, not drawn", () => {
  let wide = "";
  for (let n = 0; n < 15_000; n++) wide += `main;f${n} ${n + 1}\n`;
  const drawn = framesOf(elementsOf(flamegraphSvg(parseFolded(wide))));
  assert(drawn.length <= 10_001 && drawn.length > 1_000);
  const deep = `${Array.from({ length: 3000 }, (_, n) => `f${n}`).join(";")} 5\n`;
  const svg = flamegraphSvg(parseFolded(deep));
  assertEquals(framesOf(elementsOf(svg)).length, 1001);
  assert(svg.includes("2,000 frames are too small or too deep to be shown."));
  const empty = elementsOf(flamegraphSvg(parseFolded("")));
  assertEquals(framesOf(empty).map(({ label }) => label), ["all"]);
});

Deno.test("a difference says in words how each frame changed", () => {
  const before = parseFolded("main 10\nmain;gone 5\nmain;same 5\nmain;less 40\n");
  const after = parseFolded("main 10\nmain;same 5\nmain;less 20\nmain;more 15\n");
  const diff = diffProfiles(before, after);
  const page = diffHtml(diff, "a and b"), frames = framesOf(elementsOf(page));
  assertEquals(frames.map(({ label }) => label), [
    "all −16.66 %",
    "main −16.66 %",
    "same",
    "less −50.00 %",
    "more new",
  ]);
  assertEquals(frames[3].fact, "less: 20 fuel (40.00 %); before 40, −50.00 %");
  assert(page.includes(">gone</td>"), "what is gone is in the table");
  const cases = [[0n, 0n, "same"], [0n, 5n, "new"], [5n, 0n, "gone"], [4n, 5n, "+25.00 %"]] as const;
  for (const [from, to, text] of cases) assertEquals(changeText(from, to), text);
});

Deno.test("tables of a page have the numbers of the profile", () => {
  const profile = profileOf(hostileModule()), elements = elementsOf(profileHtml(profile));
  const cells = elements.filter(({ name }) => name === "td").map(({ text }) => text);
  const leaf = cells.indexOf("leaf");
  assertEquals(cells.slice(leaf, leaf + 6), [
    "leaf",
    "17",
    percent(17n, profile.fuel),
    "17",
    cells[leaf + 4],
    "17",
  ]);
  assert(elements.some(({ name, attributes }) => name === "input" && attributes.get("id") === "search"));
});

Deno.test("numbers are grouped and shares exact", () => {
  const numbers = [[0n, "0"], [999n, "999"], [1000n, "1,000"], [
    2n ** 64n,
    "18,446,744,073,709,551,616",
  ]] as const;
  for (const [value, text] of numbers) assertEquals(grouped(value), text);
  const shares = [[1n, 3n, "33.33 %"], [0n, 0n, "0.00 %"], [5n, 5n, "100.00 %"], [
    1n,
    2n ** 64n,
    "0.00 %",
  ]] as const;
  for (const [part, whole, text] of shares) assertEquals(percent(part, whole), text);
});

Deno.test("texts are escaped for markup and for scripts", () => {
  assertEquals(escapeText(`<&>"'\u202e\0`), "&lt;&amp;&gt;&quot;&#39;\\u{202e}\\u{0}");
  assertEquals(scriptJson({ a: "</script><!--\u2028" }), '{"a":"\\u003c/script\\u003e\\u003c!--\\u2028"}');
  assertEquals(plainName("x".repeat(300)), `${"x".repeat(200)}… (300 characters)`);
  assertEquals(JSON.parse(scriptJson(HOSTILE)), HOSTILE);
});

Deno.test("elementsOf() refuses what a browser would have to guess", () => {
  for (const text of ["<a>", "<a></b>", "<a b='c'></a>", "a & b", "<a>></a>", "<script>", '<a b="<"></a>']) {
    assertThrows(() => elementsOf(text));
  }
});
