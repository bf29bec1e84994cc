/**
 * Exports of compiled modules by name: an index that is made when a module is first asked, and that
 * all executors of the module share.
 *
 * @module
 */

import type { FunctionExport, GlobalExport, ModuleInfo } from "../isa/module.ts";

/** Exports by name. */
export interface ExportIndex {
  /** Exported functions. */
  readonly functions: ReadonlyMap<string, FunctionExport>;
  /** Exported globals. */
  readonly globals: ReadonlyMap<string, GlobalExport>;
}

const INDEXES = new WeakMap<ModuleInfo, ExportIndex>();

/** The exports of a module, by name. */
export function exportsOf(info: ModuleInfo): ExportIndex {
  let index = INDEXES.get(info);
  if (index === undefined) {
    index = { functions: byName(info.functionExports), globals: byName(info.globalExports) };
    INDEXES.set(info, index);
  }
  return index;
}

function byName<Export extends { readonly name: string }>(list: readonly Export[]): Map<string, Export> {
  return new Map(list.map((entry) => [entry.name, entry]));
}
