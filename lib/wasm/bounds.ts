/**
 * The most a Wasm module may declare before it is refused, whatever the configured limits say.
 * They bound the memory and time that hostile bytes can take and lie above what real programs need;
 * most are the ones browsers use, so a program that runs there is not stopped here.
 *
 * @module
 */

/** Bytes of a module: 1 GiB, the bound of V8. Also keeps every byte offset inside 31 bits. */
export const MAX_MODULE_BYTES = 2 ** 30;

/** Entries of the type, import, function, global and export sections (V8). */
export const MAX_ENTRIES = 1_000_000;

/** Tables; what a configuration may allow at most is a u16 index. */
export const MAX_TABLES = 65_535;

/** Data segments, and element segments (rwasm 0.7.2: 100,000). */
export const MAX_SEGMENTS = 100_000;

/** Custom sections; linkers write a few dozen at most. */
export const MAX_CUSTOM_SECTIONS = 100_000;

/** Parameters, and results, of a function type (rwasm 0.7.2: 1,000). */
export const MAX_SIGNATURE = 1_000;

/** Locals of a function, its parameters included (rwasm 0.7.2: 50,000). */
export const MAX_LOCALS = 50_000;

/** Bytes of a function body (rwasm 0.7.2 and V8: 7,654,321). */
export const MAX_BODY_BYTES = 7_654_321;

/** Pages of a memory (WebAssembly specification: 4 GiB). */
export const MAX_PAGES = 65_536;

/** Values on the operand stack of a function: as many as any configuration allows stack slots. */
export const MAX_OPERANDS = 2 ** 26;
