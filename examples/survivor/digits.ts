/**
 * A plugin that keeps something between calls, the digits a guest gives it, and says how snapshots
 * save and restore that.
 *
 * @module
 */

import { defineSyscalls, type SyscallPlugin } from "../../mod.ts";

/** Digits of one guest, and the plugin that takes them. */
export class Digits {
  #text = "";

  /** What the guest has given so far. */
  get text(): string {
    return this.#text;
  }

  /** The plugin. */
  readonly plugin: SyscallPlugin = defineSyscalls({
    module: "digits",
    functions: {
      put: {
        index: 1,
        params: ["i32"],
        results: [],
        fuel: { const: 20 },
        call: (_caller, digit) => void (this.#text += digit),
      },
    },
    state: {
      save: () => new TextEncoder().encode(this.#text),
      restore: (_store, bytes) => {
        const text = new TextDecoder().decode(bytes);
        // A snapshot may come from anybody.
        if (!/^\d*$/.test(text)) throw new Error("there is something else than digits in it");
        this.#text = text;
      },
    },
  });
}
