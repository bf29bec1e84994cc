/**
 * How the verifier says no: one `VerifyError` with the instruction, where it stands and the reason.
 * It decides nothing.
 *
 * @module
 */

import { TRAP_NAMES, VerifyError } from "../error.ts";
import type { RwasmModule } from "./module.ts";
import { Op, OP_NAMES } from "./opcode.ts";
import { formatInstruction } from "./text.ts";

const DOING = "Cannot verify rWasm module";

/** What an error says beside its reason; every part is optional. */
export interface RefusalDetails {
  /** A place in words that is not an instruction: "element 3". */
  readonly where?: string;
  /** What the reader can do next. */
  readonly hint?: string;
}

/** Refuses the module as a whole: `why` is a full sentence without a period. */
export function refuseModule(code: string, why: string, details: RefusalDetails = {}): never {
  throw new VerifyError(code, `${DOING}: ${why}`, details);
}

/** Refuses an instruction: `why` goes on after it, "Br(5) " + "goes to 9, …". */
export function refuseAt(
  module: RwasmModule,
  pc: number,
  code: string,
  why: string,
  details: RefusalDetails = {},
): never {
  throw new VerifyError(code, `${DOING}: ${instructionText(module, pc)} ${why}`, { pc, ...details });
}

/** Also of what cannot be an instruction. */
function instructionText(module: RwasmModule, pc: number): string {
  const op = module.opcodes[pc]!, immediate = module.immediates[pc]! >>> 0;
  if (OP_NAMES[op] === undefined) return `opcode ${op}`;
  if (op === Op.Trap && immediate >= TRAP_NAMES.length) return `Trap(${immediate})`;
  return formatInstruction(module, pc);
}

/** "1 slot", "3 slots". */
export function slots(count: number): string {
  return `${count} slot${count === 1 ? "" : "s"}`;
}
