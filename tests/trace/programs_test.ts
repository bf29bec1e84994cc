/**
 * Traces of the programs of `../shared/golden/programs`: runs with a tracer are as the facts of the
 * reference say, and the trace alone leads to the state of the machine.
 *
 * @module
 */

import { assert } from "@std/assert";
import { compile, REFERENCE_LIMITS, RwasmExecutor, RwasmStore } from "../../mod.ts";
import { Tracer } from "../../lib/trace/tracer.ts";
import {
  type Expected,
  type Import,
  type Input,
  type JsonConfig,
  scriptedLinker,
  toConfig,
} from "../golden/fact.ts";
import { Failures, fromBase64, listShared, readShared, sharedTest, toValue } from "../harness.ts";
import { replayDiffers } from "./traced.ts";

interface Case {
  readonly entry: string;
  readonly config?: JsonConfig;
  readonly inputs: readonly Input[];
  readonly expected: readonly Expected[];
}

interface Program extends Case {
  readonly wasm: string;
  readonly fpu: boolean;
  readonly imports?: readonly Import[];
  readonly cases?: readonly Case[];
}

/** Runs of more fuel than this are left out, but for the first of each program. */
const MOST_FUEL = 200_000n;

for (const name of listShared("golden/programs")) {
  sharedTest(`the trace of ${name} alone rebuilds its machine`, () => {
    const failures = new Failures(), program = readShared<Program>(`golden/programs/${name}.json`);
    const wasm = fromBase64(program.wasm), linker = scriptedLinker(program.imports ?? []);
    let runs = 0;
    for (const { entry, config = program.config ?? {}, inputs, expected } of program.cases ?? [program]) {
      const module = compile(wasm, {
        ...toConfig(config, entry, program.fpu ? "deterministic" : "trap"),
        linker,
      });
      inputs.forEach((input, i) => {
        const fact = expected[i];
        if (fact.instantiateTrap !== undefined || runs > 0 && BigInt(fact.fuel) > MOST_FUEL) return;
        runs++;
        const script = input.script ?? [], host = { script, calls: [] as { index: number; params: [] }[] };
        const fuel = input.fuelLimit == null ? {} : { fuelLimit: BigInt(input.fuelLimit) };
        const store = new RwasmStore({ linker, data: host, limits: REFERENCE_LIMITS, ...fuel }),
          tracer = new Tracer();
        const executor = new RwasmExecutor(store, module, { tracer });
        let outcome = executor.call(entry, input.args.map(toValue));
        while (outcome.status === "paused") {
          outcome = executor.resume(script[host.calls.length - 1].interrupt!.map(toValue));
        }
        const label = `${entry} input ${i}`;
        const trap = outcome.status === "trap" ? outcome.trap.code : null;
        if (trap !== (fact.trap ?? null)) failures.add(`${label}: ended with ${trap}`);
        if (store.consumedFuel() !== BigInt(fact.fuel)) {
          failures.add(`${label}: fuel ${store.consumedFuel()}`);
        }
        const difference = replayDiffers(tracer, store.machine!, store);
        if (difference !== undefined) failures.add(`${label}: ${difference}`);
      });
    }
    failures.report();
    assert(runs > 0);
  });
}
