/**
 * Runs one script with the host's own WebAssembly and with a facade and compares what it noted:
 * values with their types, errors by their class, functions by name and length.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { createWebAssembly } from "../../mod.ts";
import { assembleWat } from "../compile/wat.ts";

/** What a script gets. */
export interface Bench {
  /** The implementation under test. */
  // deno-lint-ignore no-explicit-any -- scripts do what types forbid
  readonly W: any;
  /** Notes the value of an expression, or the class of what it throws. */
  note(expression: () => unknown): void;
  /** Instantiates a module in text; its exports. */
  // deno-lint-ignore no-explicit-any -- see above
  exports(text: string, imports?: unknown): any;
  /** Compiles a module in text. */
  module(text: string): WebAssembly.Module;
}

const host = WebAssembly;

/** The binary of a module in text. */
export function wat(text: string): Uint8Array<ArrayBuffer> {
  return assembleWat(text).slice();
}

/** Declares a test: the script must note the same with both, and something at all. */
export function sameAsHost(name: string, script: (bench: Bench) => void | Promise<void>): void {
  Deno.test(name, async () => {
    const expected = await notesOf(host, script), found = await notesOf(createWebAssembly(), script);
    if (expected.length === 0) throw new Error("the script noted nothing");
    assertEquals(found, expected);
  });
}

async function notesOf(
  // deno-lint-ignore no-explicit-any -- see Bench
  W: any,
  script: (bench: Bench) => void | Promise<void>,
): Promise<string[]> {
  const notes: string[] = [];
  const module = (text: string) => new W.Module(wat(text));
  await script({
    W,
    note: (expression) => {
      try {
        notes.push(describe(W, expression()));
      } catch (error) {
        notes.push(`throws ${describe(W, error)}`);
      }
    },
    module,
    exports: (text, imports) => new W.Instance(module(text), imports).exports,
  });
  return notes;
}

// deno-lint-ignore no-explicit-any -- see Bench
function describe(W: any, value: unknown): string {
  if (Object.is(value, -0)) return "-0";
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return `function ${value.name}/${value.length}`;
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) return `[${value.map((item) => describe(W, item)).join(", ")}]`;
  for (const name of ["CompileError", "LinkError", "RuntimeError"]) {
    if (value instanceof W[name]) return `${name} called ${value.constructor.name}`;
  }
  if (value instanceof Error) return value.constructor.name;
  const tag = Object.prototype.toString.call(value);
  if (tag !== "[object Object]") return tag;
  return `{${
    Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${describe(W, item)}`).join(", ")
  }}`;
}
