/**
 * The differential campaign: 1,000 generated modules per commit, and tests that it can fail. The
 * long one is `deno task campaign:differential`.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { generateModule } from "../generate/generate.ts";
import { encodeModule, type ModuleSource } from "../generate/module.ts";
import { Random } from "../harness.ts";
import { campaign } from "./campaign.ts";
import { type CallObservation, compare, type Observation } from "./observation.ts";
import { observeOurs } from "./ours.ts";
import { type Plan, planOf } from "./plan.ts";
import { shrink } from "./shrink.ts";
import { observeV8 } from "./v8.ts";

const MODULES = 1000;

Deno.test(`${MODULES} generated modules do the same here and in V8`, () => {
  const { findings, trapped, exhausted, hostCalls, runs } = campaign({ first: 0, count: MODULES });
  const texts = findings.slice(0, 5).map(({ module: { seed }, check, difference: { kind, text } }) =>
    `seed ${seed}, ${check}: ${kind}: ${text}\n  look closer: deno run -A tests/differential/main.ts --first ${seed} --count 1`
  );
  assertEquals(findings.length, 0, texts.join("\n"));
  // What the modules do is part of the promise: runs, some traps, host calls, hardly ever a full stack.
  assert(runs > 5 * MODULES, `${runs} runs`);
  assert(trapped > 0.05 * MODULES && trapped < 0.2 * MODULES, `${trapped} modules trapped`);
  assert(hostCalls > MODULES, `${hostCalls} host calls`);
  assert(exhausted < 0.02 * MODULES, `${exhausted} modules ran out of stack`);
});

// ── it can fail ─────────────────────────────────────────────────────────────────────────────────

/** A module with one i64 or float operator replaced by its neighbor; undefined when it has none. */
function tamper(source: ModuleSource, random: Random): ModuleSource | undefined {
  // add and sub become sub and mul; nothing that counts a loop down is of these types.
  const sites = source.functions.flatMap(({ body }, f) =>
    body.flatMap(([code], at) => [0x7c, 0x7d, 0x92, 0x93, 0xa0, 0xa1].includes(code) ? [[f, at]] : [])
  );
  if (sites.length === 0) return undefined;
  const [f, at] = random.pick(sites);
  const { body, ...rest } = source.functions[f];
  const functions = source.functions.with(f, { ...rest, body: body.with(at, [body[at][0] + 1]) });
  return { ...source, functions };
}

Deno.test("a wrong operator in one place of a module is seen in some of 150 modules", () => {
  const random = new Random(1);
  const kinds = new Set<string>();
  let tampered = 0, seen = 0;
  for (let seed = 0; tampered < 150; seed++) {
    const module = generateModule(seed, { deep: 0 });
    const source = tamper(module.source, random);
    if (source === undefined) continue;
    tampered++;
    const plan = planOf(module);
    const ours = observeOurs(module.source, module.wasm, plan);
    const { difference } = compare(ours, observeV8(source, encodeModule(source), plan));
    if (difference === undefined) continue;
    seen++;
    kinds.add(difference.kind);
  }
  assert(seen >= 10, `only ${seen} of ${tampered} wrong modules were seen`);
  assert(kinds.size >= 2, `seen only as ${[...kinds].join()}`);
});

const call: CallObservation = {
  what: "f()",
  ending: { kind: "done", results: ["i32 1"] },
  log: ["a", "b"],
  fuel: 7n,
};
const seen: Observation = {
  calls: [call],
  globals: new Map([["g", "i32 1"]]),
  memory: Uint8Array.of(1, 2, 3, 4, 5),
};
const withCall = (change: Partial<CallObservation>): Observation => ({
  ...seen,
  calls: [{ ...call, ...change }],
});

const DIFFERENCES: readonly (readonly [what: string, other: Observation, kind: string | undefined])[] = [
  ["the same", { ...seen, memory: seen.memory.slice() }, undefined],
  [
    "no fuel on one side",
    { ...seen, calls: [{ what: "f()", ending: call.ending, log: call.log }] },
    undefined,
  ],
  ["another result", withCall({ ending: { kind: "done", results: ["i32 2"] } }), "results"],
  ["a trap", withCall({ ending: { kind: "trap", trap: "memory" } }), "ending"],
  ["another host call", withCall({ log: ["a", "c"] }), "host calls"],
  ["a missing host call", withCall({ log: ["a"] }), "host calls"],
  ["other fuel", withCall({ fuel: 8n }), "fuel"],
  ["a missing run", { ...seen, calls: [] }, "ending"],
  ["another global", { ...seen, globals: new Map([["g", "i32 2"]]) }, "globals"],
  ["a missing global", { ...seen, globals: new Map() }, "globals"],
  ["another byte", { ...seen, memory: Uint8Array.of(1, 2, 3, 4, 6) }, "memory"],
  ["a longer memory", { ...seen, memory: Uint8Array.of(1, 2, 3, 4, 5, 0) }, "memory"],
];

for (const [what, other, kind] of DIFFERENCES) {
  Deno.test(`compare() ${kind === undefined ? "accepts" : `tells by "${kind}"`}: ${what}`, () => {
    assertEquals(compare(seen, other).difference?.kind, kind);
    assertEquals(compare(other, seen).difference?.kind, kind);
  });
}

Deno.test("compare() stops where a stack ran out, and says so", () => {
  const other = { ...withCall({ ending: { kind: "exhausted" } }), memory: new Uint8Array(0) };
  assertEquals(compare(seen, other), { difference: undefined, exhausted: true });
});

Deno.test("shrink() takes away all that the property does not need", () => {
  const POPCNT = 0x7b;
  const has = ({ functions }: ModuleSource) =>
    functions.some(({ body }) => body.some(([code]) => code === POPCNT));
  const seed = Array.from({ length: 100 }, (_, i) => i).find((i) => has(generateModule(i).source))!;
  const module = generateModule(seed);
  const start: { source: ModuleSource; plan: Plan } = { source: module.source, plan: planOf(module) };
  const { source, plan } = shrink(start, ({ source }) => has(source));
  const wasm = encodeModule(source);
  assert(WebAssembly.validate(wasm));
  assert(has(source));
  assertEquals(plan.calls, []);
  assertEquals([source.exports, source.elements, source.data, source.start], [[], [], [], undefined]);
  // A function with a constant, the operator, and what ends it; earlier functions may remain, empty.
  const code = source.functions.map(({ body }) => body.length).toSorted((a, b) => a - b);
  assert(code.at(-1)! <= 4, `the longest function has ${code.at(-1)} instructions`);
  assert(wasm.length < module.wasm.length / 4, `${wasm.length} of ${module.wasm.length} bytes remain`);
});
