/**
 * Grades programs nobody trusts: each test runs on a fresh instance with a budget of fuel and limits on
 * memory and depth. Every way to fail is a verdict, none of them is an exception, and the same program
 * gets the same verdict and the same fuel on every machine.
 *
 * @module
 */

import {
  compile,
  ImportLinker,
  type Outcome,
  RwasmError,
  RwasmExecutor,
  type RwasmModule,
  RwasmStore,
  type Trap,
} from "../../mod.ts";
import task, { type Sheet, type Test } from "./task.ts";

/** What a submission gets. */
export type Verdict =
  | { readonly kind: "ok"; readonly fuel: bigint }
  /** It is no program, or wants what the task does not offer. */
  | { readonly kind: "refused"; readonly why: string }
  | {
    readonly kind: "wrong answer";
    readonly test: string;
    readonly expected: bigint;
    readonly found: bigint | undefined;
  }
  | { readonly kind: "out of fuel"; readonly test: string; readonly limit: bigint }
  | { readonly kind: "trap"; readonly test: string; readonly trap: Trap };

/** What one test may cost. */
export interface Budget {
  /** Fuel of one test. */
  readonly fuel: bigint;
  /** Pages of memory, 64 KiB each. */
  readonly pages: number;
  /** Calls that may be open at a time. */
  readonly depth: number;
}

/** A budget that a good solution keeps far below. */
export const BUDGET: Budget = { fuel: 1_000_000n, pages: 256, depth: 1000 };

/** Runs a submission on all tests; the first that fails decides. Fuel is that of all tests together. */
export function grade(wasm: Uint8Array, tests: readonly Test[], budget: Budget = BUDGET): Verdict {
  const linker = new ImportLinker<Sheet>().use(task);
  let module: RwasmModule, fuel = 0n;
  try {
    module = compile(wasm, { linker, limits: { memoryPages: budget.pages } });
    if (!module.exports.some(({ name, params }) => name === "solve" && params.length === 0)) {
      return { kind: "refused", why: `it exports no function "solve" without parameters` };
    }
  } catch (error) {
    if (error instanceof RwasmError) return { kind: "refused", why: error.shortMessage };
    throw error;
  }
  for (const { name: test, numbers, expected } of tests) {
    const data: Sheet = { numbers, answer: undefined };
    const store = new RwasmStore<Sheet>({
      linker,
      data,
      fuelLimit: budget.fuel,
      limits: { memoryPages: budget.pages, callDepth: budget.depth },
    });
    const outcome: Outcome = new RwasmExecutor(store, module).call("solve");
    fuel += store.consumedFuel();
    if (outcome.status === "trap") {
      const { trap } = outcome;
      return trap.code === "OutOfFuel"
        ? { kind: "out of fuel", test, limit: budget.fuel }
        : { kind: "trap", test, trap };
    }
    if (data.answer !== expected) return { kind: "wrong answer", test, expected, found: data.answer };
  }
  return { kind: "ok", fuel };
}

/** A verdict as a line. */
export function verdictText(verdict: Verdict): string {
  switch (verdict.kind) {
    case "ok":
      return `ok, ${verdict.fuel} fuel`;
    case "refused":
      return `refused: ${verdict.why.replaceAll(/\n\s*/g, "; ")}`;
    case "wrong answer":
      return `wrong answer in "${verdict.test}": ${verdict.found ?? "none"}, expected ${verdict.expected}`;
    case "out of fuel":
      return `out of fuel in "${verdict.test}": the budget is ${verdict.limit}`;
    case "trap": {
      const { shortMessage, hint } = verdict.trap;
      const why = shortMessage.split("\n")[0];
      return `trap in "${verdict.test}": ${why}${hint === undefined ? "" : ` (${hint})`}`;
    }
  }
}
