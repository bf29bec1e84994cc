/**
 * Profiles in the format of V8's CPU profiler, which Chrome DevTools and editors open. A microsecond
 * stands for a unit of fuel, and there is one sample per calling context.
 *
 * @module
 */

import { longText, plainName } from "./page_text.ts";
import type { Profile } from "./profile.ts";
import { walk } from "./profile_stacks.ts";
import type { SourceOf } from "./speedscope.ts";

/**
 * Writes a profile. Amounts are integers of any size, written in full. Functions without a known
 * source are in a script of the name, at the column of their Wasm offset, as V8 shows Wasm.
 *
 * @param name what the profile is of
 * @param sourceOf where functions are, when that is known
 * @throws {UsageError} `TextTooLong`
 */
export function cpuProfileJson(profile: Profile, name: string, sourceOf?: SourceOf): string {
  const { functions, modules, stacks, fuel } = profile;
  const frames = functions.map((fn, position) => {
    const module = fn.module === undefined ? undefined : modules[fn.module]!;
    const source = sourceOf?.(position);
    return JSON.stringify({
      functionName: plainName(fn.name),
      scriptId: String(fn.module === undefined ? 0 : fn.module + 1),
      url: source === undefined
        ? module === undefined ? "" : `wasm://wasm/${encodeURIComponent(plainName(name))}`
        : plainName(source.file),
      // Both count from 0 here.
      lineNumber: source === undefined ? 0 : Math.max(0, source.line - 1),
      columnNumber: source === undefined && fn.pc !== undefined ? module?.info?.wasmOffsets[fn.pc] ?? 0 : 0,
    });
  });
  const children: number[][] = Array.from(stacks.parents, () => []);
  const samples: number[] = [], deltas: string[] = ["0"];
  walk(stacks, (node) => {
    children[stacks.parents[node]!]!.push(node + 1);
    if (stacks.fuel[node] === 0n) return;
    samples.push(node + 1);
    deltas.push(String(stacks.fuel[node]));
  });
  // A sample lasts until the next one; the root ends the last.
  samples.push(1);
  const root = JSON.stringify({
    functionName: "(root)",
    scriptId: "0",
    url: "",
    lineNumber: -1,
    columnNumber: -1,
  });
  const nodes = children.map((below, node) => {
    const frame = node === 0 ? root : frames[stacks.functions[node]!]!;
    const hits = node > 0 && stacks.fuel[node]! > 0n ? 1 : 0;
    return `{"id":${node + 1},"callFrame":${frame},"hitCount":${hits},"children":[${below.join(",")}]}`;
  });
  return longText(
    "a .cpuprofile",
    () =>
      `{"nodes":[\n${nodes.join(",\n")}\n],\n"startTime":0,"endTime":${fuel},\n` +
      `"samples":[${samples.join(",")}],\n"timeDeltas":[${deltas.join(",")}]}\n`,
  );
}
