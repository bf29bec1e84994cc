/**
 * Emits the dispatch loop as a WebAssembly module from the table of handlers: one function that
 * reads the handler number at ip and branches, until a handler stops.
 *
 * @module
 */

import { CodeWriter, encodeWasm } from "../wasm/encode.ts";
import { F32, F64, I32, I64 } from "../wasm/module.ts";
import { HandlerEmitter, Local } from "./emit.ts";
import { HANDLERS } from "./handlers.ts";
import { Header } from "./layout.ts";

/** Memory of the counts, when there are any; the state is memory 0, that of the guest 1. */
const COUNTS = 2;

/**
 * The bytes of the loop module. It imports the state memory as "m" "state" and the guest memory as
 * "m" "guest", and exports `run(ip, fp, fuel, cp): reason`; the registers are in the header when it
 * returns.
 *
 * @param counting for measurements: imports "m" "counts", too, and counts in the word at ip there each
 * instruction that is run
 */
export function emitLoop(counting = false): Uint8Array<ArrayBuffer> {
  const code = new CodeWriter();
  const count = HANDLERS.length;
  code.op(0x41, 0x00, 0x28).memory(Header.guestBytes).op(0xad, 0x21).u32(Local.limit);
  code.op(0x02, 0x40); // block $stopped
  code.op(0x03, 0x40); // loop $next
  for (let n = 0; n < count; n++) code.op(0x02, 0x40);
  if (counting) {
    code.op(0x20).u32(Local.ip).op(0x20).u32(Local.ip).op(0x28).memory(0, COUNTS).op(0x41, 0x01, 0x6a, 0x36);
    code.memory(0, COUNTS);
  }
  code.op(0x20).u32(Local.ip).op(0x28).memory(0).op(0x0e).u32(count - 1);
  for (let n = 0; n < count; n++) code.u32(n);
  HANDLERS.forEach((handler, number) => {
    code.u8(0x0b);
    handler.emit(new HandlerEmitter(code, count - 1 - number), handler.operands.length + 1);
  });
  code.op(0x0b, 0x00, 0x0b); // end of loop; unreachable; end of block
  for (
    const [place, local] of [
      [Header.ip, Local.ip],
      [Header.fp, Local.fp],
      [Header.fuel, Local.fuel],
      [Header.cp, Local.cp],
    ] as const
  ) {
    code.op(0x41, 0x00, 0x20).u32(local).op(0x36).memory(place);
  }
  code.op(0x20).u32(Local.c).u8(0x0b);
  return encodeWasm({
    types: [{ params: [I32, I32, I32, I32], results: [I32] }],
    // With a page at least, V8 tests the small constant part of an address once and for all.
    memories: [
      { module: "m", name: "state", pages: 1 },
      { module: "m", name: "guest", pages: 1 },
      ...(counting ? [{ module: "m", name: "counts" }] : []),
    ],
    functions: [{
      type: 0,
      locals: [I64, I64, I64, I64, I32, I32, I32, F32, F32, F64, F64],
      body: code.finish(),
    }],
    exports: [{ name: "run", index: 0 }],
  });
}
