/**
 * Modules as text: the layout the reference prints, with the parts it leaves out, so that
 * {@link assemble} (`assemble.ts`, which describes the grammar) gives back the same module.
 * Everything after `;` is for readers: where a branch goes, what a function is called.
 *
 * @module
 */

import { trapName, UsageError } from "../error.ts";
import type { RwasmModule } from "./module.ts";
import { quoteName } from "./nearest.ts";
import { immediateOf, Op, OP_NAMES } from "./opcode.ts";

export { assemble } from "./assemble.ts";

/** Bytes per line of the data and hint sections. */
const BYTES_PER_LINE = 32;

/** Elements per line of the element section. */
const ELEMENTS_PER_LINE = 16;

/**
 * One instruction: `I32Const(7)`, `Return`, `TableCopy(0, 1)`, `Trap(IntegerOverflow)`. `pc` must be
 * an instruction of the module.
 */
export function formatInstruction(module: RwasmModule, pc: number): string {
  const op = module.opcodes[pc]!, immediate = module.immediates[pc]!;
  const name = OP_NAMES[op]!;
  switch (immediateOf(op)) {
    case "None":
      return name;
    case "I32":
      return `${name}(${immediate})`;
    case "U32":
    case "U16":
      return `${name}(${immediate >>> 0})`;
    case "U16x2":
      return `${name}(${immediate >>> 16}, ${immediate & 0xffff})`;
    case "Trap":
      return `${name}(${trapName(immediate)})`;
  }
}

/**
 * Writes a module as text that {@link assemble} reads back: encoding that gives the same bytes.
 *
 * @throws {UsageError} `TextTooLong` when the text would be longer than a string can be, which takes
 * a module of some 20 million instructions.
 *
 * @example
 * ```ts
 * import { assemble, disassemble } from "./mod.ts";
 * console.log(disassemble(assemble("I32Const 7\nReturn")));
 * ```
 */
export function disassemble(module: RwasmModule): string {
  try {
    return `RwasmModule {\n${formatCode(module)}${formatSections(module)}}\n`;
  } catch (error) {
    // The engine's "Invalid string length": there is no way to know before.
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(
      "TextTooLong",
      "Cannot disassemble rWasm module: the text is too long for a string",
      {
        hint: "format a part of it with formatInstruction()",
        cause: error,
      },
    );
  }
}

function formatCode(module: RwasmModule): string {
  const names = functionNames(module);
  let text = "", functions = 0;
  for (let pc = 0; pc < module.length; pc++) {
    if (pc === 0 || module.opcodes[pc] === Op.SignatureCheck) {
      if (pc > 0) text += " .function_end\n\n";
      const name = names.get(pc);
      text += ` .function_begin_${pc} (#${functions++})${
        name === undefined ? "" : ` ; ${quoteName(name)}`
      }\n`;
    }
    text += `  ${String(pc).padStart(4, "0")}: ${formatInstruction(module, pc)}`;
    if (pc === module.sourcePc) text += "  <- SOURCE";
    text += `${remark(module, pc, names)}\n`;
  }
  return functions === 0 ? text : `${text} .function_end\n\n`;
}

/** Where a branch or call goes, as a comment. */
function remark(module: RwasmModule, pc: number, names: ReadonlyMap<number, string>): string {
  const immediate = module.immediates[pc]!;
  switch (module.opcodes[pc]) {
    case Op.Br:
    case Op.BrIfEqz:
    case Op.BrIfNez:
      return `  ; -> ${pc + immediate}`;
    case Op.CallInternal:
    case Op.ReturnCallInternal:
    case Op.RefFunc: {
      const name = names.get(immediate >>> 0);
      return name === undefined ? "" : `  ; ${quoteName(name)}`;
    }
  }
  return "";
}

/** Function names by first pc; empty for a module that was not compiled here. */
function functionNames({ info }: RwasmModule): Map<number, string> {
  const names = new Map<number, string>();
  if (info === undefined) return names;
  const functions = info.functionTypes.length;
  info.functionImports.forEach(({ module, name }, index) => {
    names.set(info.functionStarts[index]!, `${module}.${name}`);
  });
  for (const { name, index } of info.functionExports) names.set(info.functionStarts[index]!, name);
  for (const [index, name] of info.functionNames) names.set(info.functionStarts[index]!, name);
  info.snippetNames.forEach((name, index) => names.set(info.functionStarts[functions + index]!, name));
  return names;
}

function formatSections({ data, elements, hint, sourcePc }: RwasmModule): string {
  let text = formatBytes(".ro_data", data);
  for (let start = 0; start < elements.length; start += ELEMENTS_PER_LINE) {
    text += ` .ro_elem ${elements.subarray(start, start + ELEMENTS_PER_LINE).join(" ")}\n`;
  }
  return `${text}${formatBytes(".hint", hint)} .source_pc ${sourcePc}\n`;
}

const HEX: readonly string[] = Array.from(
  { length: 256 },
  (_, byte) => ` ${byte.toString(16).padStart(2, "0")}`,
);

function formatBytes(directive: string, bytes: Uint8Array): string {
  let text = "";
  for (let start = 0; start < bytes.length; start += BYTES_PER_LINE) {
    text += ` ${directive}`;
    const end = Math.min(start + BYTES_PER_LINE, bytes.length);
    for (let index = start; index < end; index++) text += HEX[bytes[index]!];
    text += "\n";
  }
  return text;
}
