/**
 * Profiles as JSON with every table in it, and back as far as a comparison needs. Amounts are decimal
 * strings, because JSON readers round large numbers. The schema is in the types below.
 *
 * @module
 */

import { DecodeError } from "../error.ts";
import { foldedStacks, parseFolded, type StackProfile } from "./folded.ts";
import type { SourceLine } from "../wasm/dwarf.ts";
import type { Profile } from "./profile.ts";
import { fuelByFunction, fuelByOperator, fuelByPlace } from "./profile_operators.ts";

/** A profile as data. */
export interface ProfileData {
  /** What the document is. */
  readonly format: "rwasm-profile";
  /** Version of the schema. */
  readonly version: 1;
  /** All fuel. */
  readonly fuel: string;
  /** By function, most expensive first. */
  readonly functions: readonly {
    readonly name: string;
    readonly index: number | null;
    readonly calls: number;
    readonly self: string;
    readonly total: string;
  }[];
  /** By operator, most expensive first. */
  readonly operators: readonly { readonly operator: string; readonly count: number; readonly fuel: string }[];
  /** By place in the code, in its order; offsets are of the Wasm module. */
  readonly places: readonly {
    readonly function: string;
    readonly offset: number | null;
    readonly pc: number | null;
    readonly operator: string;
    readonly count: number;
    readonly fuel: string;
    readonly source?: string;
  }[];
  /** Folded stacks. */
  readonly stacks: string;
}

/**
 * A profile as data.
 *
 * @param sourceAt where an offset of a module is in the source, when that is known
 */
export function profileData(
  profile: Profile,
  sourceAt?: (module: number, offset: number) => SourceLine | undefined,
): ProfileData {
  const { functions } = profile;
  return {
    format: "rwasm-profile",
    version: 1,
    fuel: String(profile.fuel),
    functions: fuelByFunction(profile).map(({ function: fn, calls, self, total }) => {
      const { name, index = null } = functions[fn]!;
      return { name, index, calls, self: String(self), total: String(total) };
    }),
    operators: fuelByOperator(profile).map((row) => ({ ...row, fuel: String(row.fuel) })),
    places: fuelByPlace(profile).map(({ function: fn, offset, pc, operator, count, fuel }) => {
      const { name, module } = functions[fn]!;
      const source = offset === undefined || module === undefined ? undefined : sourceAt?.(module, offset);
      return {
        function: name,
        offset: offset ?? null,
        pc: pc < 0 ? null : pc,
        operator,
        count,
        fuel: String(fuel),
        ...source === undefined ? {} : { source: `${source.file}:${source.line}` },
      };
    }),
    stacks: foldedStacks(profile),
  };
}

/**
 * Reads a profile that was saved: JSON of ours, or folded stacks of anybody.
 *
 * @throws {DecodeError} `MalformedProfile` when it is neither.
 */
export function parseProfile(text: string): StackProfile {
  if (!text.trimStart().startsWith("{")) return parseFolded(text);
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (error) {
    throw malformed("it is not JSON", error);
  }
  const { format, version, stacks } = data as Record<string, unknown>;
  if (format !== "rwasm-profile" || version !== 1 || typeof stacks !== "string") {
    throw malformed("it is JSON, but not a profile of version 1");
  }
  return parseFolded(stacks);
}

function malformed(why: string, cause?: unknown): DecodeError {
  return new DecodeError("MalformedProfile", `Cannot read profile: ${why}`, {
    cause,
    hint: "profile writes what it can compare with --format json or folded",
  });
}
