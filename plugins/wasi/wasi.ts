/**
 * Makes WASI for one guest out of options: the plugins of both releases over one environment, and
 * what the host sees of it.
 *
 * @module
 */

import type { Caller, PluginState, StoreView, SyscallDeclaration, SyscallPlugin } from "../../mod.ts";
import { type Environment, hostFunction, type WasiCall } from "./environment.ts";
import { FD_CALLS } from "./fd_calls.ts";
import { checkOptions, environmentOf, type WasiOptions } from "./options.ts";
import { PATH_CALLS } from "./path_calls.ts";
import { POLL_CALLS } from "./poll_calls.ts";
import { PROCESS_CALLS } from "./process_calls.ts";
import { wasiState } from "./state.ts";
import type { Output } from "./stream.ts";
import { UNSTABLE_CALLS } from "./unstable_calls.ts";

/** A release of WASI: its import module, its calls, and the index of the first of them. */
interface Release {
  readonly module: string;
  readonly calls: Readonly<Record<string, WasiCall>>;
  /** What is added to the index of the options. */
  readonly offset: number;
}

/** Preview 1. The order of the calls gives their indices. */
const PREVIEW1: Release = {
  module: "wasi_snapshot_preview1",
  calls: { ...PROCESS_CALLS, ...FD_CALLS, ...PATH_CALLS, ...POLL_CALLS },
  offset: 0,
};

/** The release before. */
const UNSTABLE: Release = { module: "wasi_unstable", calls: UNSTABLE_CALLS, offset: 64 };

/** "WASI": far from the small numbers that hosts give to functions of their own. */
const FIRST_INDEX = 0x57415349;

/** How a guest ended, and what it wrote. */
export interface WasiResult {
  /**
   * What the guest gave to `proc_exit`, 0 … 2^32 − 1, or 128 and the number of a signal it raised;
   * undefined as long as it did neither. `proc_exit` ends the run as done, from however deep, so a
   * program whose outcome is done has ended well when this is undefined or 0.
   */
  readonly exitCode: number | undefined;
  /** Standard output, unless it goes to a sink. */
  readonly stdout: Output;
  /** Standard error, unless it goes to a sink. */
  readonly stderr: Output;
  /** Closes the files of the host that the guest left open; `proc_exit` does it too. */
  close(): void;
}

/** WASI for one guest: a plugin for its linker, and what is left when the guest has ended. */
export interface Wasi extends SyscallPlugin, WasiResult {
  /** The same for programs that import `wasi_unstable`; a linker may have both. */
  readonly unstable: SyscallPlugin;
}

/** A factory that is a plugin too. */
export interface WasiFactory extends SyscallPlugin {
  /** Makes WASI for one guest; see {@link wasi}. */
  (options?: WasiOptions): Wasi;
  /** How the guest of a store ended that uses this very plugin; undefined when it called nothing of it. */
  of(store: { readonly memory: Caller["memory"] }): WasiResult | undefined;
}

function pluginOf(
  { module, calls, offset }: Release,
  { fuel = false, index = FIRST_INDEX }: WasiOptions,
  environmentOf: (caller: StoreView) => Environment,
  state: PluginState,
): SyscallPlugin {
  const functions = Object.entries(calls).map(
    ([name, call], position): [string, SyscallDeclaration<unknown>] => {
      const declaration = {
        index: index + offset + position,
        params: call.params,
        results: call.results,
        call: hostFunction(call, environmentOf),
      };
      return [name, fuel ? { ...declaration, fuel: call.fuel } : declaration];
    },
  );
  return { module, functions: Object.fromEntries(functions), state };
}

/** What the host sees of an environment. */
function resultOf(environment: Environment): WasiResult {
  return {
    get exitCode() {
      return environment.exitCode;
    },
    stdout: environment.outputs[0],
    stderr: environment.outputs[1],
    close: () => environment.descriptors.closeAll(),
  };
}

function makeWasi(options: WasiOptions = {}): Wasi {
  checkOptions(options);
  const environment = environmentOf(options);
  // Both have the same object: it is one state, however many of them a linker has.
  const state = wasiState(() => environment);
  const unstable = pluginOf(UNSTABLE, options, () => environment, state);
  const plugin = { ...pluginOf(PREVIEW1, options, () => environment, state), unstable };
  return Object.defineProperties(plugin, Object.getOwnPropertyDescriptors(resultOf(environment))) as Wasi;
}

/** Environments of guests that run without options, by the memory of their store. */
const environments = new WeakMap<Caller["memory"], Environment>();

function environmentOfStore({ memory }: StoreView): Environment {
  let environment = environments.get(memory);
  if (environment === undefined) environments.set(memory, environment = environmentOf({}));
  return environment;
}

const stateOfStores = wasiState(environmentOfStore);

/**
 * Makes WASI for one guest: a plugin for `linker.use`, which also tells the exit code and holds the
 * output. It belongs to one run of one program; a second guest gets its own.
 *
 * The function is a plugin too, with every option at its default and an environment of its own for
 * each store, so that `linker.load("…/wasi_snapshot_preview1.ts")` works; `wasi.of(store)` then tells
 * how the guest ended.
 *
 * @throws {UsageError} `InvalidWasiOption`, or `WasiDirectory` for a directory of the host that cannot be used.
 */
export const wasi: WasiFactory = Object.defineProperties(makeWasi, {
  name: { value: PREVIEW1.module },
  module: { value: PREVIEW1.module, enumerable: true },
  functions: {
    value: pluginOf(PREVIEW1, {}, environmentOfStore, stateOfStores).functions,
    enumerable: true,
  },
  state: { value: stateOfStores, enumerable: true },
  of: {
    value: ({ memory }: { readonly memory: Caller["memory"] }) => {
      const environment = environments.get(memory);
      return environment === undefined ? undefined : resultOf(environment);
    },
  },
}) as unknown as WasiFactory;

/** The calls of `wasi_unstable` with every option at its default; shares each store's environment with {@link wasi}. */
export const unstable: SyscallPlugin = pluginOf(UNSTABLE, {}, environmentOfStore, stateOfStores);
