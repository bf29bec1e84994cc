/**
 * Which handlers of the fast loop have been executed: runs it in the form that counts each
 * instruction, and reads off the lowered code of the programs that ran.
 *
 * @module
 */

import { HANDLERS } from "../../lib/interpreter/handlers.ts";
import { emitLoop } from "../../lib/interpreter/loop.ts";
import type { Program } from "../../lib/interpreter/program.ts";
import type { LoopFunction } from "../../lib/interpreter/run.ts";

/** Bytes of lowered code that can be counted: more than any module of these tests has. */
const PAGES = 512;

let countingLoop: WebAssembly.Module | undefined;

/** Executions by handler, over any number of programs. */
export class Coverage {
  /** Executions by handler number. */
  readonly executed: Float64Array = new Float64Array(HANDLERS.length);
  readonly #counts = new WebAssembly.Memory({ initial: PAGES });

  /** What `FastMachine.attach` instantiates instead of the ordinary loop. */
  readonly instantiate = (state: WebAssembly.Memory, guest: WebAssembly.Memory): LoopFunction => {
    countingLoop ??= new WebAssembly.Module(emitLoop(true));
    const { exports } = new WebAssembly.Instance(countingLoop, { m: { state, guest, counts: this.#counts } });
    return exports.run as LoopFunction;
  };

  /** Adds what has run of a program since the last call; the machines of other programs must not run meanwhile. */
  take({ words, length, codeBase }: Program): void {
    const counts = new Int32Array(this.#counts.buffer, codeBase, length);
    for (let word = 0; word < length; word++) {
      if (counts[word] === 0) continue;
      this.executed[words[word]] += counts[word];
      counts[word] = 0;
    }
  }

  /** Names of handlers that were never executed. */
  missing(): string[] {
    return HANDLERS.flatMap(({ name }, number) => this.executed[number] === 0 ? [name] : []);
  }
}
