import { assertEquals } from "@std/assert";
import { guestSink } from "../../lib/cli/guest_output.ts";
import type { Host } from "../../lib/cli/host.ts";

/** What arrives on a stream when a guest writes these pieces. */
function shown(isTerminal: boolean, pieces: readonly (string | readonly number[])[]): string {
  const chunks: number[] = [];
  const host = {
    terminal: { out: isTerminal, err: false },
    emit: (_stream: string, bytes: Uint8Array) => void chunks.push(...bytes),
  } as unknown as Host;
  const sink = guestSink(host, "out");
  for (const piece of pieces) {
    sink.write(typeof piece === "string" ? new TextEncoder().encode(piece) : Uint8Array.from(piece));
  }
  sink.end();
  return new TextDecoder().decode(Uint8Array.from(chunks));
}

// Each: what the guest writes, what a terminal gets.
const CASES: readonly (readonly [written: readonly (string | readonly number[])[], text: string])[] = [
  [["plain\n"], "plain\n"],
  [["no line end"], "no line end\n"],
  [["a\tb\r\n"], "a\tb\\u{d}\n"],
  [["\x1b]0;title\x07\n"], "\\u{1b}]0;title\\u{7}\n"],
  [["\x9b31m\x7f\n"], "\\u{9b}31m\\u{7f}\n"],
  [["\u202eabc\u2066\n"], "\\u{202e}abc\\u{2066}\n"],
  [[[0xe2, 0x82], [0xac, 0x0a]], "€\n"],
  [[[0xe2, 0x82]], "\ufffd\n"],
  [[], ""],
];

for (const [written, text] of CASES) {
  Deno.test(`a terminal gets ${JSON.stringify(text)}`, () => assertEquals(shown(true, written), text));
}

Deno.test("off a terminal every byte passes as it is", () => {
  assertEquals(shown(false, ["\x1b[2J\r", [0xe2], [0x82, 0xac]]), "\x1b[2J\r€");
});
