/**
 * What plugins keep between calls, in snapshots: saved by asking each, found again by name, restored
 * by handing the bytes back. A plugin is trusted with the host, but not to be free of mistakes:
 * whatever it throws or returns becomes a typed error.
 *
 * @module
 */

import type { Reader } from "../bytes/reader.ts";
import type { Writer } from "../bytes/writer.ts";
import { PluginError, RwasmError } from "../error.ts";
import { quoteName } from "../isa/nearest.ts";
import type { LinkedState } from "../plugin/declaration.ts";
import type { StoreView } from "../plugin/plugin.ts";
import { foundText } from "../vm/values.ts";
import { readText, writeText } from "./snapshot_binding.ts";
import { MOST_HOST_BYTES, readPiece, type Refuse, skipPiece, writePiece } from "./snapshot_file.ts";

/** State of a plugin as it was saved. */
export interface SavedState {
  /** Name of the state. */
  readonly name: string;
  /** What the plugin gave. */
  readonly bytes: Uint8Array;
}

/** A saved state, and the plugin it is for. */
export interface MatchedState {
  /** The plugin's part. */
  readonly state: LinkedState;
  /** What it gets. */
  readonly bytes: Uint8Array;
}

/** Asks plugins for their states. */
export function saveStates<T>(states: readonly LinkedState[], store: StoreView<T>): SavedState[] {
  return states.map((state) => saveState(state, store));
}

/** Writes states. */
export function writeStates(writer: Writer, saved: readonly SavedState[]): void {
  writer.u32(saved.length);
  for (const { name, bytes } of saved) {
    writeText(writer, name);
    writePiece(writer, bytes);
  }
}

/** Reads states. */
export function readStates(reader: Reader, refuse: Refuse): SavedState[] {
  const saved: SavedState[] = [];
  for (let count = reader.u32(); count > 0; count--) {
    const name = readText(reader, refuse);
    // A copy, whether it was compressed or not: the plugin may keep parts of it.
    saved.push({ name, bytes: readPiece(reader, MOST_HOST_BYTES, refuse).slice() });
  }
  return saved;
}

/** Names of the states, without unpacking them. */
export function skipStates(reader: Reader, refuse: Refuse): string[] {
  const names: string[] = [];
  for (let count = reader.u32(); count > 0; count--) {
    names.push(readText(reader, refuse));
    skipPiece(reader);
  }
  return names;
}

/**
 * Finds the plugin of each state. Plugins that had none before stay as they are.
 *
 * @throws {SnapshotError} `WrongLinker`.
 */
export function matchStates(
  saved: readonly SavedState[],
  states: readonly LinkedState[],
  refuse: Refuse,
): MatchedState[] {
  return saved.map(({ name, bytes }) => {
    const state = states.find((state) => state.name === name);
    if (state !== undefined) return { state, bytes };
    return refuse(
      "WrongLinker",
      `there is state of ${quoteName(name)}, and the linker has no plugin for it`,
      {
        hint: "use the plugins the run had when the snapshot was taken",
      },
    );
  });
}

/** Hands plugins their states. */
export function restoreStates<T>(states: readonly MatchedState[], store: StoreView<T>): void {
  for (const { state, bytes } of states) restoreState(state, store, bytes);
}

function stateError(code: string, doing: string, name: string, error: unknown): PluginError {
  const why = error instanceof RwasmError
    ? error.shortMessage
    : error instanceof Error
    ? error.message
    : foundText(error);
  const hint = error instanceof RwasmError ? error.hint : undefined;
  return new PluginError(code, `Cannot ${doing} the state of ${quoteName(name)}: ${why}`, {
    cause: error,
    hint,
  });
}

function saveState<T>(state: LinkedState, store: StoreView<T>): SavedState {
  let bytes: unknown;
  try {
    bytes = state.save(store);
  } catch (error) {
    throw stateError("StateNotSaved", "save", state.name, error);
  }
  if (bytes instanceof Uint8Array) return { name: state.name, bytes };
  const why = new TypeError(`save() must return a Uint8Array, not ${foundText(bytes)}`);
  throw stateError("StateNotSaved", "save", state.name, why);
}

function restoreState<T>(state: LinkedState, store: StoreView<T>, bytes: Uint8Array): void {
  try {
    state.restore(store, bytes);
  } catch (error) {
    throw stateError("StateNotRestored", "restore", state.name, error);
  }
}
