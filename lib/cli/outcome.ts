/**
 * How a run ended, told: results on standard output and everything else on standard error, or as data
 * for a JSON document.
 *
 * @module
 */

import type { FunctionType } from "../isa/module.ts";
import type { Outcome, Paused } from "../vm/outcome.ts";
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

function pauseText(outcome: Paused): string {
  switch (outcome.reason) {
    case "syscall":
      if (outcome.payload === undefined) return "syscall";
      // A payload is any value of a plugin's choice, cycles included.
      return `syscall ${printable(Deno.inspect(outcome.payload, { colors: false }))}`;
    case "fuel":
      return `fuel: the next charge is ${outcome.required}, ${outcome.remaining} left`;
    case "abort":
      return printable(String(outcome.cause));
    case "deadline":
      return "the time of --timeout is over";
    default:
      return outcome.reason;
  }
}

/** What a pause has beside its reason. */
function pauseData(outcome: Paused): Record<string, unknown> {
  if (outcome.reason === "syscall") return { reason: pauseText(outcome) };
  const { reason, pc } = outcome;
  return reason === "fuel"
    ? { reason, pc, required: outcome.required, remaining: outcome.remaining }
    : { reason, pc };
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
      return { status: "paused", ...pauseData(outcome) };
  }
}
