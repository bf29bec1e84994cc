/**
 * Generated modules in compiled code and in the plain loop, in every manner of stopping and going on.
 *
 * @module
 */

import { generateModule } from "../generate/generate.ts";
import { type GeneratedOptions, runGenerated } from "./generated.ts";

/** How each module is run. */
export const MANNERS: readonly GeneratedOptions[] = [
  { fuel: "step" },
  {},
  { fuel: 300n },
  { metered: false },
  { slice: 37 },
  { decoded: true, fuel: "step" },
  { callsHost: true },
  { callsHost: true, slice: 53 },
  { callsHost: true, metered: false },
];

/** Runs a generated module in some manners: those that fail, and why. Counts how its runs end. */
export function runSeed(
  seed: number,
  manners: readonly GeneratedOptions[],
  endings: Map<string, number>,
): [manner: number, failure: string][] {
  const generated = generateModule(seed), failures: [number, string][] = [];
  manners.forEach((options, manner) => {
    try {
      for (const ending of runGenerated(generated, options).endings) {
        endings.set(ending, (endings.get(ending) ?? 0) + 1);
      }
    } catch (error) {
      failures.push([manner, String(error)]);
    }
  });
  return failures;
}
