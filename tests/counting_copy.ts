/**
 * Rewrites a module so that its consumed fuel is the number of rWasm instructions it executes: every
 * instruction charges 1, the module's own charges are gone. The copy ends in the same way with the
 * same results and memory; function references have other numbers. It counts through the public
 * machine only, and bounds by `fuelLimit` what a module without charges would run for ever.
 *
 * @module
 */

import { Op } from "../lib/isa/opcode.ts";
import { RwasmModule } from "../mod.ts";

/** Instructions whose immediate is a distance. */
const RELATIVE = new Set([Op.Br, Op.BrIfEqz, Op.BrIfNez]);
/** Instructions whose immediate is a code index. */
const ABSOLUTE = new Set([Op.CallInternal, Op.ReturnCallInternal, Op.RefFunc]);
/** Instructions that read their table from the next slot and skip it. */
export const WITH_PAYLOAD = new Set([Op.CallIndirect, Op.ReturnCallIndirect, Op.TableInit]);

/** Where a pc outside of the code leads in the copy: also outside. */
const OUTSIDE = 0x7fffffff;

/** The counting copy of a module. A table of branches longer than the code is cut: no entry past it can run. */
export function countingCopy(module: RwasmModule): RwasmModule {
  const { opcodes, immediates } = module;
  const length = module.length;
  // Layout of instruction pc: ConsumeFuel 1, then the instruction, then what it needs to go on.
  // Slots left over hold 0, Unreachable: they follow instructions that cannot go on.
  const starts = new Int32Array(length + 1);
  for (let pc = 0, at = 0; pc <= length; pc++) {
    starts[pc] = at;
    if (pc < length) at += 1 + size(opcodes[pc], immediates[pc], length - pc);
  }
  const total = starts[length];
  const code = new Uint8Array(total), cells = new Int32Array(total);
  const moved = (pc: number) => pc >= 0 && pc < length ? starts[pc] : OUTSIDE;
  let at = 0;
  const emit = (op: number, cell = 0) => {
    code[at] = op;
    cells[at++] = cell;
  };
  /** A branch; a distance to nowhere keeps its sign and leaves the code. */
  const jump = (op: number, target: number) =>
    emit(op, moved(target) === OUTSIDE ? OUTSIDE - at : moved(target) - at);
  for (let pc = 0; pc < length; pc++) {
    const op = opcodes[pc], cell = immediates[pc];
    at = starts[pc];
    emit(Op.ConsumeFuel, 1);
    if (op === Op.ConsumeFuel) continue;
    if (op === Op.ConsumeFuelStack) emit(Op.Drop);
    else if (RELATIVE.has(op)) jump(op, pc + cell);
    else if (ABSOLUTE.has(op)) emit(op, op === Op.RefFunc && cell === 0 ? 0 : moved(cell >>> 0));
    else if (WITH_PAYLOAD.has(op) && opcodes[pc + 1] === Op.TableGet && pc + 1 < length) {
      emit(op, cell);
      emit(Op.TableGet, immediates[pc + 1]);
      jump(Op.Br, pc + 2);
    } else if (op === Op.BrTable) {
      const entries = tableEntries(cell, length - pc);
      emit(op, entries);
      for (let k = 0; k < entries; k++) {
        jump(Op.Br, pc + 1 + 2 * k);
        emit(Op.Return);
      }
    } else emit(op, cell);
  }
  return new RwasmModule({
    opcodes: code,
    immediates: cells,
    data: module.data,
    elements: module.elements.map((pc) => pc === 0 ? 0 : moved(pc)),
    hint: module.hint,
    sourcePc: module.sourcePc < length ? starts[module.sourcePc] : OUTSIDE,
  });
}

/** Entries of a branch table that can lead into the code, and one beyond. */
function tableEntries(cell: number, rest: number): number {
  return Math.min(cell >>> 0, (rest >> 1) + 1);
}

function size(op: number, cell: number, rest: number): number {
  if (op === Op.ConsumeFuel) return 0;
  if (WITH_PAYLOAD.has(op)) return rest > 1 ? 3 : 1;
  return op === Op.BrTable ? 1 + 2 * tableEntries(cell, rest) : 1;
}
