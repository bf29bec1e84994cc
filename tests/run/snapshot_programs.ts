/**
 * Programs that are interrupted to be saved and restored: those of `../shared/golden`, those of the
 * benchmarks, programs of WASI, and guests in text for what the others leave out. Each says how it is
 * started on a fresh world and what can be seen of the world in the end.
 *
 * @module
 */

import {
  assemble,
  type CompilationConfig,
  compile,
  type ExecutorOptions,
  ImportLinker,
  type Limits,
  type Outcome,
  REFERENCE_LIMITS,
  type RunOptions,
  RwasmExecutor,
  type RwasmModule,
  RwasmStore,
  type Value,
  type ValueType,
} from "../../mod.ts";
import { MemoryDirectory, type Wasi, wasi, type WasiOptions } from "../../plugins/wasi_snapshot_preview1.ts";
import { assembleWat } from "../compile/wat.ts";
import {
  type Import,
  type Input,
  type JsonConfig,
  scriptedLinker,
  type ScriptStep,
  toConfig,
} from "../golden/fact.ts";
import { fromBase64, listShared, readShared, show, toValue } from "../harness.ts";

/** The outside of one run. */
export interface World {
  /** Host functions. */
  readonly linker: ImportLinker<never>;
  /** Host context. */
  readonly data: unknown;
  /** What can be seen of it. */
  seen(): string;
  /** What a paused host function is answered with. */
  answer(outcome: Outcome): readonly Value[];
  /** The world a restored run finds: this one, or a new one for what plugins restore by themselves. */
  next(): World;
}

/** A program to interrupt. */
export interface Program {
  /** What it is called in messages. */
  readonly name: string;
  /** The module, compiled once. */
  readonly module: RwasmModule;
  /** Limits of its store. */
  readonly limits: Partial<Limits>;
  /** A fresh outside. */
  readonly world: () => World;
  /** Begins the run. */
  readonly start: (executor: RwasmExecutor<never>, options?: RunOptions) => Outcome;
}

/** A fresh executor of a program. */
export function executorOf(
  { module, limits }: Program,
  { linker, data }: World,
  fuelLimit?: bigint,
  options?: ExecutorOptions,
): RwasmExecutor<never> {
  const store = new RwasmStore<never>({ linker, data: data as never, limits, fuelLimit });
  return new RwasmExecutor(store, module, options);
}

function program(
  name: string,
  module: () => RwasmModule,
  world: () => World,
  start: Program["start"],
  limits: Partial<Limits> = {},
): Program {
  let made: RwasmModule | undefined;
  return {
    name,
    get module() {
      return made ??= module();
    },
    limits,
    world,
    start,
  };
}

const emptyWorld = (): World => ({
  linker: new ImportLinker(),
  data: undefined,
  seen: () => "",
  answer: () => [],
  next: emptyWorld,
});

/** Calls an export. */
const calls = (name: string, ...args: Value[]): Program["start"] => (executor, options) =>
  executor.call(name, args, options);

// ── golden programs ─────────────────────────────────────────────────────────────────────────────

interface GoldenCase {
  readonly entry: string;
  readonly inputs: readonly Input[];
}

interface GoldenFile {
  readonly wasm: string;
  readonly fpu: boolean;
  readonly entry?: string;
  readonly inputs?: readonly Input[];
  readonly imports?: readonly Import[];
  readonly config?: JsonConfig;
  readonly cases?: readonly GoldenCase[];
}

/** What `scriptedLinker` has for a context. */
interface Script {
  readonly script: readonly ScriptStep[];
  readonly calls: { readonly index: number; readonly params: readonly Value[] }[];
}

function scriptedWorld(imports: readonly Import[], script: readonly ScriptStep[]): World {
  const linker = scriptedLinker(imports) as unknown as ImportLinker<never>;
  const data: Script = { script, calls: [] };
  const world: World = {
    linker,
    data,
    seen: () => data.calls.map(({ index, params }) => `${index}(${params.map(show)})`).join(" "),
    answer: () => (script[data.calls.length - 1]?.interrupt ?? []).map(toValue),
    next: () => world,
  };
  return world;
}

/** The programs of a file of `../shared/golden`, each with an input. */
function goldenPrograms(file: string, wanted: (entry: string) => readonly (number | "script")[]): Program[] {
  const { wasm, fpu, entry, inputs = [], imports = [], config = {}, cases } = readShared<GoldenFile>(
    `golden/programs/${file}.json`,
  );
  return (cases ?? [{ entry: entry!, inputs }]).flatMap((item) => {
    const module = () =>
      compile(fromBase64(wasm), {
        ...toConfig(config, item.entry, fpu ? "deterministic" : "trap"),
        linker: scriptedLinker(imports),
      });
    return wanted(item.entry).flatMap((which) => {
      const input = which === "script"
        ? item.inputs.find(({ script }) => script?.some(({ interrupt }) => interrupt !== undefined))
        : item.inputs.find(({ args, fuelLimit }) =>
          fuelLimit == null && (cases !== undefined || args[0]?.value === String(which))
        );
      if (input === undefined) return [];
      const args = input.args.map(toValue);
      return [program(
        `${file}:${item.entry}(${args.map(show)})${which === "script" ? " scripted" : ""}`,
        module,
        () => scriptedWorld(imports, input.script ?? []),
        (executor, options) => executor.execute(args, undefined, options),
        REFERENCE_LIMITS,
      )];
    });
  });
}

/** Least inputs of the programs that compute, and larger ones for what is only sampled. */
const SMALL: Readonly<Record<string, number>> = {
  crc32: 0,
  mandel: 1,
  matmul: 0,
  nbody: 0,
  qsort: 0,
  sha256: 0,
};
const LARGE: Readonly<Record<string, readonly number[]>> = {
  crc32: [2],
  dispatch: [10000],
  keccak: [100],
  mandel: [40],
  mulmod: [1000],
  nbody: [100],
};

/** Everything that is short. */
export function shortPrograms(): Program[] {
  return [...goldenSmall(), ...textPrograms(), ...benchPrograms(), ...wasiPrograms()];
}

/** Runs of every program of `../shared/golden`, short ones. */
export function goldenSmall(): Program[] {
  return listShared("golden/programs").flatMap((file) =>
    file === "language" || file.startsWith("syscalls")
      ? goldenPrograms(file, (entry) => entry.startsWith("pause") || entry === "mix" ? [0, "script"] : [0])
      : goldenPrograms(file, () => [SMALL[file] ?? 0, ...SMALL[file] === undefined ? [1] : []].slice(0, 1))
  );
}

/** Longer runs of the same programs, up to a few million units of fuel. */
export function goldenLarge(): Program[] {
  return listShared("golden/programs").flatMap((file) => goldenPrograms(file, () => LARGE[file] ?? []));
}

// ── programs in text ────────────────────────────────────────────────────────────────────────────

/** A host that notes, pauses, halts, charges and traps. */
function notingWorld(): World {
  const notes: string[] = [];
  const linker = new ImportLinker<string[]>();
  const types = { params: ["i32"], results: ["i32"] } as const;
  linker.define("env", "note", { index: 1, ...types }, (caller, x: number) => {
    caller.data.push(`note ${x}`);
    return x + 1;
  });
  linker.define("env", "ask", { index: 2, params: ["i32"], results: ["i64"] }, (caller, x: number) => {
    caller.data.push(`ask ${x}`);
    return caller.pause({ asked: x });
  });
  linker.define("env", "halt", { index: 3, ...types }, (caller) => caller.halt());
  linker.define("env", "charge", { index: 4, ...types }, (caller, x: number) => {
    caller.consumeFuel(x);
    return x;
  });
  const world: World = {
    linker: linker as unknown as ImportLinker<never>,
    data: notes,
    seen: () => notes.join(),
    answer: () => [BigInt(notes.length) * 0x1_0000_0003n],
    next: () => world,
  };
  return world;
}

const IMPORTS = `
  (import "env" "note" (func $note (param i32) (result i32)))
  (import "env" "ask" (func $ask (param i32) (result i64)))
  (import "env" "halt" (func $halt (param i32) (result i32)))
  (import "env" "charge" (func $charge (param i32) (result i32)))`;

function inText(name: string, text: string, ...args: Value[]): Program {
  const wasm = () => assembleWat(`(module ${IMPORTS} ${text})`);
  const limits = { callDepth: 300, stackSlots: 4096, memoryPages: 40 };
  const module = () => compile(wasm(), { linker: notingWorld().linker, limits });
  return program(name, module, notingWorld, calls("main", ...args), limits);
}

/** What the other programs leave out: one program for each thing a machine can hold. */
export function textPrograms(): Program[] {
  return [
    inText(
      "deep recursion",
      `(func $f (export "main") (param i32) (result i64)
         (if (result i64) (local.get 0)
           (then (i64.add (call $f (i32.sub (local.get 0) (i32.const 1))) (i64.extend_i32_u (local.get 0))))
           (else (call $ask (i32.const 9)))))`,
      120,
    ),
    inText(
      "recursion beyond the limit",
      `(func $f (export "main") (result i32) (i32.add (call $f) (i32.const 1)))`,
    ),
    inText(
      "tables and indirect calls",
      `(type $t (func (param i32) (result i32))) (table $a 4 20 funcref) (table $b 3 funcref)
       (elem (table $a) (i32.const 0) func $x $y) (elem $p func $z $y)
       (func $x (type $t) (i32.add (local.get 0) (i32.const 1)))
       (func $y (type $t) (i32.mul (local.get 0) (i32.const 3)))
       (func $z (type $t) (call $note (local.get 0)))
       (func (export "main") (param $n i32) (result i32) (local $i i32)
         (table.init $a $p (i32.const 2) (i32.const 0) (i32.const 2)) (elem.drop $p)
         (table.copy $b $a (i32.const 0) (i32.const 1) (i32.const 3))
         (drop (table.grow $a (ref.func $x) (i32.const 6)))
         (table.fill $a (i32.const 7) (table.get $b (i32.const 0)) (i32.const 2))
         (loop $l
           (local.set $n (call_indirect $a (type $t) (local.get $n)
             (i32.rem_u (local.get $i) (table.size $a))))
           (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 25))))
         (table.set $a (i32.const 1) (ref.null func))
         (call_indirect $b (type $t) (local.get $n) (i32.const 1)))`,
      5,
    ),
    inText(
      "a wrong signature",
      `(table 2 funcref) (elem (i32.const 0) func $x) (type $t (func (param i32) (result i64)))
       (func $x (param i32) (result i32) (local.get 0))
       (func (export "main") (result i64) (call_indirect (type $t) (call $note (i32.const 1)) (i32.const 0)))`,
    ),
    inText(
      "tail calls",
      `(func $even (export "main") (param i32) (result i32)
         (if (result i32) (local.get 0)
           (then (return_call $odd (i32.sub (local.get 0) (i32.const 1)))) (else (i32.const 1))))
       (table 1 funcref) (elem (i32.const 0) func $even) (type $t (func (param i32) (result i32)))
       (func $odd (param i32) (result i32)
         (if (result i32) (local.get 0)
           (then (return_call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0)))
           (else (i32.const 0))))`,
      60,
    ),
    inText(
      "memory, segments and bulk operations",
      `(memory (export "memory") 15 30) (data (i32.const 8) "active") (data $d "passive segment")
       (func (export "main") (param $n i32) (result i32) (local $sum i32)
         (memory.init $d (i32.const 65500) (i32.const 0) (i32.const 15)) (data.drop $d)
         (loop $l
           (drop (memory.grow (i32.const 1)))
           (memory.copy (i32.mul (local.get $n) (i32.const 5000)) (i32.const 65490) (i32.const 40))
           (memory.fill (i32.mul (local.get $n) (i32.const 70000)) (local.get $n) (i32.const 9000))
           (i64.store offset=3 (local.get $n) (i64.const 0x0123456789abcdef))
           (local.set $sum (i32.add (local.get $sum) (i32.load16_s (i32.mul (local.get $n) (i32.const 5003)))))
           (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
         (drop (memory.grow (i32.const 1000)))
         (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1))
         (local.get $sum))`,
      12,
    ),
    inText(
      "an access out of bounds",
      `(memory 1) (func (export "main") (param i32) (result i32)
         (loop $l (i32.store (local.get 0) (local.get 0))
           (local.set 0 (i32.add (local.get 0) (i32.const 4096))) (br $l)) (unreachable))`,
      100,
    ),
    inText(
      "a start function that asks",
      `(memory 2) (global $g (mut i64) (i64.const 5)) (start $s)
       (func $s (global.set $g (i64.add (call $ask (i32.const 1)) (call $ask (i32.const 2))))
         (i64.store (i32.const 70000) (global.get $g)))
       (func (export "main") (param i32 f64 i64) (result i64 f64)
         (i64.add (i64.xor (global.get $g) (i64.load (i32.const 70000))) (local.get 2))
         (f64.add (local.get 1) (f64.const 0.5)))`,
      3,
      1.25,
      -9n,
    ),
    inText(
      "a start function that traps",
      `(start $s) (func $s (drop (i32.div_s (call $note (i32.const 7)) (i32.const 0))))
       (func (export "main") (result i32) (i32.const 1))`,
    ),
    inText(
      "64-bit integers",
      `(func (export "main") (param $a i64) (param $n i32) (result i64) (local $b i64)
         (local.set $b (i64.const 0x1234567))
         (loop $l
           (local.set $a (i64.add (i64.mul (local.get $a) (i64.const 6364136223846793005))
             (i64.div_s (local.get $a) (local.get $b))))
           (local.set $b (i64.or (i64.rotl (i64.rem_u (local.get $a) (i64.const 1000003)) (i64.const 17))
             (i64.const 1)))
           (local.set $a (i64.xor (local.get $a) (i64.shr_u (local.get $b) (i64.popcnt (local.get $a)))))
           (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
         (local.get $a))`,
      0x7eadbeefcafebaben,
      8,
    ),
    inText(
      "floats",
      `(func (export "main") (param $n i32) (result f64 f32) (local $x f64) (local $y f32)
         (local.set $x (f64.const 1.5)) (local.set $y (f32.const -0.25))
         (loop $l
           (local.set $x (f64.sqrt (f64.add (local.get $x) (f64.promote_f32 (f32.mul (local.get $y) (local.get $y))))))
           (local.set $y (f32.div (f32.demote_f64 (local.get $x)) (f32.convert_i32_s (local.get $n))))
           (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
         (f64.sub (local.get $x) (f64.const inf)) (f32.sqrt (f32.neg (local.get $y))))`,
      15,
    ),
    inText(
      "branch tables and several results",
      `(func $two (param i32) (result i32 i64) (local.get 0) (i64.extend_i32_s (i32.sub (i32.const 0) (local.get 0))))
       (func (export "main") (param $n i32) (result i32) (local $r i32)
         (loop $l
           (block $c (block $b (block $a (br_table $a $b $c (i32.rem_u (local.get $n) (i32.const 4))))
             (local.set $r (i32.add (local.get $r) (i32.const 10))) (br $c))
             (drop (call $two (local.get $r))) (local.set $r (i32.add (i32.const 3))))
           (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
         (local.get $r))`,
      11,
    ),
    inText(
      "a host function that halts, deep",
      `(func $f (param i32) (result i32)
         (if (result i32) (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1)))) (else (call $halt (i32.const 0)))))
       (func (export "main") (result i32 i64) (call $f (i32.const 9)) (i64.const 1))`,
    ),
    inText(
      "a host function that charges",
      `(func (export "main") (param i32) (result i32) (local $s i32)
         (loop $l (local.set $s (i32.add (local.get $s) (call $charge (local.get 0))))
           (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
         (local.get $s))`,
      20,
    ),
    inText(
      "questions in a loop",
      `(memory 1) (func (export "main") (param i32) (result i64) (local $s i64)
         (loop $l (local.set $s (i64.add (i64.mul (local.get $s) (i64.const 3)) (call $ask (call $note (local.get 0)))))
           (i64.store (i32.mul (local.get 0) (i32.const 8)) (local.get $s))
           (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
         (local.get $s))`,
      10,
    ),
    program(
      "a module without exports that calls through the stack",
      () =>
        assemble(
          "ConsumeFuel 3\nI32Const 4\nI32Const 5\nCallInternal 5\nReturn\nStackCheck 2\nLocalGet 2\nLocalGet 2\nI32Mul\nLocalSet 2\nDrop\nReturn",
        ),
      emptyWorld,
      (executor, options) => executor.execute([], { params: [], results: ["i32"] as ValueType[] }, options),
    ),
  ];
}

/** The programs of the benchmarks, with little to do. */
export function benchPrograms(): Program[] {
  const folder = new URL("../../bench/programs/", import.meta.url);
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name.endsWith(".wat"))
    .sort();
  return names.map((file) => {
    const module = () => compile(assembleWat(Deno.readTextFileSync(new URL(file, folder))));
    return program(`bench ${file}`, module, emptyWorld, calls("main", file === "fib.wat" ? 8 : 1));
  });
}

// ── programs of WASI ────────────────────────────────────────────────────────────────────────────

/** A world of WASI; a restored run finds a new one, made with the same options. */
function wasiWorld(options: () => WasiOptions): World {
  const directory = new MemoryDirectory({ "in.txt": "first line\nsecond line\n", sub: { a: "1" } });
  const program: Wasi = wasi({ dirs: { "/": directory }, ...options() });
  return {
    linker: new ImportLinker<never>().use(program).use(program.unstable),
    data: undefined,
    seen: () =>
      [program.stdout.text(), program.stderr.text(), program.exitCode, ...tree(directory)].join("\n"),
    answer: () => [],
    next: () => wasiWorld(options),
  };
}

/** Files and their content, as lines. */
function tree(directory: MemoryDirectory, path = "."): string[] {
  return directory.list(path).flatMap((name) => {
    const inner = `${path}/${name}`;
    try {
      return [`${inner}: ${directory.readText(inner)}`];
    } catch {
      return [inner, ...tree(directory, inner)];
    }
  });
}

function wasiProgram(
  name: string,
  wasm: () => Uint8Array,
  options: () => WasiOptions,
  config?: CompilationConfig,
) {
  const module = () => {
    const any = wasi();
    return compile(wasm(), { ...config, linker: new ImportLinker().use(any).use(any.unstable) });
  };
  return program(name, module, () => wasiWorld(options), calls("_start"));
}

const P1 = "wasi_snapshot_preview1";

/** A program that uses what WASI keeps: clock, random bytes, a file, input, a listing. */
const BUSY = `(module
  (import "${P1}" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (import "${P1}" "random_get" (func $random (param i32 i32) (result i32)))
  (import "${P1}" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "${P1}" "path_unlink_file" (func $unlink (param i32 i32 i32) (result i32)))
  (import "${P1}" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "${P1}" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "${P1}" "fd_readdir" (func $list (param i32 i32 i32 i64 i32) (result i32)))
  (import "${P1}" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1) (data (i32.const 16) "in.txtout.txtgone.txt")
  (func $iov (param $at i32) (param $length i32)
    (i32.store (i32.const 0) (local.get $at)) (i32.store (i32.const 4) (local.get $length)))
  (func (export "_start") (local $i i32) (local $in i32) (local $out i32) (local $gone i32)
    (drop (call $open (i32.const 3) (i32.const 0) (i32.const 16) (i32.const 6) (i32.const 0)
      (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 12)))
    (local.set $in (i32.load (i32.const 12)))
    (drop (call $open (i32.const 3) (i32.const 0) (i32.const 22) (i32.const 7) (i32.const 1)
      (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 12)))
    (local.set $out (i32.load (i32.const 12)))
    (drop (call $open (i32.const 3) (i32.const 0) (i32.const 29) (i32.const 8) (i32.const 1)
      (i64.const 66) (i64.const 0) (i32.const 1) (i32.const 12)))
    (local.set $gone (i32.load (i32.const 12)))
    (drop (call $unlink (i32.const 3) (i32.const 29) (i32.const 8)))
    (loop $l
      (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 100)))
      (drop (call $random (i32.const 108) (i32.const 5)))
      (call $iov (i32.const 113) (i32.const 7))
      (drop (call $read (local.get $in) (i32.const 0) (i32.const 1) (i32.const 8)))
      (call $iov (i32.const 120) (i32.const 3))
      (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (call $iov (i32.const 100) (i32.const 24))
      (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
      (drop (call $write (local.get $out) (i32.const 0) (i32.const 1) (i32.const 8)))
      (drop (call $write (local.get $gone) (i32.const 0) (i32.const 1) (i32.const 8)))
      (drop (call $list (i32.const 3) (i32.const 400) (i32.const 60)
        (i64.extend_i32_u (i32.and (local.get $i) (i32.const 3))) (i32.const 8)))
      (call $iov (i32.const 400) (i32.load (i32.const 8)))
      (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
      (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 4))))
    (call $exit (i32.const 7))))`;

/** Programs of WASI that need nothing from elsewhere. */
export function wasiPrograms(): Program[] {
  const example = new URL("../../examples/hello/hello.wasm", import.meta.url);
  return [
    wasiProgram("hello", () => Deno.readFileSync(example), () => ({ args: ["hello", "Ada", "Grace"] })),
    wasiProgram("hello without arguments", () => Deno.readFileSync(example), () => ({ args: ["hello"] })),
    wasiProgram(
      "busy",
      () => assembleWat(BUSY),
      () => ({ stdin: "what is read is not read again", seed: 5 }),
    ),
    wasiProgram("busy, input by pieces", () => assembleWat(BUSY), () => {
      return { stdin: "a text for a source that gives all of it", seed: 6 };
    }),
  ];
}

/** SQLite with a database in memory. */
export function sqliteProgram(wasm: Uint8Array): Program {
  const stdin = `
create table t(a integer primary key, b text);
with recursive f(n) as (select 1 union all select n + 1 from f where n < 60)
  insert into t select n, hex(randomblob(n % 9)) from f;
select count(*), sum(length(b)), max(b) from t;
delete from t where a % 3 = 1;
select group_concat(a, ' ') from t order by b;
`;
  return wasiProgram("sqlite", () => wasm, () => ({ args: ["sqlite3", "-batch", "/main.db"], stdin }));
}
