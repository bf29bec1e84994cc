/**
 * Compiled code and the plain loop over the programs of `../shared/golden`: compiled here with each set of options, decoded
 * again, and as the reference compiled them, compared at every charge and at every host call.
 *
 * @module
 */

import { assert } from "@std/assert";
import { compile, type ImportLinker, RwasmModule } from "../../mod.ts";
import { type VerifiedModule, verify } from "../../lib/isa/verify.ts";
import { Program } from "../../lib/interpreter/program.ts";
import { REFERENCE_LIMITS } from "../../lib/limits.ts";
import {
  type Expected,
  type Import,
  type Input,
  type JsonConfig,
  scriptedLinker,
  toConfig,
} from "../golden/fact.ts";
import {
  Failures,
  fromBase64,
  lettersToTypes,
  listShared,
  rawType,
  readShared,
  sharedTest,
  toRawValue,
  toValue,
} from "../harness.ts";
import { NotCompiled, Twins } from "./twins.ts";

/** Runs of one entry point under one configuration. */
interface Case {
  readonly entry: string;
  readonly config?: JsonConfig;
  readonly inputs: readonly Input[];
  readonly expected?: readonly Expected[];
  readonly runs?: readonly Expected[];
  readonly rwasm: string;
}

/** A file of `golden/programs`. */
interface GoldenFile extends Case {
  readonly wasm: string;
  readonly fpu: boolean;
  readonly imports?: readonly Import[];
  readonly cases?: readonly Case[];
  readonly variants?: readonly Case[];
}

/** Most fuel of a run that is walked to its end; longer ones differ from shorter ones in nothing but length. */
const MOST_FUEL = 1_500_000n;

/** Most charges at which a run is stopped. */
const MOST_STOPS = 150;

/** Runs of one program that are walked: those with many inputs are sampled. */
const MOST_RUNS = 3;

/** What `scriptedLinker` has for a context. */
type Host = ReturnType<typeof scriptedLinker> extends ImportLinker<infer T> ? T : never;

/** Every way a case can be made a module. */
function modulesOf(program: GoldenFile, item: Case, linker: ImportLinker<Host>): [string, RwasmModule][] {
  const config = toConfig(
    item.config ?? program.config ?? {},
    item.entry ?? program.entry,
    program.fpu ? "deterministic" : "trap",
  );
  const wasm = fromBase64(program.wasm);
  const compiled = compile(wasm, { ...config, linker });
  return [
    ["compiled", compiled],
    ["decoded", RwasmModule.decode(compiled.encode())],
    ["reference's", RwasmModule.decode(fromBase64(item.rwasm))],
    ["compiled with builtins charged", compile(wasm, { ...config, linker, builtinsConsumeFuel: true })],
  ];
}

for (const name of listShared("golden/programs")) {
  sharedTest(`compiled code and the plain loop walk in step: programs/${name}`, () => {
    const failures = new Failures();
    const program = readShared<GoldenFile>(`golden/programs/${name}.json`);
    const linker = scriptedLinker(program.imports ?? []);
    const cases = program.cases ?? [program, ...program.variants ?? []];
    let done = 0, stops = 0;
    for (const item of cases) {
      // What a variant without charges takes is that of the one with them.
      const costs = program.cases === undefined ? program.expected! : item.expected!;
      const every = Math.max(1, Math.ceil(cases.length * item.inputs.length / MOST_RUNS));
      for (const [way, module] of modulesOf(program, item, linker)) {
        const verified = verify(module, (index) => linker.bySyscall(index), { limits: REFERENCE_LIMITS });
        const lowered = new Program(verified);
        item.inputs.forEach((input, i) => {
          if (i % every !== 0 || BigInt(costs[i].fuel) > MOST_FUEL) return;
          for (const fuel of [undefined, "step"] as const) {
            try {
              const twins = walk(verified, lowered, linker, input, fuel);
              if (twins.ending === "done") done++;
              stops += twins.stops;
            } catch (error) {
              // What the reference's compiler makes of tail calls pushes what is not reserved.
              if (error instanceof NotCompiled && way === "reference's") return;
              failures.add(`${item.entry ?? program.entry} input ${i} ${way}, fuel ${fuel}: ${error}`);
            }
          }
        });
      }
    }
    failures.report();
    assert(done > 0 && stops > 10, `${done} runs to the end, ${stops} stops`);
  });
}

/** Initialization and entry point; how it ended and at how many places both loops were compared. */
function walk(
  verified: VerifiedModule,
  program: Program,
  linker: ImportLinker<Host>,
  input: Input,
  fuel: "step" | undefined,
): { ending: string; stops: number } {
  const { module } = verified;
  const twins = new Twins<Host>(verified, {
    linker,
    fuel: fuel ?? (input.fuelLimit == null ? undefined : BigInt(input.fuelLimit)),
    data: () => ({ script: input.script ?? [], calls: [] }),
    resume: ({ script, calls }) => {
      const values = script[calls.length - 1].interrupt!;
      return { types: values.map(({ type }) => type), values: values.map(toValue) };
    },
    mostStops: MOST_STOPS,
    program,
  });
  let ending = module.sourcePc > 0 ? twins.run(0) : "done";
  if (ending === "done") {
    const raw = module.info === undefined;
    const types = input.args.map(({ type }) => raw ? rawType(type) : type);
    ending = twins.run(module.sourcePc, types, input.args.map(raw ? toRawValue : toValue));
    if (ending === "done") {
      const slots = lettersToTypes(input.results).length;
      assert(twins.sides[0].machine.sp >= slots, "the results are on the stack");
    }
  }
  return { ending, stops: twins.stops };
}
