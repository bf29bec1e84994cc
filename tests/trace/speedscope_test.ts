/**
 * Profiles in files for other tools: speedscope against its published schema and its rules for
 * events, V8's format read as its readers read it, folded stacks read back.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import Ajv from "ajv";
import schema from "speedscope/dist/release/file-format-schema.json" with { type: "json" };
import {
  cpuProfileJson,
  DecodeError,
  diffProfiles,
  foldedStacks,
  parseFolded,
  type Profile,
  speedscopeJson,
} from "../../mod.ts";
import { parseProfile, profileData } from "../../lib/trace/profile_json.ts";
import { HOSTILE, hostileModule, profileOf } from "./hostile.ts";

const profile = profileOf(hostileModule());

/** Fuel by stack of names: what every format must say. */
const stacks = new Map(
  foldedStacks(profile).trimEnd().split("\n").map((line): [string, bigint] => {
    const at = line.lastIndexOf(" ");
    return [line.slice(0, at), BigInt(line.slice(at + 1))];
  }),
);

Deno.test("a speedscope file is valid by speedscope's own schema, and its events are in order", () => {
  const text = speedscopeJson(profile, "hostile ]]> name", () => ({ file: "a\n.c", line: 3 }));
  const file = JSON.parse(text);
  // The schema writes one keyword of an older draft, which changes nothing.
  const validate = new Ajv.default({ strict: false }).compile(schema);
  const valid = (data: unknown): boolean => validate(data);
  assert(valid(file), JSON.stringify(validate.errors));
  assert(!valid({ ...file, shared: { frames: [{ name: 7 }] } }), "the schema refuses what is wrong");
  const [{ events, endValue, unit }] = file.profiles;
  assertEquals([BigInt(endValue), unit], [profile.fuel, "none"]);
  const open: number[] = [], self = new Map<string, bigint>();
  let at = 0;
  for (const event of events) {
    const path = open.map((frame) => file.shared.frames[frame].name).join("\u0001");
    if (event.at > at) self.set(path, (self.get(path) ?? 0n) + BigInt(event.at - at));
    assert(event.at >= at, "events go forward");
    at = event.at;
    if (event.type === "O") open.push(event.frame);
    else assertEquals(open.pop(), event.frame, "what is closed was opened last");
  }
  assertEquals([open.length, BigInt(at)], [0, profile.fuel]);
  assertEquals([...self.values()].sort(), [...stacks.values()].sort());
});

Deno.test("a .cpuprofile has one sample per stack, as long as its fuel", () => {
  const file = JSON.parse(cpuProfileJson(profile, "hostile ]]> name"));
  const nodes = new Map<number, { callFrame: { functionName: string }; children: number[] }>();
  for (const node of file.nodes) nodes.set(node.id, node);
  assertEquals(nodes.size, file.nodes.length, "ids are unique");
  const parents = new Map<number, number>();
  for (const [id, { children }] of nodes) for (const child of children) parents.set(child, id);
  const roots = [...nodes.keys()].filter((id) => !parents.has(id));
  assertEquals(roots.map((id) => nodes.get(id)!.callFrame.functionName), ["(root)"]);
  const { samples, timeDeltas, startTime, endTime } = file;
  assertEquals(samples.length, timeDeltas.length);
  assertEquals(timeDeltas.reduce((a: number, b: number) => a + b), endTime - startTime);
  // Readers give a sample the time until the next one.
  const weights = samples.slice(0, -1).map((_: number, n: number) => BigInt(timeDeltas[n + 1]));
  assertEquals(weights.sort(), [...stacks.values()].sort());
  assert(samples.every((id: number) => nodes.has(id)));
  const wanted = ["functionName", "scriptId", "url", "lineNumber", "columnNumber"];
  for (const { callFrame, hitCount } of file.nodes) {
    assertEquals([Object.keys(callFrame), typeof hitCount], [wanted, "number"]);
  }
});

Deno.test("amounts that no double holds are written to the last digit", () => {
  const fuel = 2n ** 64n - 1n;
  const large: Profile = {
    ...profile,
    fuel,
    stacks: {
      parents: Int32Array.of(0, 0),
      functions: Int32Array.of(-1, 0),
      fuel: [0n, fuel],
      calls: new Float64Array(2),
    },
    charges: [],
  };
  assert(speedscopeJson(large, "x").includes(`"endValue":${fuel}`));
  assert(cpuProfileJson(large, "x").includes(`"timeDeltas":[0,${fuel}]`));
  assertEquals(foldedStacks(large), `(host) ${fuel}\n`);
});

Deno.test("folded stacks have one line per stack, whatever functions are called, and come back", () => {
  const text = foldedStacks(profile), back = parseFolded(text);
  assertEquals(text.split("\n").length - 1, HOSTILE.length * 2 + 2);
  assert(/^[^\n]+ \d+$/m.test(text));
  assertEquals(foldedStacks(back), text);
  assertEquals(back.fuel, profile.fuel);
  const names = new Set(profile.functions.map(({ name }) => name));
  for (const { name } of back.functions) assert(names.has(name), `${name} is none of the names`);
  const from = parseFolded("a;b 1\r\n\na;b 2\na 18446744073709551615\n");
  assertEquals(foldedStacks(from), "a 18446744073709551615\na;b 3\n");
});

Deno.test("what is no saved profile is refused with its place", () => {
  for (const text of ["a", "a b", "a 1.5", "a -1", " 5", "a;b 1\nnonsense", `a ${"9".repeat(41)}`]) {
    assertThrows(() => parseFolded(text), DecodeError, "Cannot read folded stacks");
  }
  const wrap = (stacks: unknown) => JSON.stringify({ format: "rwasm-profile", version: 1, stacks });
  const right = { names: ["f"], parents: [0, 0], functions: [-1, 0], fuel: ["0", "5"] };
  assertEquals(foldedStacks(parseProfile(wrap(right))), "f 5\n");
  const wrong = [
    "{",
    "{}",
    '{"format":"rwasm-profile","version":2,"stacks":{}}',
    ...[
      null,
      7,
      {},
      { ...right, names: [1] },
      { ...right, names: ["f", "f"] },
      { ...right, parents: [0] },
      { ...right, parents: [0, 1] },
      { ...right, parents: [0, -1] },
      { ...right, parents: [0, "0"] },
      { ...right, functions: [-1, 1] },
      { ...right, functions: [0, 0] },
      { ...right, fuel: [0, 5] },
      { ...right, fuel: ["0", "-5"] },
      { names: [], parents: [], functions: [], fuel: [] },
    ].map(wrap),
  ];
  for (const text of wrong) assertThrows(() => parseProfile(text), DecodeError, "Cannot read profile");
  assertEquals(parseProfile(""), parseFolded(""));
});

Deno.test("a profile as JSON has tables that add up, and compares as the profile does", () => {
  const data = profileData(profile);
  const sum = (rows: readonly { readonly fuel: string }[]) =>
    rows.reduce((a, { fuel }) => a + BigInt(fuel), 0n);
  assertEquals(sum(data.operators), profile.fuel);
  assertEquals(sum(data.places), profile.fuel);
  assertEquals(sum(data.functions.map(({ self }) => ({ fuel: self }))), profile.fuel);
  const back = parseProfile(JSON.stringify(data));
  assertEquals([back.fuel, foldedStacks(back)], [profile.fuel, foldedStacks(profile)]);
});

Deno.test("a difference tells what changed by function, and nothing when nothing did", () => {
  const same = diffProfiles(profile, parseFolded(foldedStacks(profile)));
  assert(same.functions.every(({ self, total }) => self[0] === self[1] && total[0] === total[1]));
  const before = parseFolded("main 10\nmain;old 5\nmain;f 7\n"),
    after = parseFolded("main 10\nmain;f 9\nmain;new;f 1\n");
  const diff = diffProfiles(before, after);
  assertEquals([diff.before, diff.after], [22n, 20n]);
  assertEquals(diff.functions.map(({ name, self, total }) => [name, ...self, ...total]), [
    ["old", 5n, 0n, 5n, 0n],
    ["f", 7n, 10n, 7n, 10n],
    ["main", 10n, 10n, 22n, 20n],
    ["new", 0n, 0n, 0n, 1n],
  ]);
  assertEquals(foldedStacks(diff.profile), "main 10\nmain;f 9\nmain;new;f 1\n");
});

Deno.test("the same runs give the same bytes in every format", () => {
  const again = profileOf(hostileModule());
  assertEquals(speedscopeJson(again, "x"), speedscopeJson(profile, "x"));
  assertEquals(cpuProfileJson(again, "x"), cpuProfileJson(profile, "x"));
  assertEquals(foldedStacks(again), foldedStacks(profile));
  assertEquals(JSON.stringify(profileData(again)), JSON.stringify(profileData(profile)));
});
