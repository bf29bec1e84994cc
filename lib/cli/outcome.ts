/**
 * How a run ended, told: results on standard output and everything else on standard error, or as data
 * for a JSON document.
 *
 * @module
 */

import type { FunctionType } from "../isa/module.ts";
import type { Outcome } from "../vm/outcome.ts";
import { type Host, printable } from "./host.ts";
import { failureData, failureText } from "./report.ts";
import { formatValue, jsonValue } from "./values.ts";

/** Prints an ending for people. */
export function printOutcome(host: Host, outcome: Outcome, { results }: FunctionType): void {
  switch (outcome.status) {
    case "done":
      outcome.results.forEach((value, position) => host.print(formatValue(value, results[position])));
      break;
    case "trap":
      host.note(failureText(outcome.trap, host.color));
      break;
    case "paused":
      host.note(`paused: ${pauseText(outcome)}`);
      break;
  }
}

function pauseText(outcome: Outcome & { status: "paused" }): string {
  if (outcome.reason !== "syscall" || outcome.payload === undefined) return outcome.reason;
  // A payload is any value of a plugin's choice, cycles included.
  return `${outcome.reason} ${printable(Deno.inspect(outcome.payload, { colors: false }))}`;
}

/** An ending as data. */
export function outcomeData(outcome: Outcome, { results }: FunctionType): Record<string, unknown> {
  switch (outcome.status) {
    case "done": {
      const values = outcome.results.map((value, position) => {
        return { type: results[position], value: jsonValue(value, results[position]) };
      });
      return { status: "done", results: values };
    }
    case "trap":
      return { status: "trap", trap: failureData(outcome.trap) };
    case "paused":
      return { status: "paused", reason: pauseText(outcome) };
  }
}
