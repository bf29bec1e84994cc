/**
 * Emits the dispatch loop as a WebAssembly module from the table of handlers: one function that
 * reads the handler number at ip and branches, until a handler stops.
 *
 * @module
 */

import { CodeWriter, encodeWasm } from "../wasm/encode.ts";
import { F32, F64, I32, I64 } from "../wasm/module.ts";
import { HandlerEmitter, type Kind, Local, LOCAL_TYPES } from "./emit.ts";
import { HANDLERS } from "./handlers.ts";
import { Header } from "./layout.ts";

const TYPE_BYTES = { i32: I32, i64: I64, f32: F32, f64: F64 } as const;

/** Memory of the counts, when there are any; the state is memory 0, that of the guest 1. */
const COUNTS = 2;

/** What the body of a handler does with the accumulator and the slots. */
export interface HandlerFacts {
  /** Kind of the result it leaves in the accumulator. */
  readonly leaves: Kind | undefined;
  /** Kind of the operand it takes from there. */
  readonly takes: Kind | undefined;
  /** Operands that are slots it reads, by bit. */
  readonly reads: number;
  /** Those of them that are of two slots, by bit. */
  readonly wide: number;
}

/**
 * The bytes of the loop module. It imports the state memory as "m" "state" and the guest memory as
 * "m" "guest", and exports `run(ip, fp, fuel, cp): reason`; the registers are in the header when it
 * returns.
 *
 * @param counting for measurements: imports "m" "counts", too, and counts in the word at ip there each
 * instruction that is run
 */
export function emitLoop(counting = false): Uint8Array<ArrayBuffer> {
  return emit(counting).bytes;
}

/** What the bodies of the handlers do, by number. */
export function handlerFacts(): HandlerFacts[] {
  return emit(false).facts;
}

function emit(counting: boolean): { bytes: Uint8Array<ArrayBuffer>; facts: HandlerFacts[] } {
  const code = new CodeWriter();
  const count = HANDLERS.length;
  code.op(0x41, 0x00, 0x28).memory(Header.guestBytes).op(0xad, 0x21).u32(Local.limit);
  // The call stack is used too seldom for a register.
  code.op(0x41, 0x00, 0x20).u32(Local.cp).op(0x36).memory(Header.cp);
  code.op(0x02, 0x40); // block $stopped
  code.op(0x03, 0x40); // loop $next
  for (let n = 0; n < count; n++) code.op(0x02, 0x40);
  if (counting) {
    code.op(0x20).u32(Local.ip).op(0x20).u32(Local.ip).op(0x28).memory(0, COUNTS).op(0x41, 0x01, 0x6a, 0x36);
    code.memory(0, COUNTS);
  }
  code.op(0x20).u32(Local.ip).op(0x29).memory(0).op(0x22).u32(Local.head).op(0xa7, 0x0e).u32(count - 1);
  for (let n = 0; n < count; n++) code.u32(n);
  const facts = HANDLERS.map((handler, number) => {
    code.u8(0x0b);
    // What it reads must be known before it is emitted.
    const trial = new HandlerEmitter(new CodeWriter(), count - 1 - number);
    handler.emit(trial, handler.operands.length + 1);
    const emitter = new HandlerEmitter(code, count - 1 - number);
    emitter.usePairs(pairsOf(trial.words));
    handler.emit(emitter, handler.operands.length + 1);
    const { leaves, takes, reads, wide } = emitter;
    return { leaves, takes, reads, wide };
  });
  code.op(0x0b, 0x00, 0x0b); // end of loop; unreachable; end of block
  for (
    const [place, local] of [
      [Header.ip, Local.ip],
      [Header.fp, Local.fp],
      [Header.fuel, Local.fuel],
    ] as const
  ) {
    code.op(0x41, 0x00, 0x20).u32(local).op(0x36).memory(place);
  }
  code.op(0x41, 0x00, 0x20).u32(Local.accumulator).op(0x37).memory(Header.accumulator);
  code.op(0x20).u32(Local.c).u8(0x0b);
  const bytes = encodeWasm({
    types: [{ params: [I32, I32, I32, I32], results: [I32] }],
    // With a page at least, V8 tests the small constant part of an address once and for all.
    memories: [
      { module: "m", name: "state", pages: 1 },
      { module: "m", name: "guest", pages: 1 },
      ...(counting ? [{ module: "m", name: "counts" }] : []),
    ],
    functions: [{
      type: 0,
      locals: LOCAL_TYPES.flatMap(([type, count]) => Array<number>(count).fill(TYPE_BYTES[type])),
      body: code.finish(),
    }],
    exports: [{ name: "run", index: 0 }],
  });
  return { bytes, facts };
}

/** Neighbors among the words that a handler reads: one load serves both. By the first: the local for them. */
function pairsOf(read: readonly number[]): Map<number, number> {
  const words = [...new Set(read)].sort((a, b) => a - b), pairs = new Map<number, number>();
  for (let k = 0; k + 1 < words.length && pairs.size < 2; k++) {
    if (words[k + 1] !== words[k] + 1) continue;
    pairs.set(words[k++], pairs.size === 0 ? Local.pair : Local.other);
  }
  return pairs;
}
