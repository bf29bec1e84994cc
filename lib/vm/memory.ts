/**
 * The guest's linear memory: a `WebAssembly.Memory`, so that every engine can share it, with views
 * that are renewed when it grows. It starts with 0 pages and is not allocated before it grows.
 * The loop reads and writes single values through the views; bulk operations are here, and answer
 * whether their ranges were inside instead of trapping.
 *
 * @module
 */

import { MAX_MEMORY_PAGES, PAGE_BYTES } from "../limits.ts";

/** Taken now: a program may put something else into the place of the global later. */
const HostMemory = WebAssembly.Memory;

/** Most pages one `memory.grow` may ask for (reference). */
const MAX_GROW = 65_536;

/** A linear memory. */
export class LinearMemory {
  /** Most pages it may have. */
  readonly pageLimit: number;
  /** The host's memory object; undefined while there are no pages. */
  host: WebAssembly.Memory | undefined = undefined;
  /** All bytes. */
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  /** The same bytes, for values of several bytes. */
  view: DataView<ArrayBuffer> = new DataView(this.bytes.buffer);
  /** Current size. */
  pages = 0;
  /** Pages of the last growth that was refused, for error messages; 0 when none was. */
  refusedPages = 0;

  /** An empty memory; `pageLimit` above 32,768 counts as that. */
  constructor(pageLimit: number) {
    this.pageLimit = Math.min(pageLimit, MAX_MEMORY_PAGES);
  }

  /** Grows by `delta` pages (u32) of zeros; the old size in pages, or -1 when a limit or the host refuses. */
  grow(delta: number): number {
    const old = this.pages;
    if (delta === 0) return old;
    if (delta > MAX_GROW || old + delta > this.pageLimit) {
      this.refusedPages = old + delta;
      return -1;
    }
    try {
      if (this.host === undefined) {
        this.host = new HostMemory({ initial: delta, maximum: this.pageLimit });
      } else {
        this.host.grow(delta);
      }
    } catch {
      this.refusedPages = old + delta; // the host has no memory left
      return -1;
    }
    this.#renew();
    return old;
  }

  /** Makes a memory object of the host, which nothing else may have set before, the memory. */
  adopt(host: WebAssembly.Memory): void {
    this.host = host;
    this.#renew();
  }

  /** Notices that the host's memory object was grown behind this one's back. */
  refresh(): void {
    // A detached buffer has length 0. A memory without pages cannot tell, so it looks.
    if (this.bytes.length === this.pages * PAGE_BYTES && this.pages !== 0) return;
    if (this.host !== undefined) this.#renew();
  }

  /** Growing detaches the old buffer, so both views must be made anew. */
  #renew(): void {
    const buffer = this.host!.buffer as ArrayBuffer;
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.pages = buffer.byteLength / PAGE_BYTES;
  }

  /** Size in bytes. */
  get byteLength(): number {
    return this.pages * PAGE_BYTES;
  }

  /** Sets `count` bytes from `at` on to the low byte of `value`; false when they are not all inside. All u32. */
  fill(at: number, value: number, count: number): boolean {
    if (at + count > this.bytes.length) return false;
    this.bytes.fill(value, at, at + count);
    return true;
  }

  /** Copies `count` bytes, overlapping or not; false when a range is not inside. All u32. */
  copy(at: number, source: number, count: number): boolean {
    const size = this.bytes.length;
    if (at + count > size || source + count > size) return false;
    this.bytes.copyWithin(at, source, source + count);
    return true;
  }

  /** Copies `count` bytes of a section; false when a range is not inside. All u32. */
  init(section: Uint8Array, at: number, source: number, count: number): boolean {
    if (at + count > this.bytes.length || source + count > section.length) return false;
    this.bytes.set(section.subarray(source, source + count), at);
    return true;
  }
}
