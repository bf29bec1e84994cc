/**
 * Reads where compiled code was when the engine trapped: positions of the innermost Wasm frames of an
 * error, innermost first. That is the only thing that tells, because such traps cannot be caught inside.
 *
 * @module
 */

/** Where a frame stands: the script it belongs to, and the byte in its module. */
export interface Position {
  /** Name of the script. */
  readonly script: string;
  /** Byte in the module. */
  readonly byte: number;
}

/** What of a call site of V8 is used; it comes from outside. */
interface CallSite {
  getFileName(): string | null;
  getColumnNumber(): number | null;
}

interface TraceableErrors {
  stackTraceLimit?: number;
  prepareStackTrace?: unknown;
}

/** Runs what may trap so that the error knows all frames. */
export function withWholeTraces<T>(run: () => T): T {
  const errors = Error as TraceableErrors, limit = errors.stackTraceLimit;
  errors.stackTraceLimit = Infinity;
  try {
    return run();
  } finally {
    if (limit === undefined) delete errors.stackTraceLimit;
    else errors.stackTraceLimit = limit;
  }
}

/** Positions of the Wasm frames on top of an error's stack. */
export function wasmFrames(error: Error): Position[] {
  const errors = Error as TraceableErrors, previous = errors.prepareStackTrace;
  let sites: readonly CallSite[] | undefined;
  errors.prepareStackTrace = (_: unknown, list: readonly CallSite[]) => {
    sites = list;
    return "";
  };
  try {
    void error.stack;
  } finally {
    if (previous === undefined) delete errors.prepareStackTrace;
    else errors.prepareStackTrace = previous;
  }
  const positions: Position[] = [];
  for (const site of sites ?? []) {
    const script = site.getFileName(), column = site.getColumnNumber();
    if (script === null || column === null || !script.startsWith("wasm://")) break;
    positions.push({ script, byte: column - 1 });
  }
  return positions;
}
