/**
 * Compiles WebAssembly text for the compiler's tests and reads back what they assert: the charges
 * and the reserved height of each function.
 *
 * @module
 */

import wabt from "wabt";
import { type CompilationConfig, compile, type RwasmModule } from "../../mod.ts";
import { Op } from "../../lib/isa/opcode.ts";

const toolkit = await wabt();

/** The binary of a module in text. */
export function assembleWat(text: string): Uint8Array {
  const parsed = toolkit.parseWat("test.wat", text, {
    bulk_memory: true,
    extended_const: true,
    multi_value: true,
    mutable_globals: true,
    reference_types: true,
    sat_float_to_int: true,
    sign_extension: true,
    tail_call: true,
  });
  try {
    return new Uint8Array(parsed.toBinary({ write_debug_names: true }).buffer);
  } finally {
    parsed.destroy();
  }
}

/** Compiles a module in text. */
export function compileWat(text: string, config?: CompilationConfig): RwasmModule {
  return compile(assembleWat(text), config);
}

/** What a function charges and reserves. */
export interface FunctionFacts {
  /** Immediates of its `ConsumeFuel` instructions, in order. */
  readonly charges: number[];
  /** Immediate of its first `StackCheck`. */
  readonly height: number;
  /** Names of its opcodes are in the module; these are their dense numbers. */
  readonly opcodes: number[];
}

/** Facts of every function of the Wasm index space. */
export function functionFacts(module: RwasmModule): FunctionFacts[] {
  const starts = module.info!.functionStarts, count = module.info!.functionTypes.length;
  return Array.from({ length: count }, (_, index) => {
    const from = starts[index], to = index + 1 < starts.length ? starts[index + 1] : module.length;
    const opcodes = Array.from(module.opcodes.subarray(from, to));
    const at = (op: number) =>
      opcodes.flatMap((found, k) => found === op ? [module.immediates[from + k]] : []);
    return { charges: at(Op.ConsumeFuel), height: at(Op.StackCheck)[0], opcodes };
  });
}
