/**
 * How failures are told: text for people on standard error, or one JSON document. Never a stack,
 * but for bugs of ours.
 *
 * @module
 */

import { RwasmError, Trap } from "../error.ts";
import { limitOf } from "./exit.ts";
import { type Host, printable } from "./host.ts";

const RED = "\x1b[1;31m", CYAN = "\x1b[36m", RESET = "\x1b[0m";

/** Where bugs are reported. */
const REPORT = "this is a bug of rwasm; please report it with the command and the file that show it";

/** The flag that does what the hint of an error tells users of the library to do. */
function flagFor(error: RwasmError): string | undefined {
  if (error.code === "OutOfFuel") return "--fuel <n>";
  if (error.code === "UnknownSyscall") return "--plugin or --wasi";
  if (error.code === "UnknownExternalFunction" && error.hint?.includes("linker")) return "--plugin or --wasi";
  const limit = limitOf(error);
  return limit === undefined ? undefined : `--limits ${limit}=<n>`;
}

/** A failure as a line with its kind and code, its message, its hint. */
export function failureText(error: unknown, color: boolean): string {
  const [red, cyan, reset] = color ? [RED, CYAN, RESET] : ["", "", ""];
  if (!(error instanceof RwasmError)) {
    const stack = error instanceof Error ? error.stack ?? String(error) : String(error);
    return `${red}internal error${reset}: ${printable(stack)}\n  ${cyan}hint${reset}: ${REPORT}`;
  }
  const kind = error instanceof Trap ? "trap" : "error";
  const message = printable(error.message).replace(/^ {2}hint: /m, `  ${cyan}hint${reset}: `);
  const flag = flagFor(error);
  const more = flag === undefined ? "" : `\n  ${cyan}hint${reset}: the flag is ${flag}`;
  return `${red}${kind}[${error.code}]${reset}: ${message}${more}`;
}

/** A failure as JSON data. */
export function failureData(error: unknown): Record<string, unknown> {
  if (!(error instanceof RwasmError)) {
    return { name: "InternalError", code: "InternalError", message: String(error), hint: REPORT };
  }
  const data: Record<string, unknown> = {
    name: error.name,
    code: error.code,
    message: error.shortMessage,
    offset: error.offset,
    pc: error.pc,
    hint: error.hint,
  };
  if (error instanceof Trap) {
    data.message = error.shortMessage.split("\n", 1)[0];
    data.backtrace = error.backtrace;
    data.omittedFrames = error.omittedFrames;
  }
  return data;
}

/** Prints a JSON document; every document tells the version of its form. */
export function printJson(host: Host, document: Record<string, unknown>): void {
  host.print(JSON.stringify(
    { schema: 1, ...document },
    (_key, value) => typeof value === "bigint" ? value.toString() : value,
    2,
  ));
}
