/**
 * `completions`: a script that teaches a shell the commands, flags and choices of this program, made
 * from the same tables as the help.
 *
 * @module
 */

import { UsageError } from "../error.ts";
import { type Command, type Flag, flagsOf } from "./command.ts";
import { Exit } from "./exit.ts";
import { printJson } from "./report.ts";
import { hintFor } from "./suggest.ts";

/** Shells there is a script for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** Flag values that are paths. */
const FILES = ["file"], FOLDERS = ["host[::guest[::ro]]"];

const isFile = ({ value }: Flag): boolean => value !== undefined && FILES.includes(value);
const isFolder = ({ value }: Flag): boolean => value !== undefined && FOLDERS.includes(value);

/** Names of a flag as they are typed. */
const dashed = (
  { name, short }: Flag,
): string[] => [`--${name}`, ...short === undefined ? [] : [`-${short}`]];

/** A text in single quotes, for bash and zsh. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

function bash(name: string, commands: readonly Command[]): string {
  const id = name.replaceAll(/\W/g, "_");
  const values = commands.flatMap((command) =>
    flagsOf(command).filter(({ value }) => value !== undefined).map((flag) => {
      const pattern = dashed(flag).map((flag) => `${command.name}:${flag}`).join("|");
      const answer = flag.choices !== undefined
        ? `COMPREPLY=($(compgen -W ${quoted(flag.choices.join(" "))} -- "$current"))`
        : isFile(flag)
        ? 'COMPREPLY=($(compgen -f -- "$current"))'
        : isFolder(flag)
        ? 'COMPREPLY=($(compgen -d -- "$current"))'
        : "COMPREPLY=()";
      return `    ${pattern}) ${answer}; return ;;`;
    })
  );
  const words = commands.map((command) => {
    const flags = flagsOf(command).flatMap(dashed).join(" ");
    const plain = command.words === undefined
      ? 'compgen -f -- "$current"'
      : `compgen -W ${quoted(command.words.join(" "))} -- "$current"`;
    return `    ${command.name})
      if [[ "$current" == -* ]]; then COMPREPLY=($(compgen -W ${quoted(flags)} -- "$current"))
      else COMPREPLY=($(${plain})); fi ;;`;
  });
  return `# Completions of ${name} for bash: source this file, for example in ~/.bashrc.
_${id}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command="\${COMP_WORDS[1]}"
  local word
  COMPREPLY=()
  if [[ $COMP_CWORD -eq 1 ]]; then
    COMPREPLY=($(compgen -W ${
    quoted([...commands.map(({ name }) => name), "help", "--help", "--version"].join(" "))
  } -- "$current"))
    return
  fi
  for word in "\${COMP_WORDS[@]:2:COMP_CWORD-2}"; do
    if [[ "$word" == -- ]]; then COMPREPLY=($(compgen -f -- "$current")); return; fi
  done
  case "$command:$previous" in
${values.join("\n")}
  esac
  case "$command" in
    help) COMPREPLY=($(compgen -W ${quoted(commands.map(({ name }) => name).join(" "))} -- "$current")) ;;
${words.join("\n")}
  esac
}
complete -o filenames -F _${id} ${name}
`;
}

function zsh(name: string, commands: readonly Command[]): string {
  const id = name.replaceAll(/\W/g, "_");
  // In a specification of _arguments, brackets and colons mean something.
  const plain = (text: string): string => text.replaceAll(/[\\[\]:]/g, "\\$&");
  const specification = (flag: Flag): string => {
    const names = dashed(flag);
    const action = flag.choices !== undefined
      ? `(${flag.choices.join(" ")})`
      : isFile(flag)
      ? "_files"
      : isFolder(flag)
      ? "_files -/"
      : " ";
    const value = flag.value === undefined ? "" : `:${plain(flag.value)}:${action}`;
    const prefix = flag.many ? "*" : `(${names.join(" ")})`;
    return names.map((name) => `        ${quoted(`${prefix}${name}[${plain(flag.text)}]${value}`)} \\`).join(
      "\n",
    );
  };
  const cases = commands.map((command) => {
    const rest = command.words === undefined ? "*:file:_files" : `*:word:(${command.words.join(" ")})`;
    return `    ${command.name})
      _arguments \\
${flagsOf(command).map(specification).join("\n")}
        ${quoted(rest)} ;;`;
  });
  const described = (list: readonly Command[]): string =>
    list.map(({ name, summary }) => `    ${quoted(`${plain(name)}:${summary}`)}`).join("\n");
  return `#compdef ${name}
# Completions of ${name} for zsh: put this file as _${name} into a folder of $fpath, or source it.
_${id}() {
  local -a commands
  commands=(
${described(commands)}
    'help:Print the help of a command'
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  shift words
  (( CURRENT-- ))
  case $words[1] in
    help) _describe command commands ;;
${cases.join("\n")}
  esac
}
if [[ $funcstack[1] == _${id} ]]; then _${id} "$@"; else compdef _${id} ${name}; fi
`;
}

function fish(name: string, commands: readonly Command[]): string {
  const text = (text: string): string => `'${text.replaceAll(/[\\']/g, "\\$&")}'`;
  const complete = `complete -c ${name}`;
  const lines = [...commands, { name: "help", summary: "Print the help of a command" }].map(
    ({ name, summary }) => `${complete} -f -n __fish_use_subcommand -a ${name} -d ${text(summary)}`,
  );
  const names = commands.map(({ name }) => name).join(" ");
  lines.push(`${complete} -f -n '__fish_seen_subcommand_from help' -a ${text(names)}`);
  for (const command of commands) {
    const seen = `${complete} -n ${text(`__fish_seen_subcommand_from ${command.name}`)}`;
    if (command.words !== undefined) lines.push(`${seen} -f -a ${text(command.words.join(" "))}`);
    for (const flag of flagsOf(command)) {
      const short = flag.short === undefined ? "" : ` -s ${flag.short}`;
      const value = flag.choices !== undefined
        ? ` -x -a ${text(flag.choices.join(" "))}`
        : isFile(flag) || isFolder(flag)
        ? " -r -F"
        : flag.value === undefined
        ? ""
        : " -x";
      lines.push(`${seen}${short} -l ${flag.name}${value} -d ${text(flag.text)}`);
    }
  }
  return `# Completions of ${name} for fish: put this file as ${name}.fish into ~/.config/fish/completions.\n` +
    `${lines.join("\n")}\n`;
}

const SCRIPTS = { bash, zsh, fish };

/** The completion script of a shell for a program of the given name. */
export function completionScript(
  shell: typeof SHELLS[number],
  name: string,
  commands: readonly Command[],
): string {
  return SCRIPTS[shell](name, commands);
}

/** The `completions` command over all commands; `all` is asked when it runs, since it is one of them. */
export function completionsCommand(all: () => readonly Command[]): Command {
  return {
    name: "completions",
    summary: "Print completions for a shell: bash, zsh or fish",
    usage: "<bash|zsh|fish> [flags]",
    notes: [
      "They are for a program called rwasm, which this line installs:",
      "  deno install --global --allow-read --name rwasm mod.ts",
    ],
    words: SHELLS,
    flags: [{ name: "name", value: "name", text: "Name of the program, when it is not rwasm" }],
    examples: [
      ["deno run mod.ts completions bash > rwasm.bash", "a file to source in ~/.bashrc"],
      ["deno run mod.ts completions fish --name rw", "for a program that is installed as rw"],
    ],

    // deno-lint-ignore require-await -- commands give promises
    async run(args, host) {
      const given = args.positional[0] ?? "", shell = SHELLS.find((shell) => shell === given);
      if (shell === undefined || args.positional.length > 1) {
        throw new UsageError(
          "UnknownShell",
          `Cannot complete: ${given === "" ? "no shell is given" : `there are no completions for ${given}`}`,
          { hint: hintFor(given, "shells", SHELLS) },
        );
      }
      const name = args.value("name") ?? "rwasm";
      if (!/^[A-Za-z_][\w-]*$/.test(name)) {
        throw new UsageError(
          "InvalidName",
          `Cannot complete ${name}: a program has letters, digits, _ and -`,
        );
      }
      const script = completionScript(shell, name, all());
      if (args.has("json")) printJson(host, { status: "done", shell, script });
      else host.print(script.trimEnd());
      return Exit.Ok;
    },
  };
}
