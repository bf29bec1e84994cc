/**
 * A module as one HTML page that needs nothing beside it: imports, exports, limits, fuel of every
 * function, and the rWasm code beside the Wasm it came from, region by region. It runs nothing, and
 * the same module gives the same bytes.
 *
 * @module
 */

import { COST } from "../compile/fuel.ts";
import type { RwasmModule } from "../isa/module.ts";
import { Op } from "../isa/opcode.ts";
import { formatInstruction } from "../isa/text.ts";
import { linesOf } from "../wasm/dwarf.ts";
import { type Labels, type Listing, listOperators, operatorText } from "../wasm/listing.ts";
import type { ValidWasm } from "../wasm/module.ts";
import { MODULE_SCRIPT, MODULE_STYLE } from "./page_script.ts";
import { wasmOf } from "./page_source.ts";
import { type Cell, pageHtml, tableHtml } from "./page_style.ts";
import { grouped, nameText, plainName, scriptJson } from "./page_text.ts";
import { ProfiledCode } from "./profile_code.ts";

/** A table of facts above the code. */
export interface PageTable {
  /** Its heading. */
  readonly title: string;
  /** Headings of its columns. */
  readonly columns: readonly string[];
  /** Its rows; numbers are set right. */
  readonly rows: readonly (readonly (string | number | bigint)[])[];
}

/** What a page says beside the code. */
export interface ModulePageOptions {
  /** What the module is called. */
  readonly title?: string | undefined;
  /** Tables to show before the functions: imports, exports, limits, … */
  readonly tables?: readonly PageTable[] | undefined;
  /** Most rows of code, one for each operator or instruction; 800,000 when absent. */
  readonly rows?: number | undefined;
}

/** Most rows of code in a page: some 30 MB, which browsers still open and search at once. */
const MOST_ROWS = 800_000;

/** Tables that are open at first: so many, and no longer ones, that the code is not far below. */
const OPEN_TABLES = 3, OPEN_ROWS = 12;

/**
 * Numbers of a row of code as the script reads it: Wasm offset or −1, depth, operator (a text), cost, pc
 * or −1, instruction (a text), fuel of the region that begins here or −1, source line (a text) or −1.
 */
const ROW_NUMBERS = 8;

/** Code of one function for the script. */
interface PageFunction {
  readonly name: string;
  readonly index: number;
  readonly pc: number;
  readonly instructions: number;
  readonly charges: number;
  readonly fuel: number;
  /** Rows, one after the other; undefined when the page has no room for them. */
  rows?: readonly number[];
}

/** Writes a module as a page. */
export function modulePage(module: RwasmModule, options: ModulePageOptions = {}): string {
  const title = options.title ?? module.info?.moduleName ?? "module";
  const texts = new Texts(), functions = functionsOf(module, texts, options.rows ?? MOST_ROWS);
  const fuel = functions.reduce((sum, fn) => sum + fn.fuel, 0);
  const shown = functions.filter(({ rows }) => rows !== undefined).length;
  const rest = functions.length - shown;
  const summary = `${grouped(module.length)} instructions in ${grouped(functions.length)} functions, ` +
    `${grouped(fuel)} static fuel: the sum of the charges of all regions, not of one run.` +
    (rest === 0 ? "" : ` The code of ${grouped(rest)} functions is left out: the page would be too large.`);
  const tables = (options.tables ?? []).map(({ title, columns, rows }, at) => {
    const kinds = columns.map((_, column) =>
      typeof rows[0]?.[column] === "string" || rows.length === 0 ? "" : "n"
    );
    const heads = columns.map((head, column): Cell => [kinds[column] === "n" ? "n" : "", nameText(head)]);
    const body = rows.map((row) =>
      row.map((cell): Cell => typeof cell === "string" ? ["name", nameText(cell)] : ["n", grouped(cell)])
    );
    return `<details${at < OPEN_TABLES && rows.length <= OPEN_ROWS ? " open" : ""}><summary><h2>${
      nameText(title)
    }</h2> ` +
      `<span class="dim">${grouped(rows.length)}</span></summary>\n${tableHtml(heads, body)}</details>\n`;
  });
  const body = `<header><h1>${nameText(title)}</h1>\n<p class="dim">${summary}</p>\n</header>\n` +
    `<main>\n${tables.join("")}<h2>Code</h2>\n` +
    `<div class="bar"><label for="search">Search</label><input id="search" type="search" autocomplete="off" ` +
    `spellcheck="false" placeholder="name, operator, offset, pc or source line">` +
    `<span id="count" class="dim" role="status"></span></div>\n` +
    `<div class="code"><nav id="list" aria-label="Functions"></nav>` +
    `<section id="view" aria-live="polite"><noscript>The code is shown by a script.</noscript></section></div>\n` +
    `</main>\n<script type="application/json" id="data">${
      scriptJson({ functions, texts: texts.list, hasLines: linesOf(module) !== undefined })
    }</script>\n`;
  return pageHtml(nameText(title), MODULE_STYLE, body, MODULE_SCRIPT);
}

/** Texts as numbers into a list, because most of them occur many times. */
class Texts {
  readonly list: string[] = [];
  readonly #numbers = new Map<string, number>();

  number(text: string): number {
    let number = this.#numbers.get(text);
    if (number === undefined) this.#numbers.set(text, number = this.list.push(text) - 1);
    return number;
  }
}

function functionsOf(module: RwasmModule, texts: Texts, most: number): PageFunction[] {
  const code = new ProfiledCode(module), wasm = wasmOf(module);
  const names = new Map<number, string>();
  code.indices.forEach((index, position) => names.set(index, plainName(code.names[position]!)));
  const labels: Labels = { function: (index) => names.get(index) };
  let room = most;
  return Array.from(code.starts, (pc, position) => {
    const end = code.starts[position + 1] ?? module.length;
    let charges = 0, fuel = 0;
    for (let at = pc; at < end; at++) {
      if (module.opcodes[at] !== Op.ConsumeFuel) continue;
      charges++;
      fuel += module.immediates[at]! >>> 0;
    }
    const index = code.indices[position]!;
    const fn: PageFunction = {
      name: plainName(code.names[position]!),
      index,
      pc,
      instructions: end - pc,
      charges,
      fuel,
    };
    const body = wasm === undefined ? -1 : index - wasm.importedFunctions;
    const listing = body >= 0 ? listOperators(wasm!, body) : undefined;
    if (end - pc > room) return fn;
    fn.rows = rowsOf(module, wasm, listing, pc, end, texts, labels);
    room -= fn.rows.length / ROW_NUMBERS;
    return fn;
  });
}

/** The rows of a function: each operator beside the first instruction it became, the others below. */
function rowsOf(
  module: RwasmModule,
  wasm: ValidWasm | undefined,
  listing: Listing | undefined,
  start: number,
  end: number,
  texts: Texts,
  labels: Labels,
): number[] {
  const rows: number[] = [], lines = linesOf(module);
  const offsets = module.info?.wasmOffsets;
  const put = (operator: number, pc: number) => {
    const offset = operator < 0 ? -1 : listing!.offsets[operator]!;
    const charge = pc >= 0 && module.opcodes[pc] === Op.ConsumeFuel ? module.immediates[pc]! >>> 0 : -1;
    const source = offset < 0 ? undefined : lines?.lineAt(offset);
    rows.push(
      offset,
      operator < 0 ? 0 : Math.min(listing!.depths[operator]!, 30),
      texts.number(operator < 0 ? "" : operatorText(wasm!, offset, labels)),
      operator < 0 ? 0 : COST[listing!.codes[operator]!]!,
      pc,
      texts.number(pc < 0 ? "" : formatInstruction(module, pc)),
      charge,
      source === undefined ? -1 : texts.number(`${plainName(source.file)}:${source.line}`),
    );
  };
  let operator = 0;
  const count = listing?.offsets.length ?? 0;
  for (let pc = start; pc < end; pc++) {
    const offset = offsets?.[pc] ?? 0;
    // Operators that became nothing come first: they cost fuel, or open and close blocks.
    while (operator < count && listing!.offsets[operator]! < offset) put(operator++, -1);
    if (operator < count && listing!.offsets[operator] === offset) put(operator++, pc);
    else put(-1, pc);
  }
  while (operator < count) put(operator++, -1);
  return rows;
}
