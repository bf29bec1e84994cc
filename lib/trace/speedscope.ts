/**
 * Profiles in the file format of speedscope: frames, and events that open and close them. The axis is
 * fuel, not time, and calls are merged by calling context.
 *
 * @module
 */

import { longText, plainName } from "./page_text.ts";
import type { StackProfile } from "./folded.ts";
import type { SourceLine } from "../wasm/dwarf.ts";
import { walk } from "./profile_stacks.ts";

/** Says where the code of a function is, by its position in the profile. */
export type SourceOf = (fn: number) => SourceLine | undefined;

/**
 * Writes a profile. Amounts are integers of any size, written in full.
 *
 * @param name what the profile is of
 * @param sourceOf where functions are, when that is known
 * @throws {UsageError} `TextTooLong`
 */
export function speedscopeJson(profile: StackProfile, name: string, sourceOf?: SourceOf): string {
  const { functions, stacks, fuel } = profile;
  const frames = functions.map((fn, position) => {
    const source = sourceOf?.(position);
    const place = source === undefined ? {} : { file: plainName(source.file), line: source.line };
    return JSON.stringify({ name: plainName(fn.name), ...place });
  });
  const events: string[] = [];
  let at = 0n;
  walk(stacks, (node) => {
    events.push(`{"type":"O","frame":${stacks.functions[node]},"at":${at}}`);
    at += stacks.fuel[node]!;
  }, (node) => void events.push(`{"type":"C","frame":${stacks.functions[node]},"at":${at}}`));
  return longText(
    "a speedscope file",
    () =>
      `{"$schema":"https://www.speedscope.app/file-format-schema.json",\n` +
      `"exporter":"rwasm","name":${JSON.stringify(plainName(name))},"activeProfileIndex":0,\n` +
      `"shared":{"frames":[\n${frames.join(",\n")}\n]},\n` +
      `"profiles":[{"type":"evented","name":"fuel","unit":"none","startValue":0,"endValue":${fuel},"events":[\n` +
      `${events.join(",\n")}\n]}]}\n`,
  );
}
