/**
 * Who calls whom in an rWasm module. What can be called has a node: function f is node f, and behind
 * the functions comes one node per signature, which stands for all functions that begin with it and
 * is what indirect calls go to. Call sites are added as the walk over the code finds them; then what
 * the callees use of the stack below their frames is carried to the callers.
 *
 * @module
 */

import type { RwasmModule } from "./module.ts";
import { Op } from "./opcode.ts";
import { refuseAt } from "./refusal.ts";
import { functionAt, type Structure } from "./structure.ts";

/** How often a call is looked at, on average, before a recursion counts as one that never settles. */
const MOST_ROUNDS = 16;
/** So many looks are allowed in any case: enough for every graph of 256 calls of 256 functions. */
const FREE_LOOKS = 65_536;

/** The nodes, and for each the call sites that lead to it. */
export class CallGraph {
  /** How many nodes there are. */
  readonly nodes: number;
  /** By function: node of its signature, or -1. */
  readonly signatureNodes: Int32Array;
  /** By node: its first call site, or -1. */
  readonly heads: Int32Array;
  /** By call site: the next one of the same node, or -1. */
  readonly nexts: Int32Array;
  /** By call site: the instruction. */
  readonly pcs: Int32Array;

  readonly #module: RwasmModule;
  readonly #structure: Structure;
  /** Node of each signature index, or -1. */
  readonly #nodeOfSignature: Int32Array;
  #sites = 0;

  /** The nodes of a module, without call sites. */
  constructor(module: RwasmModule, structure: Structure) {
    this.#module = module;
    this.#structure = structure;
    const { opcodes, immediates } = module, { starts } = structure;
    const functions = starts.length - 1;
    const nodeOfSignature = this.#nodeOfSignature = new Int32Array(structure.signatures).fill(-1);
    this.signatureNodes = new Int32Array(functions).fill(-1);
    let nodes = functions;
    const number = (signature: number): number => {
      if (nodeOfSignature[signature]! < 0) nodeOfSignature[signature] = nodes++;
      return nodeOfSignature[signature]!;
    };
    for (let f = 0; f < functions; f++) {
      const start = starts[f]!;
      if (opcodes[start] === Op.SignatureCheck) this.signatureNodes[f] = number(immediates[start]! >>> 0);
    }
    for (let pc = 0; pc < opcodes.length; pc++) {
      if (isIndirect(opcodes[pc]!)) number(immediates[pc]! >>> 0);
    }
    this.nodes = nodes;
    this.heads = new Int32Array(nodes).fill(-1);
    this.nexts = new Int32Array(structure.callSites);
    this.pcs = new Int32Array(structure.callSites);
  }

  /** Node that a call or tail call, direct or indirect, goes to. */
  calleeOf(pc: number): number {
    const immediate = this.#module.immediates[pc]! >>> 0;
    return isIndirect(this.#module.opcodes[pc]!)
      ? this.#nodeOfSignature[immediate]!
      : functionAt(this.#structure, immediate);
  }

  /** Signature index of a signature's node. */
  signatureOf(node: number): number {
    return this.#nodeOfSignature.indexOf(node);
  }

  /** Adds a call site; at most once per instruction. The node it goes to. */
  add(pc: number): number {
    const node = this.calleeOf(pc), site = this.#sites++;
    this.pcs[site] = pc;
    this.nexts[site] = this.heads[node]!;
    this.heads[node] = site;
    return node;
  }

  /**
   * Carries reach from callees to callers until nothing changes: a function uses below its entry
   * what a callee uses below its own, less what is above the caller's entry at the call. Without
   * recursion every call is looked at once. Recursion that gets ever deeper does not settle.
   *
   * @param heights height above the entry before each instruction.
   * @param reach by node, slots used below the entry; what the function itself uses when it begins.
   * @param reachPcs by function, the instruction that uses the lowest slot.
   * @param most refuses what reaches deeper.
   * @throws {VerifyError} `RecursionUnderflow`
   */
  settleReach(heights: Int32Array, reach: Int32Array, reachPcs: Int32Array, most: number): void {
    const { heads, nexts, pcs, nodes, signatureNodes } = this, { opcodes } = this.#module;
    // A ring of the nodes whose callers must look; none is in it twice.
    const ring = this.#calleesFirst(), queued = new Uint8Array(nodes).fill(1);
    let first = 0, count = nodes, looks = MOST_ROUNDS * this.#sites + FREE_LOOKS;
    const raise = (node: number, to: number) => {
      reach[node] = to;
      if (queued[node] !== 0) return;
      queued[node] = 1;
      ring[(first + count++) % nodes] = node;
    };
    while (count > 0) {
      const node = ring[first]!;
      first = first + 1 === nodes ? 0 : first + 1;
      count--;
      queued[node] = 0;
      const needed = reach[node]!;
      if (needed === 0) continue;
      const signature = node < signatureNodes.length ? signatureNodes[node]! : -1;
      if (signature >= 0 && reach[signature]! < needed) raise(signature, needed);
      for (let site = heads[node]!; site >= 0; site = nexts[site]!) {
        const pc = pcs[site]!, height = heights[pc]! - (isIndirect(opcodes[pc]!) ? 1 : 0);
        if (needed <= height) continue;
        const caller = functionAt(this.#structure, pc), below = needed - height;
        if (below <= reach[caller]!) continue;
        if (below > most || --looks < 0) {
          refuseAt(
            this.#module,
            pc,
            "RecursionUnderflow",
            "uses ever more of the stack below its frame, or too much",
          );
        }
        reachPcs[caller] = pc;
        raise(caller, below);
      }
    }
  }

  /** All nodes, each before those that call it, as far as there is no recursion. */
  #calleesFirst(): Int32Array {
    const { heads, nexts, pcs, nodes, signatureNodes } = this;
    const order = new Int32Array(nodes), seen = new Uint8Array(nodes);
    // Depth first towards the callers: a node is done, and takes the last free place, after them.
    const path = new Int32Array(nodes), sites = new Int32Array(nodes);
    let free = nodes;
    const SIGNATURE = -2; // before its call sites a function leads to the node of its signature
    for (let root = 0; root < nodes; root++) {
      if (seen[root] !== 0) continue;
      let length = 1;
      path[0] = root;
      sites[0] = SIGNATURE;
      seen[root] = 1;
      while (length > 0) {
        const node = path[length - 1]!, site = sites[length - 1]!;
        if (site === -1) {
          order[--free] = node;
          length--;
          continue;
        }
        let next = -1;
        if (site === SIGNATURE) {
          sites[length - 1] = heads[node]!;
          if (node < signatureNodes.length) next = signatureNodes[node]!;
        } else {
          sites[length - 1] = nexts[site]!;
          next = functionAt(this.#structure, pcs[site]!);
        }
        if (next < 0 || seen[next] !== 0) continue;
        seen[next] = 1;
        path[length] = next;
        sites[length++] = SIGNATURE;
      }
    }
    return order;
  }
}

/** Whether an instruction calls through a table. */
export function isIndirect(op: number): boolean {
  return op === Op.CallIndirect || op === Op.ReturnCallIndirect;
}
