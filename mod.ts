/**
 * rWasm for Deno: compiles WebAssembly to rWasm, a small metered instruction set, and runs it: the
 * same results and the same fuel on every machine, within limits, with host functions in TypeScript.
 *
 * @example Compile a program, call a function, see what it cost
 * ```ts
 * import { compile, RwasmExecutor, RwasmStore } from "./mod.ts";
 *
 * // (module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))
 * const wasm = Uint8Array.fromBase64("AGFzbQEAAAABBwFgAn9/AX8DAgEABwcBA2FkZAAACgkBBwAgACABags=");
 * const store = new RwasmStore({ fuelLimit: 1000n });
 * const executor = new RwasmExecutor(store, compile(wasm));
 * const outcome = executor.call("add", [2, 40]);
 * if (outcome.status === "done") console.log(outcome.results, store.consumedFuel());
 * ```
 *
 * @module
 */

export {
  CompileError,
  DecodeError,
  type ErrorDetails,
  type Frame,
  LinkError,
  PluginError,
  RwasmError,
  SnapshotError,
  type SyscallOrigin,
  Trap,
  TRAP_NAMES,
  TrapCode,
  type TrapDetails,
  type TrapName,
  UsageError,
  ValidationError,
  VerifyError,
} from "./lib/error.ts";
export { DEFAULT_LIMITS, type Limits, REFERENCE_LIMITS } from "./lib/limits.ts";
export {
  type FunctionExport,
  type FunctionImport,
  type FunctionType,
  type GlobalExport,
  type ModuleInfo,
  type ModuleParts,
  type OtherExport,
  RwasmModule,
  type ValueType,
} from "./lib/isa/module.ts";
export { assemble, disassemble } from "./lib/isa/text.ts";
export {
  type ArgumentsOf,
  type Caller,
  defineSyscalls,
  type GuestMemory,
  type Intrinsic,
  type IntrinsicInstruction,
  type PluginState,
  type ReturnOf,
  type StoreView,
  type Syscall,
  type SyscallDeclaration,
  type SyscallFuel,
  type SyscallFunction,
  type SyscallPlugin,
  type SyscallSignature,
  type TypedSyscallFunction,
  type TypedSyscallPlugin,
  type Value,
  type ValueOf,
} from "./lib/plugin/plugin.ts";
export { ImportLinker, type LoadOptions } from "./lib/plugin/linker.ts";
export { type CompilationConfig, type StateRouterConfig } from "./lib/compile/config.ts";
export { compile } from "./lib/compile/compile.ts";
export { RwasmStore, type StoreOptions } from "./lib/vm/store.ts";
export { type ExecutorOptions, RwasmExecutor } from "./lib/run/executor.ts";
export { type AsyncRunOptions, type RunOptions } from "./lib/run/run_options.ts";
export { type MachineView } from "./lib/run/machine_view.ts";
export { PausedError } from "./lib/run/turns.ts";
export {
  type ForkOptions,
  inspectSnapshot,
  isSnapshot,
  type RestoreOptions,
  type SnapshotInfo,
  type SnapshotOptions,
} from "./lib/run/snapshot.ts";
export {
  type Breakpoint,
  type BreakpointPlace,
  type Done,
  type Outcome,
  type Paused,
  type PausedAtBreakpoint,
  type PausedByAbort,
  type PausedByDeadline,
  type PausedByStep,
  type PausedBySyscall,
  type PausedForFuel,
  type PauseReason,
  type Trapped,
} from "./lib/vm/outcome.ts";
export { type LoopMaker } from "./lib/vm/loop.ts";
export { DEFAULT_MOST_KEPT, Tracer, type TracerOptions } from "./lib/trace/tracer.ts";
export {
  type MemoryReadRecord,
  type MemoryRecordEnum,
  type MemoryWriteRecord,
  type TracerEvent,
  type TracerGlobalVariable,
  type TracerInstrState,
  type TracerMemoryState,
  type TraceTableSizeState,
  type TraceTableState,
} from "./lib/trace/views.ts";
export { EventKind } from "./lib/trace/event.ts";
export { type FilterOptions, type Interval } from "./lib/trace/filter.ts";
export { type Checkpoint, type TraceSink } from "./lib/trace/log.ts";
export { type Column, type TraceChunk } from "./lib/trace/chunk.ts";
export { type TraceCode } from "./lib/trace/code.ts";
export { rebuild, type Rebuilt, type Trace, type TraceVisitor } from "./lib/trace/rebuild.ts";
export { type TraceState, type Words } from "./lib/trace/state.ts";
export { BinaryTraceWriter, type ByteSink } from "./lib/trace/binary_writer.ts";
export { readBinaryTrace, type TraceFile } from "./lib/trace/binary_reader.ts";
export { JsonLinesTraceWriter, readJsonLinesTrace } from "./lib/trace/json_lines.ts";
export { PerfettoTraceWriter } from "./lib/trace/perfetto.ts";
export { diffTraces, type Divergence, type InstructionPlace } from "./lib/trace/diff.ts";
export { diffRuns, type RunDivergence, type RunMaker } from "./lib/trace/diff_runs.ts";
export { HostRecorder, type Recordable } from "./lib/trace/record.ts";
export {
  parseRecording,
  type RecordedBytes,
  type RecordedCall,
  type RecordedEnd,
  type RecordedFunction,
  type RecordedLine,
  type RecordedOutcome,
  type RecordedRun,
  type RecordedStart,
  type RecordedValues,
  type Recording,
  type RecordingHead,
} from "./lib/trace/recording.ts";
export { type Output } from "./lib/trace/output.ts";
export {
  recordedLinker,
  type ReplayDifference,
  type Replayed,
  type ReplayOptions,
  replayRecording,
} from "./lib/trace/replay.ts";
export {
  type Access,
  type Debuggable,
  Debugger,
  type DebugStop,
  type StepEvent,
  type Watchpoint,
} from "./lib/trace/debug.ts";
export {
  type Profile,
  type ProfileCharge,
  type ProfiledFunction,
  Profiler,
  type ProfilerOptions,
  type ProfileStacks,
} from "./lib/trace/profile.ts";
export { foldedStacks, parseFolded, type StackProfile } from "./lib/trace/folded.ts";
export { diffProfiles, type FunctionChange, type ProfileDiff } from "./lib/trace/profile_diff.ts";
export {
  fuelByFunction,
  fuelByOperator,
  fuelByPlace,
  type FunctionFuel,
  type OperatorFuel,
  type PlaceFuel,
} from "./lib/trace/profile_operators.ts";
export { type FlamegraphOptions, flamegraphSvg } from "./lib/trace/flamegraph.ts";
export { diffHtml, profileHtml } from "./lib/trace/flamegraph_page.ts";
export { type SourceOf, speedscopeJson } from "./lib/trace/speedscope.ts";
export { cpuProfileJson } from "./lib/trace/cpuprofile.ts";
export { modulePage, type ModulePageOptions, type PageTable } from "./lib/trace/page.ts";
export { linesOf, type LineTable, type SourceLine } from "./lib/wasm/dwarf.ts";
export { createWebAssembly, type FuelControls, type WebAssemblyFacade } from "./lib/webassembly/facade.ts";
export { type WebAssemblyOptions } from "./lib/webassembly/realm.ts";

if (import.meta.main) {
  // Not awaited: plugins import this module, and would wait for it while it waits for them.
  import("./lib/cli/main.ts").then(({ runProgram }) => runProgram(new URL(import.meta.url)));
}
