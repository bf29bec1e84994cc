/**
 * The long campaign: `deno task campaign:differential [--first 0] [--count 20000] [--engine name]
 * [--again name]`. Modules that differ are made smaller and written to a temporary folder, as binary
 * and as text; `--first` and `--count 1` look at one seed again. Ends with exit code 1 on a difference.
 *
 * @module
 */

import { parseArgs } from "node:util";
import wabt from "wabt";
import type { ExecutorOptions } from "../../mod.ts";
import { encodeModule } from "../generate/module.ts";
import { campaign, check, type Engines, type Finding, minimize } from "./campaign.ts";
import { callText } from "./plan.ts";

const { values } = parseArgs({
  options: {
    first: { type: "string", default: "0" },
    count: { type: "string", default: "20000" },
    engine: { type: "string" },
    again: { type: "string" },
  },
});

const engine = (name: string | undefined): ExecutorOptions | undefined =>
  name === undefined ? undefined : { engine: name as NonNullable<ExecutorOptions["engine"]> };
const engines: Engines = { options: engine(values.engine), again: engine(values.again) };

/** The text form of a module. */
async function textOf(wasm: Uint8Array): Promise<string> {
  const toolkit = await wabt();
  const features = { tail_call: true, extended_const: true, reference_types: true, bulk_memory: true };
  const module = toolkit.readWasm(wasm, { ...features, readDebugNames: false });
  try {
    return module.toText({ foldExprs: false, inlineExport: false });
  } finally {
    module.destroy();
  }
}

/** Writes what is needed to look into a finding. */
async function write(folder: string, finding: Finding): Promise<void> {
  const { module, check: kind, difference } = finding;
  const { source, plan } = minimize(finding, engines);
  const wasm = encodeModule(source);
  const now = check(kind, source, wasm, plan, engines).difference;
  const name = `${folder}/${module.seed}-${kind}`;
  await Deno.writeFile(`${name}.full.wasm`, module.wasm);
  await Deno.writeFile(`${name}.wasm`, wasm);
  const text = [
    `seed ${module.seed}, check "${kind}": ${difference.kind}`,
    `whole module (${module.wasm.length} bytes): ${difference.text}`,
    `smaller (${wasm.length} bytes): ${now?.text}`,
    `calls, each with "budget" set to ${plan.budget}: ${plan.calls.map(callText).join(", ") || "none"}`,
    "",
    await textOf(wasm).catch((error) => `no text: ${error}`),
  ].join("\n");
  await Deno.writeTextFile(`${name}.txt`, text);
  console.log(`\n${text}`);
}

const start = performance.now();
const seconds = () => ((performance.now() - start) / 1000).toFixed(1);
const count = Number(values.count);
const { findings, ...figures } = campaign({
  first: Number(values.first),
  count,
  engines,
  onModule: (done) => {
    if (done % 1000 === 0 && done < count) console.log(`${done} modules, ${seconds()} s`);
  },
});
console.log(
  `${figures.modules} modules, ${figures.runs} runs, ${figures.hostCalls} host calls, ${seconds()} s; ` +
    `${figures.trapped} modules trapped, ${figures.exhausted} ran out of stack (allowed); ` +
    `${findings.length} differences`,
);
if (findings.length > 0) {
  const folder = await Deno.makeTempDir({ prefix: "differential-" });
  for (const finding of findings.slice(0, 5)) await write(folder, finding);
  console.log(`\nseeds: ${findings.map(({ module, check }) => `${module.seed} (${check})`).join(", ")}`);
  console.log(`written to ${folder}`);
  Deno.exit(1);
}
