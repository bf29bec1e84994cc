/**
 * Memories. The machine's memory is a `WebAssembly.Memory` of the host, so the facade's `Memory` is
 * the host's own class: live buffers, detachment and growth are the host's. Here is how one is made
 * for an instance and how an imported one is compared with its declaration.
 *
 * @module
 */

import { PAGE_BYTES } from "../limits.ts";
import type { SizeBounds } from "../wasm/module.ts";

// Taken now, because a facade may take the place of the global later.
const { Memory, Module, Instance } = WebAssembly;
const bufferOf = Object.getOwnPropertyDescriptor(Memory.prototype, "buffer")!.get!;

/** The host's class, which is also the facade's. */
export const HostMemory = Memory;

/** Whether a value is a memory, whatever its prototype says. */
export function isMemory(value: unknown): value is WebAssembly.Memory {
  return pagesOf(value) !== undefined;
}

/** Current size in pages; undefined when the value is no memory. */
export function pagesOf(value: unknown): number | undefined {
  try {
    return (bufferOf.call(value) as ArrayBuffer).byteLength / PAGE_BYTES;
  } catch {
    return undefined; // the getter refuses what is no memory
  }
}

/** A memory without pages, for an instance to grow as it declares; bounded by the lower maximum. */
export function emptyMemory({ max }: SizeBounds, pageLimit: number): WebAssembly.Memory {
  return new Memory({ initial: 0, maximum: Math.min(max ?? pageLimit, pageLimit) });
}

/**
 * Whether a memory fits a declaration: size, maximum, not shared. A memory does not tell its
 * maximum, so the host's linker is asked with a module that imports nothing else.
 */
export function fitsDeclaration(memory: WebAssembly.Memory, bounds: SizeBounds): boolean {
  try {
    new Instance(new Module(importingModule(bounds)), { "": { "": memory } });
    return true;
  } catch {
    return false;
  }
}

/** `(module (import "" "" (memory min max)))`. */
function importingModule({ min, max }: SizeBounds): Uint8Array<ArrayBuffer> {
  const limits = max === undefined ? [0, ...leb(min)] : [1, ...leb(min), ...leb(max)];
  const section = [1, 0, 0, 2, ...limits];
  return Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 2, section.length, ...section);
}

function leb(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 0x80; value >>>= 7) bytes.push(value & 0x7f | 0x80);
  bytes.push(value);
  return bytes;
}
