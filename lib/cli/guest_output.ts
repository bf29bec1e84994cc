/**
 * The way of what a guest writes to the streams of the program: as it is, but escaped on a terminal,
 * where it could otherwise move the cursor, hide text or answer for the user.
 *
 * @module
 */

import { escaped, type Host, type Stream } from "./host.ts";

/** Where the bytes of a guest go. */
export interface GuestSink {
  /** Takes bytes. */
  write(bytes: Uint8Array): void;
  /** Nothing follows; on a terminal, what comes next begins on a line of its own. */
  end(): void;
}

const encoder = new TextEncoder();

/** A sink that leads to a stream of the program. */
export function guestSink(host: Host, stream: Stream): GuestSink {
  if (!host.terminal[stream]) return { write: (bytes) => host.emit(stream, bytes), end: () => {} };
  const decoder = new TextDecoder();
  let last = "\n";
  const emit = (text: string): void => {
    if (text === "") return;
    last = text.slice(-1);
    host.emit(stream, encoder.encode(escaped(text)));
  };
  return {
    // A character may be divided among two writes.
    write: (bytes) => emit(decoder.decode(bytes, { stream: true })),
    end() {
      emit(decoder.decode());
      if (last !== "\n") emit("\n");
    },
  };
}
