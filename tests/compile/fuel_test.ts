/** Where the compiler charges, and how much: the worked examples of the specification. */

import { assertEquals } from "@std/assert";
import { type CompilationConfig, ImportLinker, RwasmExecutor, RwasmStore, type TrapName } from "../../mod.ts";
import { compileWat, functionFacts } from "./wat.ts";

/** "D": the default configuration; "N": without the charge for parameters and locals. */
const CONFIGS: Record<string, CompilationConfig> = { D: {}, N: { consumeFuelForParamsAndLocals: false } };

/** [configuration, function, charges in order without those of 0] */
const REGIONS: [keyof typeof CONFIGS, string, number[]][] = [
  ["D", "", [1]],
  ["D", "(param i32)(result i32) local.get 0 i32.const 1 i32.add return", [5]],
  [
    "D",
    "(param i32 i64)(result i64)(local i32 i64 i64)(local f64) local.get 0 i64.extend_i32_u local.get 1 i64.add",
    [12],
  ],
  ["D", "(param i64 f64 i32)(local i32 i32 i64)(local f32)(local i64 i64)", [12]],
  [
    "N",
    `(param i32)(result i32) local.get 0 if (result i32) i32.const 1 else i32.const 2 i32.const 3 i32.add end
     i32.const 4 i32.add`,
    [3, 1, 3, 2],
  ],
  ["N", "(param i32) local.get 0 if i32.const 1 drop end i32.const 1 drop", [3, 1, 1]],
  [
    "N",
    "(param i32) loop local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0 i32.const 7 drop end i32.const 9 drop",
    [1, 5, 1, 1],
  ],
  [
    "N",
    "(param i32) i32.const 1 drop block i32.const 2 drop local.get 0 br_if 0 i32.const 3 drop end i32.const 4 drop",
    [5, 1, 1],
  ],
  [
    "N",
    `(param i32) block block i32.const 2 drop local.get 0 br_if 1 i32.const 3 drop end i32.const 4 drop end
     i32.const 5 drop`,
    [4, 1, 1, 1],
  ],
  [
    "N",
    `(param i32) block unreachable i32.const 1 block i32.const 2 drop end loop end local.get 0 if else end drop end
     i32.const 4 drop`,
    [1],
  ],
  [
    "N",
    `(param i32)(result i32) i32.const 5
     block (result i32) i32.const 6 i32.const 7 i32.const 8 local.get 0 br_if 0 drop drop end i32.add`,
    [7, 1],
  ],
  ["N", "(param i32)(result i32) i32.const 5 local.get 0 br_if 0 i32.const 1 i32.add br 0", [4, 3]],
  [
    "N",
    `(param i32)(result i32) block block block local.get 0 br_table 0 1 2 1 end i32.const 1 return end i32.const 2
     return end i32.const 3`,
    [3, 1, 1, 1],
  ],
  [
    "N",
    `(param i32)(result i32) i32.const 1
     loop (param i32)(result i32) i32.const 2 i32.add i32.const 5 local.get 0 br_if 0 drop end`,
    [2, 5],
  ],
  [
    "N",
    "(param i32)(result i32) local.get 0 if i32.const 1 return else i32.const 3 return end i32.const 2",
    [3, 1, 1],
  ],
  [
    "N",
    `(param i32)(result i32) local.get 0 if (result i32) unreachable else i32.const 4 end i32.const 1 i32.add`,
    [3, 1, 2],
  ],
  ["N", "(param i32) loop loop local.get 0 br_if 1 end unreachable end i32.const 1 drop", [1, 2]],
  ["N", "(param i32)(result i32) i32.const 5 local.get 0 if (param i32)(result i32) br 1 end", [4, 1]],
  ["D", "(param i64 i64)(result i64) local.get 0 local.get 1 i64.div_s", [8]],
];

for (const [config, source, charges] of REGIONS) {
  Deno.test(`compile() charges ${JSON.stringify(charges)} (${config}) for (func ${source.replaceAll(/\s+/g, " ")})`, () => {
    const module = compileWat(`(module (func ${source}))`, CONFIGS[config]);
    assertEquals(functionFacts(module)[0].charges, charges);
  });
}

Deno.test("compile() ends the region of a float operation it compiles to a trap", () => {
  const module = compileWat(
    "(module (func (result i32) f32.const 1 f32.sqrt drop i32.const 1 i32.const 2 i32.add))",
    { floats: "trap", consumeFuelForParamsAndLocals: false },
  );
  assertEquals(functionFacts(module)[0].charges, [3]);
});

Deno.test("compile() ends the region of an access that is statically out of bounds", () => {
  const module = compileWat(
    `(module (memory 1 1) (func (param i32)(result i32) local.get 0
       if (result i32) i32.const 0 i32.load offset=65533 i32.const 1 i32.add else i32.const 3 end i32.const 5 i32.add))`,
    { consumeFuelForParamsAndLocals: false },
  );
  assertEquals(functionFacts(module)[0].charges, [3, 3, 1, 2]);
});

/** [module with an exported "main", arguments, fuel of one instance and one call] */
const RUNS: [name: string, module: string, params: (number | bigint)[], fuel: bigint][] = [
  ...[[0, 7n], [2, 47n], [5, 287n], [10, 3527n]].map(([n, fuel]): [string, string, number[], bigint] => [
    `fib(${n})`,
    `(module (func $fib (export "main") (param i32)(result i32) local.get 0 i32.const 2 i32.lt_s
       if (result i32) local.get 0
       else local.get 0 i32.const 1 i32.sub call $fib local.get 0 i32.const 2 i32.sub call $fib i32.add end))`,
    [n as number],
    fuel as bigint,
  ]),
  ...[[0, 7n], [1, 20n], [2, 33n], [10, 137n]].map(([n, fuel]): [string, string, number[], bigint] => [
    `a sum to ${n}`,
    `(module (func (export "main") (param i32)(result i64)(local i64)
       block loop local.get 0 i32.eqz br_if 1 local.get 1 local.get 0 i64.extend_i32_u i64.add local.set 1
       local.get 0 i32.const 1 i32.sub local.set 0 br 0 end end local.get 1))`,
    [n as number],
    fuel as bigint,
  ]),
  [
    "an initial page and a start function",
    `(module (memory 1) (start $s) (func $s i32.const 1 drop) (func (export "main")))`,
    [],
    1027n,
  ],
];

for (const [name, source, params, fuel] of RUNS) {
  Deno.test(`${name} costs ${fuel} fuel`, () => {
    const store = new RwasmStore();
    assertEquals(new RwasmExecutor(store, compileWat(source)).call("main", params).status, "done");
    assertEquals(store.consumedFuel(), fuel);
  });
}

/** [operation on a fresh instance, operand → fuel beyond the static cost, result or trap] */
const DYNAMIC: Record<string, [number, bigint, number | TrapName][]> = {
  "memory.grow": [
    [0, 0n, 2],
    [1, 1024n, 2],
    [8, 8192n, 2],
    [9, 0n, -1],
    [65536, 0n, -1],
    [2147483645, 0n, -1],
    [2147483646, 67106816n, -1],
    [2147483647, 67107840n, -1],
    [0x80000000, 0n, -1],
    [0x80000001, 1024n, -1],
    [-8, 67100672n, -1],
    [-2, 67106816n, -1],
    [-1, 67107840n, -1],
  ],
  "memory.copy": [
    [0, 0n, 0],
    [1, 1n, 0],
    [64, 1n, 0],
    [65, 2n, 0],
    [65536, 1024n, 0],
    [131073, 2049n, "MemoryOutOfBounds"],
    [-64, 67108863n, "MemoryOutOfBounds"],
    [-63, 0n, "MemoryOutOfBounds"],
    [-1, 0n, "MemoryOutOfBounds"],
  ],
  "memory.fill": [
    [0, 0n, 0],
    [63, 1n, 0],
    [65, 2n, 0],
    [-1, 0n, "MemoryOutOfBounds"],
  ],
  "memory.init": [
    [7, 1n, 0],
    [8, 0n, "MemoryOutOfBounds"],
    [0, 0n, 0],
  ],
  "table.grow": [
    [0, 0n, 1],
    [1, 1n, 1],
    [16, 1n, 1],
    [17, 2n, 1],
    [19, 2n, 1],
    [20, 0n, -1],
    [-1, 0n, -1],
  ],
  "table.fill": [
    [0, 0n, 0],
    [1, 1n, 0],
    [17, 2n, "TableOutOfBounds"],
    [-1, 0n, "TableOutOfBounds"],
  ],
  "table.init": [
    [1, 1n, 0],
    [3, 1n, "TableOutOfBounds"], // the segment has 3, the table 1: charged, then refused
    [4, 0n, "TableOutOfBounds"],
  ],
};

const BULK = `(module (memory 2 10) (table 1 20 funcref) (data $d "1234567") (elem $e func $f $f $f)
  (func $f)
  (func (export "memory.grow") (param i32)(result i32) local.get 0 memory.grow)
  (func (export "memory.copy") (param i32)(result i32) i32.const 0 i32.const 0 local.get 0 memory.copy i32.const 0)
  (func (export "memory.fill") (param i32)(result i32) i32.const 0 i32.const 0 local.get 0 memory.fill i32.const 0)
  (func (export "memory.init") (param i32)(result i32) i32.const 0 i32.const 0 local.get 0 memory.init $d i32.const 0)
  (func (export "table.grow") (param i32)(result i32) ref.null func local.get 0 table.grow)
  (func (export "table.fill") (param i32)(result i32) i32.const 0 ref.null func local.get 0 table.fill i32.const 0)
  (func (export "table.init") (param i32)(result i32) i32.const 0 i32.const 0 local.get 0 table.init $e i32.const 0))`;

for (const [operation, rows] of Object.entries(DYNAMIC)) {
  Deno.test(`${operation} charges by its operand, and not what it refuses first`, () => {
    const charged = compileWat(BULK), free = compileWat(BULK, { consumeFuelForBulkOps: false });
    for (const [operand, fuel, end] of rows) {
      const consumed = [charged, free].map((module) => {
        const store = new RwasmStore();
        const executor = new RwasmExecutor(store, module);
        executor.instantiate();
        const before = store.consumedFuel();
        const outcome = executor.call(operation, [operand]);
        assertEquals(
          outcome.status === "done" ? outcome.results[0] : outcome.status === "trap" && outcome.trap.code,
          end,
        );
        return store.consumedFuel() - before;
      });
      assertEquals(consumed[0] - consumed[1], fuel, `${operation} ${operand}`);
    }
  });
}

Deno.test("a charge of a host function is paid once on every way to it", () => {
  const linker = new ImportLinker().define("env", "b", {
    index: 1,
    params: ["i32", "i64"],
    results: ["i64"],
    fuel: { const: 17 },
  }, () => 0n);
  const module = compileWat(
    `(module (type $t (func (param i32 i64)(result i64))) (import "env" "b" (func $b (type $t)))
       (table funcref (elem $b)) (export "exported" (func $b))
       (func (export "direct") i32.const 1 i64.const 2 call $b drop)
       (func (export "indirect") i32.const 1 i64.const 2 i32.const 0 call_indirect (type $t) drop)
       (func (export "tail") (result i64) i32.const 1 i64.const 2 return_call $b)
       (func (export "indirect tail") (result i64) i32.const 1 i64.const 2 i32.const 0 return_call_indirect (type $t)))`,
    { linker },
  );
  const fuelOf = (name: string, params: (number | bigint)[] = []) => {
    const store = new RwasmStore({ linker });
    assertEquals(new RwasmExecutor(store, module).call(name, params).status, "done");
    return store.consumedFuel();
  };
  // The trampoline costs 3 for its parameter slots and 17 as declared; a call 10.
  assertEquals(fuelOf("exported", [1, 2n]), 20n);
  assertEquals(fuelOf("direct"), 33n);
  assertEquals(fuelOf("indirect"), 34n);
  assertEquals(fuelOf("tail"), 33n);
  assertEquals(fuelOf("indirect tail"), 34n);
});

Deno.test("consumeFuel: false turns every charge off", () => {
  const module = compileWat(BULK, { consumeFuel: false, consumeFuelForBulkOps: true });
  const store = new RwasmStore();
  const executor = new RwasmExecutor(store, module);
  executor.call("memory.grow", [8]);
  executor.call("memory.fill", [65536]);
  assertEquals(store.consumedFuel(), 0n);
});
