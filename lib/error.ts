/**
 * The one family of errors. Everything this library throws is an `RwasmError` with a stable `code`;
 * what a guest does wrong is a `Trap`, which an outcome carries instead of throwing.
 * A message reads "Cannot <do what>: <why>", then where, then a hint, each on its own line.
 *
 * @module
 */

/** Where an error happened and what can be done about it; every part is optional. */
export interface ErrorDetails {
  /** Byte offset in the input (Wasm or `.rwasm` bytes) the error refers to. */
  readonly offset?: number | undefined;
  /** rWasm instruction index the error refers to. */
  readonly pc?: number | undefined;
  /** A place in words, when an offset or pc says too little: "function 12 \"main\"". */
  readonly where?: string | undefined;
  /** What the reader can do next. */
  readonly hint?: string | undefined;
  /** @internal Guest frames as the lines of the message before place and hint. */
  readonly trace?: string | undefined;
  /** The error that caused this one. */
  readonly cause?: unknown;
}

/**
 * Base class of everything thrown by this library.
 *
 * @example
 * ```ts
 * import { RwasmError, RwasmModule } from "./mod.ts";
 * try {
 *   RwasmModule.decode(new Uint8Array([1, 2, 3]));
 * } catch (error) {
 *   if (error instanceof RwasmError) console.log(error.code, error.message);
 * }
 * ```
 */
export class RwasmError extends Error {
  /** Class name, for logs and for code that cannot use `instanceof` across realms. */
  override readonly name: string = "RwasmError";
  /** Stable identifier of the kind of error; never changes between releases. */
  readonly code: string;
  /**
   * What failed and why, without place, backtrace and hint. One line, and when there are several
   * problems (imports that do not match, a plugin with mistakes) one more for each.
   */
  readonly shortMessage: string;
  /** Byte offset in the input, when known. */
  readonly offset: number | undefined;
  /** rWasm instruction index, when known. */
  readonly pc: number | undefined;
  /** What the reader can do next, when there is something to say. */
  readonly hint: string | undefined;

  /** Composes the message from its parts; see {@link ErrorDetails}. */
  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(compose(message, details), details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.shortMessage = message;
    this.offset = details.offset;
    this.pc = details.pc;
    this.hint = details.hint;
  }
}

function compose(message: string, { offset, pc, where, hint, trace = "" }: ErrorDetails): string {
  const places: string[] = [];
  if (where !== undefined) places.push(where);
  if (offset !== undefined) places.push(`byte offset ${offset} (0x${offset.toString(16)})`);
  if (pc !== undefined) places.push(`rWasm pc ${pc}`);
  let text = message + trace;
  if (places.length > 0) text += `\n  at ${places.join(", ")}`;
  if (hint !== undefined) text += `\n  hint: ${hint}`;
  return text;
}

/** `.rwasm` bytes (or assembly text) that are not a module. */
export class DecodeError extends RwasmError {
  /** Class name. */
  override readonly name = "DecodeError";
}

/** Wasm bytes that are malformed, invalid, or use a proposal that is not accepted. */
export class ValidationError extends RwasmError {
  /** Class name. */
  override readonly name = "ValidationError";
}

/** A valid Wasm module that cannot be compiled under the given configuration or limits. */
export class CompileError extends RwasmError {
  /** Class name. */
  override readonly name = "CompileError";
}

/** An rWasm module that is not safe to run. */
export class VerifyError extends RwasmError {
  /** Class name. */
  override readonly name = "VerifyError";
}

/** Imports that do not match what the linker offers; the message lists all of them. */
export class LinkError extends RwasmError {
  /** Class name. */
  override readonly name = "LinkError";
}

/** A host function or plugin that is declared or behaves wrongly. */
export class PluginError extends RwasmError {
  /** Class name. */
  override readonly name = "PluginError";
}

/** A call of this library that makes no sense now: wrong arguments, wrong state, unknown name. */
export class UsageError extends RwasmError {
  /** Class name. */
  override readonly name = "UsageError";
}

/** A snapshot that cannot be restored: damaged, of something else, or of a state that cannot be. */
export class SnapshotError extends RwasmError {
  /** Class name. */
  override readonly name = "SnapshotError";
}

/**
 * The ways a run can end badly, in the order of the wire format: the position in this list is the
 * `Trap` immediate in a `.rwasm` file (machine specification of rwasm 0.7.2).
 */
export const TRAP_NAMES = [
  "UnreachableCodeReached",
  "MemoryOutOfBounds",
  "TableOutOfBounds",
  "IndirectCallToNull",
  "IntegerDivisionByZero",
  "IntegerOverflow",
  "BadConversionToInteger",
  "StackOverflow",
  "BadSignature",
  "OutOfFuel",
  "UnknownExternalFunction",
  "IllegalOpcode",
  "InterruptionCalled",
  "ExecutionHalted",
] as const;

/**
 * Name of a trap, as in the reference, and one of our own: "HostError", a host function that threw.
 * It has no wire value, so no module can raise it by itself.
 */
export type TrapName = typeof TRAP_NAMES[number] | "HostError";

/** A number for each trap name: its wire value, and the next free number for HostError. */
export const TrapCode: { readonly [Name in TrapName]: number } = Object.freeze(
  Object.fromEntries([...TRAP_NAMES, "HostError"].map((name, index) => [name, index])),
) as { readonly [Name in TrapName]: number };

/** Name of a trap number. */
export function trapName(code: number): TrapName {
  return TRAP_NAMES[code] ?? "HostError";
}

const TRAP_TEXT: { readonly [Name in TrapName]: string } = {
  UnreachableCodeReached: "unreachable code reached",
  MemoryOutOfBounds: "out of bounds memory access",
  TableOutOfBounds: "undefined element: out of bounds table access",
  IndirectCallToNull: "uninitialized element: indirect call to null",
  IntegerDivisionByZero: "integer divide by zero",
  IntegerOverflow: "integer overflow",
  BadConversionToInteger: "invalid conversion to integer",
  StackOverflow: "call stack exhausted",
  BadSignature: "signature mismatch",
  OutOfFuel: "out of fuel",
  UnknownExternalFunction: "unknown external function",
  IllegalOpcode: "illegal opcode",
  InterruptionCalled: "interruption called",
  ExecutionHalted: "execution halted",
  HostError: "host function failed",
};

/** One level of a guest backtrace, innermost first. */
export interface Frame {
  /** rWasm instruction index: where the frame is (innermost) or will continue. */
  readonly pc: number;
  /** Index of the function in the Wasm index space, when the module was compiled here. */
  readonly functionIndex: number | undefined;
  /** Name from the Wasm `name` section, an export or an import, when known. */
  readonly functionName: string | undefined;
  /** Byte offset of the Wasm instruction, when the module was compiled here. */
  readonly wasmOffset: number | undefined;
  /** File and line of the program's source, when the Wasm module has DWARF and it tells. */
  readonly source?: { readonly file: string; readonly line: number };
}

/** A host function, as data. */
export interface SyscallOrigin {
  /** Module part of the import name. */
  readonly module: string;
  /** Name part of the import name. */
  readonly name: string;
  /** Who declared it, such as `plugin "kv"` or `define()`. */
  readonly plugin: string;
}

/** What a trap carries beside its code. */
export interface TrapDetails {
  /** Guest frames, innermost first; may be cut, see {@link Trap.omittedFrames}. */
  readonly backtrace?: readonly Frame[];
  /** How many frames in the middle of a deep backtrace were left out. */
  readonly omittedFrames?: number;
  /** More about this one trap: the address, the limit that was hit, the plugin that threw. */
  readonly detail?: string;
  /** What the reader can do next. */
  readonly hint?: string;
  /** The host error behind the trap, when a plugin threw. */
  readonly cause?: unknown;
  /** The host function it happened in. */
  readonly syscall?: SyscallOrigin;
}

/**
 * The guest ended badly. A trap is a value: outcomes carry it and nothing throws it, except host
 * memory access outside of a run.
 */
export class Trap extends RwasmError {
  /** Class name. */
  override readonly name = "Trap";
  /** Name of the trap; the stable identifier of what went wrong. */
  declare readonly code: TrapName;
  /** rWasm instruction index of the instruction that trapped. */
  declare readonly pc: number;
  /** Guest frames, innermost first. */
  readonly backtrace: readonly Frame[];
  /** How many frames between the first and the last ones of `backtrace` were left out. */
  readonly omittedFrames: number;
  /** The host function that failed or ended the run; undefined when it happened in the guest's code. */
  readonly syscall: SyscallOrigin | undefined;

  /** Makes a trap of the given kind at the given instruction. */
  constructor(code: TrapName, pc: number, details: TrapDetails = {}) {
    const backtrace = details.backtrace ?? [];
    const what = details.detail === undefined ? TRAP_TEXT[code] : `${TRAP_TEXT[code]}: ${details.detail}`;
    super(code, what, {
      trace: traceText(backtrace, details.omittedFrames ?? 0),
      pc: backtrace.length > 0 ? undefined : pc,
      hint: details.hint,
      cause: details.cause,
    });
    Object.defineProperty(this, "pc", { value: pc, enumerable: true });
    this.backtrace = backtrace;
    this.omittedFrames = details.omittedFrames ?? 0;
    this.syscall = details.syscall;
  }

  /** Name of the function that trapped, when known. */
  get functionName(): string | undefined {
    return this.backtrace[0]?.functionName;
  }

  /** Byte offset in the Wasm module of the instruction that trapped, when known. */
  get wasmOffset(): number | undefined {
    return this.backtrace[0]?.wasmOffset;
  }
}

function traceText(backtrace: readonly Frame[], omitted: number): string {
  let text = "";
  backtrace.forEach((frame, level) => {
    // A cut backtrace keeps its first and last frames; the gap is told once, before the last half.
    if (omitted > 0 && level === backtrace.length >> 1) text += `\n     … ${omitted} frames left out …`;
    const name = frame.functionName ??
      (frame.functionIndex === undefined ? "?" : `function ${frame.functionIndex}`);
    const offset = frame.wasmOffset === undefined
      ? ""
      : ` at wasm offset 0x${frame.wasmOffset.toString(16)},`;
    // A compiler wrote the path, and a hostile one may break lines with it.
    const source = frame.source === undefined
      ? ""
      : ` (${frame.source.file.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "?")}:${frame.source.line})`;
    text += `\n  ${String(level).padStart(2)}: ${name}${source}${offset || ","} rWasm pc ${frame.pc}`;
  });
  return text;
}
