/**
 * A program and a host that change everything that can be changed, run with a tracer.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { assemble, ImportLinker, RwasmExecutor, RwasmStore } from "../../mod.ts";
import { runUnverified } from "../../lib/run/prepared.ts";
import { Tracer, type TracerOptions } from "../../lib/trace/tracer.ts";
import type { Machine } from "../../lib/vm/machine.ts";
import { replayDiffers } from "./traced.ts";

/** Instructions with all kinds of effects;  */
const PROGRAM = `
  StackCheck 40
  Drop
  ConsumeFuel 10
  I32Const 2
  MemoryGrow
  Drop
  I32Const 100
  I32Const 77
  I32Store 4
  I32Const 103
  I32Load 1
  Drop
  I32Const 200
  I64Const32S -3
  F64Store 0
  I32Const 300
  I32Const 9
  I32Const 40
  MemoryFill
  I32Const 280
  I32Const 290
  I32Const 60
  MemoryCopy
  I32Const 1000
  I32Const 1
  I32Const 3
  MemoryInit 1
  DataDrop 1
  ElemDrop 4
  I32Const 5
  GlobalSet 3
  I32Const 6
  GlobalSet 100000
  I32Const 11
  I32Const 8
  TableGrow 2
  Drop
  I32Const 3
  I32Const 55
  TableSet 2
  I32Const 0
  I32Const 21
  I32Const 2
  TableFill 2
  I32Const 5
  I32Const 0
  I32Const 2
  TableInit 3
  TableGet 2
  I64Const32S -1
  I64Const32S 7
  I64MulWideS
  I32Const 1
  I32Const 2
  Call 1
  Drop
  Call 2
  BulkDrop 4
  Return
  .ro_data 01 02 03 04 05
  .ro_elem 7 8 9
`;

const TYPES = { params: ["i32"], results: [] } as const;

/** What the host of the runs does, beside what is between them. */
function linkerOf(): ImportLinker<undefined> {
  const linker = new ImportLinker<undefined>();
  linker.define("host", "write", { index: 1, params: ["i32", "i32"], results: ["i32"] }, (caller, a, b) => {
    caller.memory.write(500, Uint8Array.of(a, b, 9));
    caller.memory.view()[70_000] = 3;
    caller.consumeFuel(3);
    return a + b;
  });
  linker.define("host", "stop", { index: 2, params: [], results: [] }, (caller) => caller.pause());
  return linker;
}

/** What a run left behind. */
export interface HostedRun {
  readonly tracer: Tracer;
  readonly machine: Machine;
  readonly store: RwasmStore;
  /** How the trace differed from the machine after the first run. */
  readonly first: string | undefined;
  /** The same after the last one. */
  readonly last: string | undefined;
}

/** Runs the program three times, with pauses, host changes and a trap. */
export function hostedRun(options: TracerOptions): HostedRun {
  const store = new RwasmStore({ linker: linkerOf(), fuelLimit: 1_000_000 });
  const tracer = new Tracer(options);
  const module = runUnverified(assemble(PROGRAM));
  const executor = new RwasmExecutor(store, module, {
    tracer,
    prepare({ memory, tables }) {
      memory.grow(1);
      memory.bytes[65_000] = 1;
      tables.grow(0, 4, 6);
    },
  });
  assertEquals(executor.execute([7], TYPES).status, "paused");
  store.memory.write(600, Uint8Array.of(5));
  assertEquals(executor.resume([]).status, "done");
  const machine = store.machine!;
  const first = replayDiffers(tracer, machine, store);
  store.reset();
  store.resetFuel(500_000);
  machine.setGlobalWord(9, 17);
  machine.tables.at(2).elements[1] = 99;
  machine.tables.grow(7, 3, 2);
  machine.memory.grow(1);
  assertEquals(executor.execute([7], TYPES).status, "paused");
  store.reset();
  store.resetFuel(5);
  const outcome = executor.execute([7], TYPES);
  assert(outcome.status === "trap" && outcome.trap.code === "OutOfFuel");
  return { tracer, machine, store, first, last: replayDiffers(tracer, machine, store) };
}
