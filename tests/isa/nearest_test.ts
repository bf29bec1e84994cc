import { assertEquals } from "@std/assert";
import { nearest, quoteName } from "../../lib/isa/nearest.ts";

const NEAREST:
  readonly (readonly [name: string, candidates: readonly string[], found: string | undefined])[] = [
    ["fd_wirte", ["fd_read", "fd_write", "fd_close"], "fd_write"],
    ["_kv_gte", ["_kv_put", "_kv_get"], "_kv_get"],
    ["i32add", ["I32Sub", "I32Add"], "I32Add"],
    ["exact", ["exakt", "exact"], "exact"],
    ["abcd", ["abce", "abcf"], "abce"], // the first among equals
    ["ab", ["ac"], "ac"],
    ["a", ["b"], undefined], // nothing in common
    ["a", ["A"], "A"],
    ["", ["a"], undefined],
    ["random_get", ["fd_write"], undefined],
    ["abcdef", ["abc"], undefined],
    ["__proto__", ["__prot__", "constructor"], "__prot__"],
    ["x".repeat(64), ["x".repeat(63)], "x".repeat(63)],
    ["x".repeat(65), ["x".repeat(65) + "y", "x".repeat(64)], undefined], // too long to compare
  ];

for (const [name, candidates, found] of NEAREST) {
  Deno.test(`nearest() finds ${found?.slice(0, 20) ?? "nothing"} for "${name.slice(0, 20)}"`, () => {
    assertEquals(nearest(name, candidates), found);
  });
}

Deno.test("nearest() stays quick with long names that differ everywhere", () => {
  const candidates = Array.from({ length: 1000 }, (_, k) => String(k % 10).repeat(64));
  const started = performance.now();
  assertEquals(nearest("x".repeat(64), candidates), undefined);
  const took = performance.now() - started;
  assertEquals(took < 1000, true, `${took} ms`);
});

const QUOTED: readonly (readonly [name: string, quoted: string])[] = [
  ["main", '"main"'],
  ["", '""'],
  ["größe 🦕", '"größe 🦕"'],
  ['a"b\\c', String.raw`"a\"b\\c"`],
  ["a\nb\u0000", String.raw`"a\u{a}b\u{0}"`],
  ["\u001b[31m\u009b2J\u007f", String.raw`"\u{1b}[31m\u{9b}2J\u{7f}"`],
  ["\u2028\u2029\u202e\ufeff", String.raw`"\u{2028}\u{2029}\u{202e}\u{feff}"`],
  ["\ud800", String.raw`"\u{d800}"`],
  ["x".repeat(81), `"${"x".repeat(80)}…"`],
];

for (const [name, quoted] of QUOTED) {
  Deno.test(`quoteName() shows ${quoted.slice(0, 30)} safely`, () => assertEquals(quoteName(name), quoted));
}
