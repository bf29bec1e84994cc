/**
 * The host of the generated modules: functions whose results follow from their arguments, and which
 * note every call. Each engine wires them in its own way; what they do is the same everywhere.
 *
 * @module
 */

import type { Value, ValueType } from "../../mod.ts";
import type { Signature } from "../generate/module.ts";
import { valueText } from "./observation.ts";

/** How a host call ends when not by returning. */
export class HostEnd extends Error {
  /** "trap" ends the run badly, "halt" well. */
  readonly how: "trap" | "halt";

  /** Ends a host call. */
  constructor(how: "trap" | "halt") {
    super(how);
    this.how = how;
  }
}

/** A host function: its results, one per declared type; a {@link HostEnd} ends the run. */
export type HostFunction = (args: readonly Value[]) => Value[];

/** What the host keeps for one instance. */
export class Host {
  /** Calls since the last `take`. */
  #log: string[] = [];
  /** The memory that `peek` and `poke` touch; empty until the instance is there. */
  memory: () => Uint8Array = () => new Uint8Array(0);

  /** The calls since the last time. */
  take(): string[] {
    const log = this.#log;
    this.#log = [];
    return log;
  }

  /** The function of a name. Function references must not be among the types. */
  function(name: string, { params, results }: Signature): HostFunction {
    return (args) => {
      const text = `${name}(${args.map((value, i) => valueText(params[i], value)).join(", ")})`;
      switch (name) {
        case "peek": {
          const byte = this.memory()[(args[0] as number) & 0xff] ?? 0;
          this.#log.push(`${text} saw ${byte}`);
          return [byte];
        }
        case "poke": {
          const memory = this.memory();
          if (memory.length > 0) memory[(args[0] as number) & 0xff] = args[1] as number;
          this.#log.push(`${text} of ${memory.length}`);
          return [];
        }
        case "fail":
        case "halt":
          this.#log.push(text);
          if (((args[0] as number) & 3) === 0) throw new HostEnd(name === "fail" ? "trap" : "halt");
          return [];
        default:
          this.#log.push(text);
          return results.map((type, i) => resultOf(type, hash(`${text} ${i}`)));
      }
    };
  }
}

/** FNV-1a, 32 bits, of a text. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}

const FLOATS = [0, -0, 1, -1.5, 0.1, 1e-40, 1e10, -3e38, 2147483648, 4294967296, Infinity, -Infinity, NaN];

function resultOf(type: ValueType, bits: number): Value {
  switch (type) {
    case "i32":
      return bits | 0;
    case "i64":
      return BigInt.asIntN(64, BigInt(bits) * 0x9e3779b97f4a7c15n);
    case "f32":
      return Math.fround(FLOATS[bits % FLOATS.length]);
    case "f64":
      return FLOATS[bits % FLOATS.length];
    case "funcref":
      return null;
    case "externref":
      return bits % 3 === 0 ? null : bits % 1000;
  }
}
