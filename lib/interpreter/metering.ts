/**
 * Whether fuel bounds every run of a module: whether all ways that lead around in a circle, through
 * loops and calls, pass a charge. Decoded modules of which that is not known are lowered to a form in
 * which jumps and calls without a charge are counted, too.
 *
 * @module
 */

import { UNREACHED } from "../isa/heights.ts";
import { Op } from "../isa/opcode.ts";
import type { VerifiedModule } from "../isa/verify.ts";

/** States of the search: not seen, on the way that is being followed, done. */
const ON_WAY = 1, DONE = 2;

/**
 * Whether every circle in the code charges at least 1 fuel.
 *
 * @param bounded by function: not negative for those that are known to end by themselves
 */
export function isMetered(verified: VerifiedModule, bounded: Int8Array): boolean {
  const { module: { length }, heights, starts, functionCount } = verified;
  const bySignature = listBySignature(verified);
  // Nodes are instructions, and behind them one per signature, for all functions with it.
  const states = new Uint8Array(length + bySignature.heads.length);
  const way = new Int32Array(states.length), next = new Int32Array(states.length);
  const walk = new Walk(verified, bounded, bySignature);
  // A charge ends a way, so others begin behind it: from anywhere, that is.
  for (let from = 0, number = 0; from < length; from++) {
    while (number + 1 < functionCount && starts[number + 1] <= from) number++;
    if (bounded[number] >= 0 || states[from] !== 0 || heights[from] === UNREACHED) continue;
    let depth = 0;
    way[0] = from;
    states[from] = ON_WAY;
    while (depth >= 0) {
      const node = way[depth], successor = walk.successor(node, next[node]);
      if (successor === END) {
        states[node] = DONE;
        depth--;
        continue;
      }
      next[node]++;
      if (successor === NOTHING) continue;
      if (states[successor] === ON_WAY) return false;
      if (states[successor] === DONE) continue;
      states[successor] = ON_WAY;
      way[++depth] = successor;
    }
  }
  return true;
}

/** There are no more successors; there is none at this position. */
const END = -1, NOTHING = -2;

/** Functions by signature, as lists. */
interface BySignature {
  /** First function of each signature, -1 for none. */
  readonly heads: Int32Array;
  /** Next function of the same signature. */
  readonly nexts: Int32Array;
}

function listBySignature(
  { module: { opcodes, immediates }, starts, functionCount }: VerifiedModule,
): BySignature {
  let signatures = 0;
  for (let pc = 0; pc < opcodes.length; pc++) {
    const op = opcodes[pc];
    if (op !== Op.SignatureCheck && op !== Op.CallIndirect && op !== Op.ReturnCallIndirect) continue;
    signatures = Math.max(signatures, immediates[pc] + 1);
  }
  const heads = new Int32Array(signatures).fill(-1), nexts = new Int32Array(functionCount).fill(-1);
  for (let number = 0; number < functionCount; number++) {
    if (opcodes[starts[number]] !== Op.SignatureCheck) continue;
    const signature = immediates[starts[number]];
    nexts[number] = heads[signature];
    heads[signature] = number;
  }
  return { heads, nexts };
}

/** Where control may go without a charge. */
class Walk {
  readonly #verified: VerifiedModule;
  readonly #bounded: Int8Array;
  readonly #bySignature: BySignature;
  /** By signature node: the function its list has been followed to. */
  readonly #cursors: Int32Array;

  constructor(verified: VerifiedModule, bounded: Int8Array, bySignature: BySignature) {
    this.#verified = verified;
    this.#bounded = bounded;
    this.#bySignature = bySignature;
    this.#cursors = bySignature.heads.slice();
  }

  /** Successor number `k` of a node. */
  successor(node: number, k: number): number {
    const { module: { opcodes, immediates }, starts } = this.#verified;
    if (node >= opcodes.length) {
      const signature = node - opcodes.length, number = this.#cursors[signature];
      if (number < 0) return END;
      this.#cursors[signature] = this.#bySignature.nexts[number];
      return starts[number];
    }
    const op = opcodes[node], immediate = immediates[node];
    switch (op) {
      case Op.ConsumeFuel:
        return immediate === 0 && k === 0 ? node + 1 : END;
      case Op.Return:
      case Op.Unreachable:
      case Op.Trap:
        return END;
      case Op.Br:
        return k === 0 ? node + immediate : END;
      case Op.BrIfEqz:
      case Op.BrIfNez:
        return k === 0 ? node + 1 : k === 1 ? node + immediate : END;
      case Op.BrTable:
        return k < immediate ? node + 1 + 2 * k : END;
      case Op.CallInternal:
        return k === 0 ? node + 1 : k === 1 ? this.#callee(immediate) : END;
      case Op.ReturnCallInternal:
        return k === 0 ? this.#callee(immediate) : END;
      case Op.CallIndirect:
        return k === 0 ? node + 2 : k === 1 ? opcodes.length + immediate : END;
      case Op.ReturnCallIndirect:
        return k === 0 ? opcodes.length + immediate : END;
      case Op.TableInit:
        return k === 0 ? node + 2 : END;
      default:
        return k === 0 && node + 1 < opcodes.length ? node + 1 : END;
    }
  }

  #callee(pc: number): number {
    return this.#bounded[this.#verified.functionAt(pc)] >= 0 ? NOTHING : pc;
  }
}
