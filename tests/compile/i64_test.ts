/**
 * i64 operators against the BigInt oracle: the full cross of the edge values, random pairs from a
 * fixed seed, and the division that a reference release once got wrong. `deno task campaign:i64`
 * runs a million random pairs.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Random } from "../harness.ts";
import { EDGES, I64Campaign } from "./i64.ts";

Deno.test("i64 operators agree with BigInt on the full cross of the edge values", () => {
  assert(EDGES.length >= 64);
  const a = BigInt64Array.from(EDGES.flatMap((edge) => EDGES.map(() => edge)));
  const b = BigInt64Array.from(EDGES.flatMap(() => EDGES));
  assert(new I64Campaign(a.length).compare(a, b) > 64 * 64 * 50);
});

Deno.test("i64 operators agree with BigInt on 20,000 random pairs", () => {
  assert(new I64Campaign(20_000).random(new Random(0x5eed)) > 1_000_000);
});

Deno.test("0x7fffffffffffffff / 3707827967 is 2487540446", () => {
  const campaign = new I64Campaign(1);
  assertEquals(campaign.once("div_u", 0x7fffffffffffffffn, 3707827967n), 2487540446n);
  assertEquals(campaign.once("div_s", 0x7fffffffffffffffn, 3707827967n), 2487540446n);
  const rest = 0x7fffffffffffffffn % 3707827967n;
  assertEquals(campaign.once("rem_u", 0x7fffffffffffffffn, 3707827967n), rest);
});
