/**
 * The examples survivor and scheduler: as programs with the permissions their heads give, and what
 * they promise to those who copy them.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Finished, Scheduler } from "../../examples/scheduler/scheduler.ts";
import { Survivor } from "../../examples/survivor/survivor.ts";
import { compile, ImportLinker, RwasmExecutor, RwasmStore, SnapshotError } from "../../mod.ts";
import { assembleWat } from "../compile/wat.ts";

const ROOT = new URL("../../", import.meta.url);

const read = (path: string) => Deno.readFileSync(new URL(`examples/${path}`, ROOT));

for (const guest of ["survivor/guest", "scheduler/guest"]) {
  Deno.test(`examples/${guest}.wat is the source of its .wasm`, () => {
    assertEquals(read(`${guest}.wasm`), assembleWat(new TextDecoder().decode(read(`${guest}.wat`))));
  });
}

async function run(cwd: URL | string, args: readonly string[]): Promise<{ code: number; lines: string[] }> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-check", ...args],
    cwd,
    env: { NO_COLOR: "1" },
  });
  const { code, stdout, stderr } = await command.output();
  assertEquals(new TextDecoder().decode(stderr), "");
  return { code, lines: new TextDecoder().decode(stdout).trimEnd().split("\n") };
}

/** Digits of pi that everybody knows. */
const PI = "3.14159265358979323846264338327950288419716939937510";

Deno.test("examples/survivor dies, goes on, and finds the digits of pi with the fuel of a run that did not die", async () => {
  const folder = await Deno.makeTempDir(), examples = new URL("examples/survivor", ROOT).pathname;
  const permissions = [
    `--allow-read=${examples},pi.snap,pi.snap.new`,
    "--allow-write=pi.snap,pi.snap.new",
    `${examples}/main.ts`,
    "pi.snap",
  ];
  try {
    const whole = new Survivor(`${folder}/none.snap`, read("survivor/guest.wasm"));
    assert(whole.advance(1000, 10_000_000_000n));
    for (const death of ["7", "1", "40"]) {
      const { code, lines } = await run(folder, [...permissions, death]);
      assertEquals([code, lines.at(-1)!.startsWith("dying with ")], [137, true]);
    }
    const { code, lines } = await run(folder, permissions);
    assertEquals([code, lines.length], [0, 3]);
    assert(lines[0].startsWith("going on: ") && lines[1].startsWith(PI), lines.join("\n"));
    assertEquals(lines[1], whole.digits.replace("3", "3."));
    assertEquals(lines[2], `${whole.digits.length} digits, ${whole.fuel} fuel`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("Survivor keeps its digits through any number of lives, and refuses another's file", () => {
  const folder = Deno.makeTempDirSync(), file = `${folder}/a.snap`, wasm = read("survivor/guest.wasm");
  try {
    let lives = 0;
    for (let ends = false; !ends; lives++) {
      const survivor = new Survivor(file, wasm);
      assertEquals(survivor.isUnderWay, lives > 0);
      ends = survivor.advance(60, 100_000n);
      if (ends) assertEquals(survivor.digits.slice(0, 50), PI.replace(".", "").slice(0, 50));
      else survivor.save();
    }
    assert(lives > 5, `${lives} lives`);
    Deno.writeFileSync(
      file,
      new RwasmExecutor(new RwasmStore(), compile(assembleWat("(module)"))).snapshot(),
    );
    assertEquals(assertThrows(() => new Survivor(file, wasm), SnapshotError).code, "WrongModule");
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("examples/scheduler says the same in the same order every time", async () => {
  const command = ["--allow-read=examples/scheduler", "examples/scheduler/main.ts"];
  const { code, lines } = await run(ROOT, command);
  assertEquals(code, 0);
  assertEquals(lines.filter((line) => line.includes(" is ")), [
    "fib is done, 987: 167255 fuel in 2 rounds",
    "primes is done, 550: 570558 fuel in 6 rounds",
    "collatz is done, 182: 1727194 fuel in 9 rounds",
  ]);
  assertEquals((await run(ROOT, command)).lines, lines);
});

Deno.test("Scheduler gives guests fuel in proportion to their shares, and takes nothing from their results", () => {
  const linker = new ImportLinker<undefined>().define("task", "report", {
    index: 1,
    params: ["i32"],
    results: [],
  }, () => {});
  const module = compile(read("scheduler/guest.wasm"), { linker }), quantum = 10_000n;
  const scheduler = new Scheduler<undefined>(quantum);
  const shares = { one: 1, three: 3, also: 1 };
  for (const [name, share] of Object.entries(shares)) {
    scheduler.add({ name, share, module, store: { linker }, call: ["primes", 20_000] });
  }
  const ended: Finished[] = [];
  for (let round = 1; ended.length < 1; round++) {
    ended.push(...scheduler.round());
    for (const [name, fuel] of scheduler.usage()) {
      const due = quantum * BigInt(shares[name as keyof typeof shares] * round);
      // What is left over is less than one charge, which is not more than what it takes to make the memory.
      assert(fuel <= due && due - fuel < 3000n, `${name} has ${fuel} of ${due} after ${round} rounds`);
    }
  }
  assertEquals(ended[0].name, "three");
  ended.push(...scheduler.run());
  const alone = new RwasmExecutor(new RwasmStore({ linker }), module),
    outcome = alone.call("primes", [20_000]);
  for (const { outcome: found, fuel } of ended) {
    assertEquals([found, fuel], [outcome, alone.store.consumedFuel()]);
  }
});
