/**
 * What WebAssembly proposals outside of the accepted language look like in a binary, so that a
 * refusal can name the proposal and say how to build the program without it. No rules are here.
 *
 * @module
 */

/** How to build without a proposal, by the proposal's name. */
const HINTS: { readonly [proposal: string]: string } = {
  "SIMD": "build without it: clang -mno-simd128, rustc -C target-feature=-simd128",
  "relaxed SIMD": "build without it: clang -mno-relaxed-simd, rustc -C target-feature=-relaxed-simd",
  "threads": "build without threads: no -pthread, rustc -C target-feature=-atomics",
  "shared-everything threads": "build without threads",
  "exception handling": "build without exceptions: clang -fno-exceptions, rustc -C panic=abort",
  "garbage collection": "languages that need a garbage-collected heap in the engine cannot run here",
  "typed function references": "build without it: wasm-opt can lower to plain funcref",
  "multi-memory": "build with one memory",
  "memory64": "build for wasm32 instead of wasm64",
  "custom page sizes": "build with the default page size of 65536 bytes",
  "memory control": "build without it",
  "stack switching": "build without it",
  "component model": "take the core module out of the component: wasm-tools component unbundle",
  "custom descriptors": "build without it",
  "compact import section": "build without it",
};

/** What can be done about a refused proposal. */
export function proposalHint(proposal: string): string {
  return HINTS[proposal] ?? "build without it";
}

/** Proposal of a byte where a value type is expected; undefined when no proposal has it. */
export function typeProposal(byte: number): string | undefined {
  switch (byte) {
    case 0x7b: // v128
      return "SIMD";
    case 0x63: // (ref null heaptype)
    case 0x64: // (ref heaptype)
      return "typed function references";
    case 0x69: // exnref
    case 0x74: // nullexnref
      return "exception handling";
    case 0x68: // contref
    case 0x75: // nullcontref
      return "stack switching";
    case 0x62: // exact reference
      return "custom descriptors";
    case 0x65: // shared
      return "shared-everything threads";
    case 0x78: // i8
    case 0x77: // i16
    case 0x73: // nullfuncref
    case 0x72: // nullexternref
    case 0x71: // nullref
    case 0x6e: // anyref
    case 0x6d: // eqref
    case 0x6c: // i31ref
    case 0x6b: // structref
    case 0x6a: // arrayref
      return "garbage collection";
    default:
      return undefined;
  }
}

/** Proposal of a byte where an entry of the type section starts. */
export function typeFormProposal(byte: number): string | undefined {
  switch (byte) {
    case 0x5f: // struct
    case 0x5e: // array
    case 0x50: // sub
    case 0x4f: // sub final
    case 0x4e: // rec
      return "garbage collection";
    case 0x5d: // cont
      return "stack switching";
    case 0x4d: // describes
    case 0x4c: // descriptor
      return "custom descriptors";
    case 0x65: // shared
      return "shared-everything threads";
    default:
      return undefined;
  }
}

/** Proposal of the flags byte of the size bounds of a memory or table. */
export function boundsProposal(flags: number): string | undefined {
  if (flags > 0x0f) return undefined;
  if (flags & 0x08) return "custom page sizes";
  if (flags & 0x04) return "memory64";
  if (flags & 0x02) return "threads";
  return undefined;
}

/** Proposal of an operator; `sub` is the sub-opcode when `byte` is a prefix. */
export function operatorProposal(byte: number, sub: number): string | undefined {
  if (byte === 0xfb) return "garbage collection";
  if (byte === 0xfc) return sub === 0x12 ? "memory control" : undefined;
  if (byte === 0xfd) return sub >= 0x100 ? "relaxed SIMD" : "SIMD";
  if (byte === 0xfe) return "threads";
  if (byte >= 0xe0 && byte <= 0xe6) return "stack switching";
  switch (byte) {
    case 0x06: // try
    case 0x07: // catch
    case 0x08: // throw
    case 0x09: // rethrow
    case 0x0a: // throw_ref
    case 0x18: // delegate
    case 0x19: // catch_all
    case 0x1f: // try_table
      return "exception handling";
    case 0x14: // call_ref
    case 0x15: // return_call_ref
    case 0xd4: // ref.as_non_null
    case 0xd5: // br_on_null
    case 0xd6: // br_on_non_null
      return "typed function references";
    case 0xd3: // ref.eq
      return "garbage collection";
    default:
      return undefined;
  }
}
