/**
 * Control operators: frames, branches, calls. Functions over the translation state, one per operator.
 *
 * @module
 */

import { Op } from "../isa/opcode.ts";
import { slotsOfByte } from "../wasm/module.ts";
import { EMPTY_TYPE, IF, LOOP } from "./control.ts";
import { NO_CHAIN } from "./emitter.ts";
import type { CompiledIntrinsic } from "./imports.ts";
import { slotsOfTypes, type Translation } from "./translation.ts";

const NO_TYPES = new Uint8Array(0);

/** `block`, `loop` or `if`; the condition of an `if` is popped already. */
export function enterFrame(t: Translation, kind: number): void {
  const stack = t.stack, control = t.control, code = t.code;
  const type = readBlockType(t);
  const params = paramsOf(t, type);
  let keep: number;
  if (kind === LOOP) keep = slotsOfTypes(params);
  else if (type >= 0) keep = slotsOfTypes(t.module.types[type].results);
  else keep = type === EMPTY_TYPE ? 0 : slotsOfByte(-type);
  control.push(
    kind,
    true,
    type,
    stack.count - params.length,
    stack.height - slotsOfTypes(params),
    keep,
  );
  if (kind === LOOP) {
    control.setLabel(control.depth - 1, code.length);
    t.newRegion();
  } else if (kind === IF) {
    control.setElseChain(control.depth - 1, code.emitChained(Op.BrIfEqz, NO_CHAIN));
    t.newRegion();
  }
}

/** `else`, also in dead code. */
export function elseArm(t: Translation): void {
  const control = t.control, code = t.code, frame = control.depth - 1;
  if (!control.live(frame)) return;
  if (t.reachable) control.setLabel(frame, code.emitChained(Op.Br, control.label(frame)));
  control.enterElse(frame, t.reachable);
  code.bindChain(control.elseChain(frame));
  control.setElseChain(frame, NO_CHAIN);
  t.stack.shrink(control.baseCount(frame), control.baseHeight(frame));
  t.pushTypes(paramsOf(t, control.type(frame)));
  t.reachable = true;
  t.newRegion();
}

/** `end`, also in dead code; the one of the body returns. */
export function endFrame(t: Translation): void {
  const control = t.control, code = t.code, frame = control.depth - 1;
  if (frame === 0) {
    if (t.reachable) t.returnFromFunction();
    control.pop();
    return;
  }
  const after = control.reachableAfter(frame, t.reachable);
  if (control.live(frame)) {
    if (control.kind(frame) !== LOOP) {
      code.bindChain(control.elseChain(frame));
      code.bindChain(control.label(frame));
    }
    t.stack.shrink(control.baseCount(frame), control.baseHeight(frame));
  }
  const type = control.type(frame);
  control.pop();
  t.reachable = after;
  if (after) {
    if (type >= 0) t.pushTypes(t.module.types[type].results);
    else if (type !== EMPTY_TYPE) t.stack.push(slotsOfByte(-type));
  }
  t.newRegion();
}

/** `br_if` to a frame. */
export function branchIf(t: Translation, frame: number): void {
  const control = t.control, code = t.code;
  t.stack.pop();
  if (frame !== 0 && t.dropOf(frame) === 0) {
    control.markBranched(frame);
    t.branchTo(Op.BrIfNez, frame);
  } else {
    const over = code.emit(Op.BrIfEqz);
    t.branch(frame);
    code.bind(over);
  }
  t.newRegion();
}

/**
 * Entries of two instructions each, the second never reached. A target that needs a shuffle gets
 * a trampoline after the table, one per frame, shared by all entries that go there.
 */
export function branchTable(t: Translation): void {
  const reader = t.reader, control = t.control, code = t.code;
  const targets = reader.varU32() + 1;
  t.stack.pop();
  const table = code.emit(Op.BrTable, targets);
  const labels = reader.position;
  for (let n = 0; n < targets; n++) {
    const frame = control.frameOf(reader.varU32());
    const drop = t.dropOf(frame);
    control.markBranched(frame);
    if (drop === 0 && frame === 0) code.emit(Op.Return);
    else if (drop === 0) t.branchTo(Op.Br, frame);
    else control.setTableChain(frame, table, code.emitChained(Op.Br, control.tableChain(frame, table)));
    code.emit(Op.Return);
  }
  // A second walk over the labels finds each frame with a chain once, in the order of the entries.
  const end = reader.position;
  reader.position = labels;
  for (let n = 0; n < targets; n++) {
    const frame = control.frameOf(reader.varU32());
    const chain = control.tableChain(frame, table);
    if (chain === NO_CHAIN) continue;
    code.bindChain(chain);
    control.setTableChain(frame, table, NO_CHAIN);
    t.branch(frame);
  }
  reader.position = end;
  t.reachable = false;
}

/** `call` of a function. */
export function call(t: Translation, index: number): void {
  const type = t.module.types[t.module.functions[index]];
  const intrinsic = t.context.intrinsics[index];
  if (intrinsic === undefined) t.code.emit(Op.CallInternal, index);
  else splice(t, intrinsic);
  t.drop(type.params.length);
  t.pushTypes(type.results);
}

/** `call_indirect`. */
export function callIndirect(t: Translation): void {
  const type = t.reader.varU32(), table = t.reader.varU32();
  t.stack.pop();
  t.code.emit(Op.CallIndirect, t.context.signatures[type]);
  t.code.emit(Op.TableGet, table);
  t.drop(t.module.types[type].params.length);
  t.pushTypes(t.module.types[type].results);
}

/** `return_call` of a function. */
export function returnCall(t: Translation, index: number): void {
  const type = t.module.types[t.module.functions[index]];
  shuffleTail(t, slotsOfTypes(type.params));
  const intrinsic = t.context.intrinsics[index];
  if (intrinsic === undefined) t.code.emit(Op.ReturnCallInternal, index);
  else {
    splice(t, intrinsic);
    t.code.emit(Op.Return);
  }
  t.reachable = false;
}

/** `return_call_indirect`. */
export function returnCallIndirect(t: Translation): void {
  const type = t.reader.varU32(), table = t.reader.varU32();
  shuffleTail(t, slotsOfTypes(t.module.types[type].params) + 1); // the index travels along
  t.code.emit(Op.ReturnCallIndirect, t.context.signatures[type]);
  t.code.emit(Op.TableGet, table);
  t.reachable = false;
}

function splice(t: Translation, intrinsic: CompiledIntrinsic): void {
  t.stack.reserve(intrinsic.peak);
  intrinsic.emit(t.code);
}

/** Moves the arguments of a tail call over the frame of the caller. */
function shuffleTail(t: Translation, keep: number): void {
  t.dropKeep(t.stack.height + t.paramSlots - keep, keep);
}

function readBlockType(t: Translation): number {
  const type = t.reader.varS33();
  return type >= 0 ? type : type === -0x40 ? EMPTY_TYPE : -(type & 0x7f);
}

function paramsOf(t: Translation, blockType: number): Uint8Array {
  return blockType >= 0 ? t.module.types[blockType].params : NO_TYPES;
}
