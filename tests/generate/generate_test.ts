/**
 * The generator: its modules are valid, follow from their seeds, and use the whole language.
 *
 * @module
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { generateModule } from "./generate.ts";
import { NUMERIC_OPERATORS } from "./operators.ts";

const SEEDS = 400;
const modules = Array.from({ length: SEEDS }, (_, seed) => generateModule(seed));

Deno.test("generateModule() makes modules that WebAssembly accepts", () => {
  const refused = modules.filter(({ wasm }) => !WebAssembly.validate(wasm)).map(({ seed }) => seed);
  assertEquals(refused, []);
});

Deno.test("generateModule() gives the same bytes for the same seed, and others for another", () => {
  assertEquals(generateModule(7).wasm, generateModule(7).wasm);
  assertNotEquals(generateModule(7).wasm, generateModule(8).wasm);
});

/** First byte, and the second after the prefix 0xfc, of every instruction that is not numeric. */
const OTHERS = [
  ..."00 01 02 03 04 05 0b 0c 0d 0e 0f 10 11 12 13 1a 1b 1c 20 21 22 23 24 25 26 3f 40 d0 d1 d2".split(" "),
  ...Array.from({ length: 0x3e - 0x28 + 1 }, (_, i) => (0x28 + i).toString(16)), // loads and stores
  ..."41 42 43 44".split(" "),
  ...Array.from({ length: 10 }, (_, i) => `fc ${(8 + i).toString(16)}`), // bulk and table operators
];

const nameOf = ([code, sub]: readonly number[]): string => {
  const first = code.toString(16).padStart(2, "0");
  return code === 0xfc ? `${first} ${sub.toString(16)}` : first;
};

Deno.test("generateModule() uses every operator of the accepted language", () => {
  const used = new Set(
    modules.flatMap(({ source }) => source.functions.flatMap(({ body }) => body.map(nameOf))),
  );
  const wanted = [...OTHERS, ...NUMERIC_OPERATORS.map(({ bytes }) => nameOf(bytes))];
  assertEquals(wanted.filter((name) => !used.has(name)), []);
  assertEquals(NUMERIC_OPERATORS.length, 136, "numeric operators of the specification");
});

Deno.test("generateModule() uses every kind of declaration", () => {
  const seen = (name: string, found: boolean) => assert(found, `no module has ${name}`);
  const some = (holds: (source: typeof modules[number]["source"]) => boolean) =>
    modules.some(({ source }) => holds(source));
  seen("a start function", some(({ start }) => start !== undefined));
  seen("several results", some(({ types }) => types.some(({ results }) => results.length > 1)));
  seen("equal types", some(({ types }) => new Set(types.map((t) => JSON.stringify(t))).size < types.length));
  seen("several tables", some(({ tables }) => tables.length > 1));
  seen("a table of externref", some(({ tables }) => tables.some(({ type }) => type === "externref")));
  seen("an empty memory", some(({ memory }) => memory?.min === 0));
  seen("a memory without a maximum", some(({ memory }) => memory !== undefined && memory.max === undefined));
  seen("an imported global", some(({ globals }) => globals.some(({ imported }) => imported !== undefined)));
  for (const mode of ["active", "passive", "declarative"] as const) {
    seen(`${mode} elements`, some(({ elements }) => elements.some((element) => element.mode === mode)));
  }
  for (const mode of ["active", "passive"] as const) {
    seen(`${mode} data`, some(({ data }) => data.some((segment) => segment.mode === mode)));
  }
});

Deno.test("generateModule() leaves out what its options turn off", () => {
  for (let seed = 0; seed < 60; seed++) {
    const { source, wild } = generateModule(seed, { floats: false, memory: false, tables: false, wild: 0 });
    assertEquals([source.memory, source.tables, source.elements, wild], [undefined, [], [], false]);
    const types = JSON.stringify([
      source.types,
      source.globals,
      source.functions.map(({ locals }) => locals),
    ]);
    assert(!/f32|f64|ref/.test(types), `seed ${seed} has a float or a reference`);
  }
});
