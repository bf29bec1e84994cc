/**
 * The long run of the i64 campaign: a million random operand pairs through every operator, from a
 * fixed seed. `deno task campaign:i64 [pairs] [seed]`.
 *
 * @module
 */

import { Random } from "../harness.ts";
import { I64Campaign } from "./i64.ts";

const CHUNK = 50_000;
const pairs = Number(Deno.args[0] ?? 1_000_000);
const seed = Number(Deno.args[1] ?? 0x5eed);

const campaign = new I64Campaign(CHUNK);
const random = new Random(seed);
const start = performance.now();
let compared = 0;
for (let done = 0; done < pairs; done += CHUNK) compared += campaign.random(random);
const seconds = (performance.now() - start) / 1000;
console.log(
  `${compared} applications of i64 operators equal to BigInt, seed ${seed}, ${seconds.toFixed(1)} s`,
);
