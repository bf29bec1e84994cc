import { assertEquals } from "@std/assert";
import { readNames } from "../../lib/wasm/names.ts";
import { parse } from "../../lib/wasm/parse.ts";
import { bodies, hex, leb, section, wasm } from "./notation.ts";

/** A module of two functions whose "name" section has this payload. */
const named = (payload: string | readonly number[]) =>
  parse(wasm(
    section(1, "01 60 00 00"),
    section(3, "02 00 00"),
    bodies("00 0b", "00 0b"),
    section(0, [...hex("04 'name'"), ...(typeof payload === "string" ? hex(payload) : payload)]),
  ));

const CASES: Record<
  string,
  readonly [payload: string, module: string | undefined, names: [number, string][]]
> = {
  "nothing": ["", undefined, []],
  "a module name": ["00 04 03 'app'", "app", []],
  "function names": ["01 08 02 00 01 'f' 01 02 'gg'", undefined, [[0, "f"], [1, "gg"]]],
  "both, with other subsections between": [
    "00 02 01 'm' 02 01 00 01 04 01 01 01 'g' 07 00",
    "m",
    [[1, "g"]],
  ],
  "a function that does not exist is left out": ["01 07 02 00 01 'f' 02 01 'g'", undefined, [[0, "f"]]],
  "function names that are cut off are ignored": ["01 05 02 00 01 'f'", undefined, []],
  "a malformed module name is ignored, the rest is not": ["00 02 01 ff 01 04 01 00 01 'f'", undefined, [[
    0,
    "f",
  ]]],
  "names after a cut subsection are lost": ["01 04 01 00 01 'f' 02 7f 00", undefined, [[0, "f"]]],
  "a count that is a lie": ["01 05 ff ff ff ff 0f", undefined, []],
};

Deno.test("readNames() reads what is there and ignores what is malformed", async (t) => {
  for (const [name, [payload, moduleName, functions]] of Object.entries(CASES)) {
    await t.step(name, () => {
      assertEquals(readNames(named(payload)), { moduleName, functions: new Map(functions) });
    });
  }
});

Deno.test("readNames() takes the first of two name sections, and none from a module without", () => {
  const name = (text: string) => section(0, `04 'name' 00 02 01 '${text}'`);
  assertEquals(readNames(parse(wasm(name("a"), name("b")))).moduleName, "a");
  assertEquals(readNames(parse(wasm())), { moduleName: undefined, functions: new Map() });
});

Deno.test("readNames() survives every byte of a name section being replaced", () => {
  const payload = hex("00 04 03 'app' 01 08 02 00 01 'f' 01 02 'gg'");
  for (let at = 0; at < payload.length; at++) {
    for (const byte of [0x00, 0x7f, 0x80, 0xff]) {
      const { functions } = readNames(named(payload.with(at, byte)));
      for (const index of functions.keys()) assertEquals(index < 2, true);
    }
  }
  assertEquals(readNames(named([1, ...leb(3), 1, 0, 0])).functions.get(0), "");
});
