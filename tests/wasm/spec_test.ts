import { assert, assertEquals } from "@std/assert";
import { ValidationError } from "../../lib/error.ts";
import { parse } from "../../lib/wasm/parse.ts";
import { validate } from "../../lib/wasm/validate.ts";
import { fromBase64, listShared, readShared, sharedTest } from "../harness.ts";

interface Command {
  readonly type: string;
  readonly line: number;
  readonly wasm?: string;
  readonly text?: string;
}

/** Commands that hold a binary, and whether it must be accepted; an unlinkable module is valid by itself. */
const ACCEPTED: { readonly [type: string]: boolean } = {
  module: true,
  assert_unlinkable: true,
  assert_uninstantiable: true,
  assert_invalid: false,
  assert_malformed: false,
};

/** How many commands of each type the scripts hold: fewer would mean that the test has lost some. */
const COUNTS = {
  module: 1200,
  assert_unlinkable: 83,
  assert_uninstantiable: 60,
  assert_invalid: 1590,
  assert_malformed: 723,
};

/**
 * What the suite says of a module, and words of ours that say the same, or that name another rule
 * which the modules of the suite also break and which is checked first.
 */
const WORDS: { readonly [text: string]: RegExp } = {
  "type mismatch": /type mismatch/,
  "unknown local": /unknown local/,
  "unknown label": /unknown label/,
  "unknown function": /unknown function/,
  "unknown table": /unknown table|unknown element segment/,
  "unknown type": /unknown type/,
  "unknown memory": /unknown memory|data count section/,
  "unknown data segment": /unknown data segment|data count section/,
  "alignment must not be larger than natural": /larger than natural/,
  "malformed UTF-8 encoding": /not valid UTF-8/,
  "duplicate export name": /duplicate export name/,
  "undeclared function reference": /undeclared function reference/,
  "invalid result arity": /invalid result arity|select expects a value/,
  "multiple memories": /multi-memory/,
};

sharedTest("parse() and validate() judge every binary of the official suite", () => {
  const counts: Record<string, number> = {};
  const wrong: string[] = [];
  for (const script of listShared("spec/")) {
    for (const command of readShared<{ commands: Command[] }>(`spec/${script}.json`).commands) {
      if (command.wasm === undefined || !(command.type in ACCEPTED)) continue;
      counts[command.type] = (counts[command.type] ?? 0) + 1;
      const place = `${script}:${command.line} ${command.type} ${command.text ?? ""}`;
      const bytes = fromBase64(command.wasm);
      try {
        validate(parse(bytes));
        if (!ACCEPTED[command.type]) wrong.push(`${place}: accepted`);
      } catch (error) {
        if (!(error instanceof ValidationError)) wrong.push(`${place}: ${error}`);
        else if (ACCEPTED[command.type]) wrong.push(`${place}: ${error.message}`);
        else {
          const words = WORDS[command.text!.replace(/ \d+$/, "")];
          if (words !== undefined && !words.test(error.message)) wrong.push(`${place}: ${error.message}`);
          assert(error.offset !== undefined && error.offset >= 0 && error.offset <= bytes.length, place);
        }
      }
    }
  }
  assertEquals(wrong, []);
  assertEquals(counts, COUNTS);
});
