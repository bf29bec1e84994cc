import { assert, assertEquals } from "@std/assert";
import { HANDLERS } from "../../lib/interpreter/handlers.ts";
import { HANDLER, nameOf, operandsOf, WORDS } from "../../lib/interpreter/instructions.ts";
import { loopBytesSource } from "../../tools/generate_loop.ts";

Deno.test("the bytes of the loop in the repository are what the table of handlers emits", async () => {
  const written = await Deno.readTextFile(new URL("../../lib/interpreter/loop_bytes.ts", import.meta.url));
  assert(written === loopBytesSource(), "run `deno task generate`");
});

Deno.test("instructions have the numbers, names and operands of the table of handlers", () => {
  HANDLERS.forEach(({ name, operands }, number) => {
    assertEquals(HANDLER[name], number);
    assertEquals(nameOf(number), name);
    assertEquals(operandsOf(number), operands);
    assertEquals(WORDS[number], operands.length + 1);
  });
  assertEquals(Object.keys(HANDLER).length, HANDLERS.length);
});
