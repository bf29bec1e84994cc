/**
 * Rows of the table of handlers: jumps, charges, calls, and the ways out of the loop.
 *
 * @module
 */

import { TrapCode } from "../error.ts";
import { type HandlerEmitter, Local } from "./emit.ts";
import type { AddRow } from "./handlers.ts";
import { CALLABLE, Header, Stop } from "./layout.ts";
import { element } from "./memory_handlers.ts";

/** Adds the rows. */
export function controlRows(row: AddRow): void {
  row("Jump", "target fuel", (h) => h.operand(2).operand(1).set(Local.ip).chargeAndGo());
  for (const a of [false, true]) {
    row(`JumpTable${a ? "A" : "R"}`, `${a ? "a*" : "a"} count`, (h) => {
      // The ways follow, an address and a charge each; the last one is the default.
      h.source(a, 1, "i32").tee(Local.a).operand(2).i32(1).op(0x6b).tee(Local.b).get(Local.a).get(Local.b).op(
        0x49,
        0x1b,
      );
      h.i32(3).op(0x74).get(Local.ip).op(0x6a).tee(Local.a).op(0x28);
      h.code.memory(12);
      h.set(Local.ip).get(Local.a).op(0x28);
      h.code.memory(16);
      h.chargeAndGo();
    }, a ? "JumpTableR" : "");
  }
  row("Charge", "fuel", (h, n) => charge(h, () => h.operand(1)).next(n));
  row("ChargeStack", "a", (h, n) => charge(h, () => h.read(1, "i32")).next(n));
  row("Enter", "fuel slots", (h, n) => {
    // StackCheck first asks, because a charge that went through must not be made twice.
    reserve(h, 2, Stop.Slow);
    charge(h, () => h.operand(1)).next(n);
  });
  row("Frame", "slots", (h, n) => {
    // Pushes that nothing reserves: only the plain loop tests each of them.
    reserve(h, 1, Stop.Limit);
    h.next(n);
  });
  row("Reserve", "slots", (h, n) => {
    reserve(h, 1, Stop.Slow);
    h.next(n);
  });
  row("Signature", "signature", (h, n) => {
    h.header(Header.pending).if(() => {
      h.header(Header.signature).operand(1).op(0x47).trapIf(TrapCode.BadSignature);
      h.setHeader(Header.pending, () => h.i32(0));
    }).next(n);
  });
  // Where jumps and calls without a charge are counted: what makes or ends such a row of them.
  row("CountJump", "pc target fuel", (h) => {
    count(h);
    // It stops when the jump is made and nothing is charged at its target.
    h.setHeader(Header.uncharged, () => h.get(Local.a));
    stopAtMost(h);
    h.operand(3).operand(2).set(Local.ip).chargeAndGo();
  });
  row("CountCall", "pc", (h, n) => {
    count(h);
    // It stops before the call.
    stopAtMost(h);
    h.setHeader(Header.uncharged, () => h.get(Local.a)).next(n);
  });
  row("CountAnew", "", (h, n) => h.setHeader(Header.uncharged, () => h.i32(0)).next(n));
  // The address is 0 until the call is made for the first time: reading it is shorter than finding it.
  row("Call", "callee skip return fp address after", (h) => {
    checkDepth(h);
    h.operand(5).tee(Local.b).op(0x45).if(() => {
      lowered(h, 1);
      h.get(Local.ip).get(Local.b).operand(2).op(0x6a).tee(Local.b).op(0x36);
      h.code.memory(4 * 5);
    });
    pushReturn(h, 3);
    h.get(Local.fp).operand(4).op(0x6a).set(Local.fp);
    h.get(Local.b).jump();
  });
  row("CallIndirect", "signature table index return fp after", (h) => {
    checkDepth(h);
    indirect(h);
    pushReturn(h, 4);
    h.get(Local.fp).operand(5).op(0x6a).set(Local.fp);
    h.get(Local.b).jump();
  });
  row("TailCall", "callee skip fp", (h) => {
    lowered(h, 1);
    h.get(Local.fp).operand(3).op(0x6a).set(Local.fp);
    h.get(Local.b).operand(2).op(0x6a).jump();
  });
  row("TailCallIndirect", "signature table index fp", (h) => {
    indirect(h);
    h.get(Local.fp).operand(4).op(0x6a).set(Local.fp);
    h.get(Local.b).jump();
  });
  row("Return", "height", (h) => {
    h.header(Header.cp).header(Header.callBase).op(0x46).stopIf(Stop.Done);
    h.header(Header.cp).i32(4).op(0x6b).tee(Local.a).op(0x28);
    h.code.memory(0);
    // A frame that the plain loop made may belong to a function that is not lowered.
    ipOf(h).tee(Local.b).op(0x45).stopIf(Stop.Slow);
    h.setHeader(Header.cp, () => h.get(Local.a));
    // The last word of the call in front of the return point is the caller's height there.
    h.get(Local.fp).operand(1).op(0x6a).get(Local.b).i32(4).op(0x6b, 0x28);
    h.code.memory(0);
    h.op(0x6b).set(Local.fp).get(Local.b).jump();
  });
  row("Syscall", "", (h) => h.stop(Stop.Syscall));
  row("Slow", "", (h) => h.stop(Stop.Slow));
}

/** Leaves one more than what is counted in `Local.a`. */
function count(h: HandlerEmitter): void {
  h.header(Header.uncharged).i32(1).op(0x6a).set(Local.a);
}

/** Stops at the pc in operand 1 when these are as many as may be: the next one is for the plain loop. */
function stopAtMost(h: HandlerEmitter): void {
  h.get(Local.a).header(Header.mostUncharged).op(0x4f).if(() => {
    h.setHeader(Header.detail, () => h.operand(1)).stop(Stop.Uncharged);
  });
}

/** Charges an amount. */
function charge(h: HandlerEmitter, amount: () => void): HandlerEmitter {
  amount();
  h.tee(Local.a).get(Local.fuel).op(0x4b).stopIf(Stop.Fuel); // gt_u: the slice is never negative
  return h.get(Local.fuel).get(Local.a).op(0x6b).set(Local.fuel);
}

/** Stops unless operand `k`, the bytes that a frame reaches above fp, are addressable. */
function reserve(h: HandlerEmitter, k: number, reason: number): void {
  h.get(Local.fp).operand(k).op(0x6a).header(Header.stackLimit).op(0x4b).stopIf(reason);
}

/** Pushes the Program address for the rWasm pc on top. */
function ipOf(h: HandlerEmitter): HandlerEmitter {
  h.i32(2).op(0x74).header(Header.ips).op(0x6a, 0x28);
  h.code.memory(0);
  return h;
}

/** Leaves the Program address of the function at the pc in operand `k` in `Local.b`; stops when it is not lowered. */
function lowered(h: HandlerEmitter, k: number): void {
  h.operand(k).tee(Local.a);
  ipOf(h).tee(Local.b).op(0x45).if(() => h.setHeader(Header.detail, () => h.get(Local.a)).stop(Stop.Lower));
}

/** Stops where hidden functions would lack room for return addresses. */
function checkDepth(h: HandlerEmitter): void {
  h.header(Header.cp).header(Header.callLimit).op(0x4f).stopIf(Stop.Limit);
}

/** Pushes the return pc in operand `k` on the call stack. */
function pushReturn(h: HandlerEmitter, k: number): void {
  h.header(Header.cp).tee(Local.a).operand(k).store("i32");
  h.setHeader(Header.cp, () => h.get(Local.a).i32(4).op(0x6a));
}

/** Finds the function of an indirect call: its Program address in `Local.b`, the signature pending. */
function indirect(h: HandlerEmitter): void {
  element(h, 3, 2);
  h.get(Local.a).op(0x28, 0x00, 0x00).tee(Local.a).op(0x45).trapIf(TrapCode.IndirectCallToNull);
  h.get(Local.a).header(Header.codeLength).op(0x4f).stopIf(Stop.Slow);
  h.get(Local.a);
  ipOf(h).tee(Local.b).i32(CALLABLE).op(0x71, 0x45).if(() => {
    h.setHeader(Header.detail, () => h.get(Local.a)).stop(Stop.Lower);
  });
  h.get(Local.b).i32(-CALLABLE).op(0x6a).set(Local.b);
  h.setHeader(Header.pending, () => h.i32(1)).setHeader(Header.signature, () => h.operand(1));
}
