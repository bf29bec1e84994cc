/**
 * Profiles as JSON with every table in it, and back as far as a comparison needs. Amounts are decimal
 * strings, because JSON readers round large numbers. The schema is in the types below.
 *
 * @module
 */

import { DecodeError } from "../error.ts";
import { parseFolded, type StackProfile } from "./folded.ts";
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
  /** Calling contexts as columns; node 0 is the root, every other one comes after its parent. */
  readonly stacks: {
    /** Names that `functions` counts. */
    readonly names: readonly string[];
    readonly parents: readonly number[];
    /** −1 for the root. */
    readonly functions: readonly number[];
    readonly fuel: readonly string[];
  };
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
    stacks: {
      names: functions.map(({ name }) => name),
      parents: Array.from(profile.stacks.parents),
      functions: Array.from(profile.stacks.functions),
      fuel: profile.stacks.fuel.map(String),
    },
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
  if (format !== "rwasm-profile" || version !== 1 || typeof stacks !== "object" || stacks === null) {
    throw malformed("it is JSON, but not a profile of version 1");
  }
  return readStacks(stacks as Record<string, unknown>);
}

function readStacks({ names, parents, functions, fuel }: Record<string, unknown>): StackProfile {
  const columns = [names, parents, functions, fuel];
  if (!columns.every(Array.isArray)) throw malformed("its stacks are not columns");
  const [named, above, of, amounts] = columns as unknown[][];
  if (!named!.every((name) => typeof name === "string") || new Set(named).size !== named!.length) {
    throw malformed("its names are not different texts");
  }
  const { length } = above!;
  if (length === 0 || of!.length !== length || amounts!.length !== length) {
    throw malformed("its columns are not equally long");
  }
  const isIndex = (value: unknown, below: number): boolean =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) < below;
  for (let node = 0; node < length; node++) {
    const amount = amounts![node];
    const root = node === 0 && above![0] === 0 && of![0] === -1;
    if (!root && !(isIndex(above![node], node) && isIndex(of![node], named!.length))) {
      throw malformed(`stack ${node} is under none before it, or of no function`);
    }
    if (typeof amount !== "string" || !/^\d{1,40}$/.test(amount)) {
      throw malformed(`the fuel of stack ${node} is not a decimal number`);
    }
  }
  const self = (amounts as string[]).map(BigInt);
  return {
    fuel: self.reduce((sum, amount) => sum + amount, 0n),
    functions: (named as string[]).map((name) => ({ name })),
    stacks: {
      parents: Int32Array.from(above as number[]),
      functions: Int32Array.from(of as number[]),
      fuel: self,
    },
  };
}

function malformed(why: string, cause?: unknown): DecodeError {
  return new DecodeError("MalformedProfile", `Cannot read profile: ${why}`, {
    cause,
    hint: "profile writes what it can compare with --format json or folded",
  });
}
