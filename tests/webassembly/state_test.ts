import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { createWebAssembly } from "../../mod.ts";
import { sameAsHost, wat } from "./side_by_side.ts";

// ── memories ──

const GROWING = `(module
  (memory (export "memory") 1 4)
  (data (i32.const 3) "abc")
  (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "store") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
  (func (export "size") (result i32) memory.size)
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))`;

sameAsHost("a memory's buffer is live, and detached when either side grows it", ({ W, exports, note }) => {
  const { memory, load, store, size, grow } = exports(GROWING);
  note(() => memory instanceof W.Memory);
  const first = memory.buffer;
  note(() => [first === memory.buffer, first.byteLength, [...new Uint8Array(first, 3, 3)]]);
  new Uint8Array(first)[9] = 200;
  store(10, 201);
  note(() => [load(9), new Uint8Array(first)[10]]);
  note(() => grow(1));
  note(() => [first.byteLength, memory.buffer === first, memory.buffer.byteLength]);
  const second = memory.buffer;
  note(() => memory.grow(1));
  note(() => [second.byteLength, memory.buffer.byteLength, size()]);
  new Uint8Array(memory.buffer)[0x2ffff] = 5;
  note(() => load(0x2ffff));
  const third = memory.buffer;
  note(() => memory.grow(0));
  note(() => [third.byteLength, memory.buffer.byteLength]);
  note(() => memory.grow(9));
  note(() => grow(9));
  note(() => [grow(1), size(), memory.buffer.byteLength]);
});

sameAsHost("a memory without pages can be grown", ({ exports, note }) => {
  const { memory, size, store } = exports(
    `(module (memory (export "memory") 0) (func (export "size") (result i32) memory.size)
      (func (export "store") (param i32) (i32.store (local.get 0) (i32.const -1))))`,
  );
  const empty = memory.buffer;
  note(() => [size(), empty.byteLength]);
  note(() => store(0));
  note(() => memory.grow(2));
  note(() => [size(), memory.buffer.byteLength, memory.buffer === empty]);
  store(0x1fffc);
  note(() => new Uint8Array(memory.buffer)[0x1ffff]);
});

sameAsHost("a host function may grow the memory under the guest's feet", ({ exports, note }) => {
  const all = exports(
    `(module
      (func $host (import "m" "host"))
      (memory (export "memory") 1)
      (func (export "run") (result i32 i32)
        (i32.store (i32.const 0) (i32.const 7))
        call $host
        (i32.store (i32.const 0x10000) (i32.const 8))
        memory.size (i32.load (i32.const 0))))`,
    { m: { host: () => all.memory.grow(1) } },
  );
  note(() => all.run());
  note(() => new Uint8Array(all.memory.buffer)[0x10000]);
});

sameAsHost("an imported memory is the instance's memory", ({ W, exports, note }) => {
  const memory = new W.Memory({ initial: 2, maximum: 5 });
  new Uint8Array(memory.buffer)[1] = 42;
  const all = exports(
    `(module
      (memory (import "m" "memory") 1 6)
      (export "memory" (memory 0))
      (data (i32.const 0x1fffe) "yz")
      (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
      (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))`,
    { m: { memory } },
  );
  note(() => all.memory === memory);
  note(() => [all.load(1), all.load(0x1fffe), new Uint8Array(memory.buffer)[0x1ffff]]);
  note(() => [all.grow(1), memory.buffer.byteLength]);
  note(() => [memory.grow(1), all.grow(1), all.grow(1), memory.buffer.byteLength]);
});

sameAsHost("two instances share an imported memory, also when one grows it", ({ W, exports, note }) => {
  const memory = new W.Memory({ initial: 1 });
  const text = `(module
    (func $host (import "m" "host"))
    (memory (import "m" "memory") 1)
    (func (export "store") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
    (func (export "grow") (result i32) (memory.grow (i32.const 1)))
    (func (export "run") (result i32 i32) call $host memory.size (i32.load (i32.const 0x10000))))`;
  const one = exports(text, { m: { memory, host: () => {} } });
  const other = exports(text, {
    m: {
      memory,
      host: () => {
        one.grow();
        one.store(0x10000, 77);
      },
    },
  });
  note(() => other.run());
  note(() => one.run());
});

/** Memories and declarations, for imports that fit and that do not. */
const MEMORIES = [{ initial: 1 }, { initial: 1, maximum: 2 }, { initial: 3, maximum: 9 }, { initial: 0 }];

sameAsHost("an imported memory must fit its declaration", ({ W, exports, note }) => {
  for (const declaration of ["0", "1", "2", "1 1", "1 2", "0 9", "3 100"]) {
    const text = `(module (memory (import "m" "memory") ${declaration}))`;
    for (const descriptor of MEMORIES) {
      note(() => typeof exports(text, { m: { memory: new W.Memory(descriptor) } }));
    }
  }
  const text = `(module (memory (import "m" "memory") 1))`;
  const shared = new W.Memory({ initial: 1, maximum: 2, shared: true });
  const pretending = Object.create(W.Memory.prototype);
  for (const memory of [undefined, null, 1, {}, pretending, new ArrayBuffer(65536), shared]) {
    note(() => exports(text, { m: { memory } }));
  }
});

sameAsHost("data that does not fit an imported memory traps", ({ W, exports, note }) => {
  const memory = new W.Memory({ initial: 1 });
  note(() =>
    exports(`(module (memory (import "m" "memory") 1) (data (i32.const 0xffff) "ab"))`, { m: { memory } })
  );
  note(() => exports(`(module (memory 1) (data (i32.const 0xffff) "ab"))`));
});

// ── tables ──

const TABLE = `(module
  (table (export "table") 3 6 funcref)
  (func $one (export "one") (result i32) i32.const 1)
  (func $two (result i32) i32.const 2)
  (func (export "void"))
  (elem (i32.const 1) $one $two)
  (func (export "size") (result i32) table.size)
  (func (export "grow") (param i32) (result i32) (table.grow (ref.null func) (local.get 0)))
  (func (export "call") (param i32) (result i32) (call_indirect (result i32) (local.get 0))))`;

sameAsHost("an exported table gives and takes exported functions", ({ W, exports, note }) => {
  const { table, one, call, size, grow, ...rest } = exports(TABLE);
  note(() => table instanceof W.Table);
  note(() => [table.length, table.get(0), table.get(1), table.get(2)]);
  note(() => [table.get(1) === one, table.get(2) === table.get(2), table.get(2)()]);
  note(() => table.set(0, table.get(2)));
  note(() => [call(0), call(1)]);
  note(() => table.set(1));
  note(() => call(1));
  note(() => table.set(2, rest.void));
  note(() => call(2));
  note(() => table.set(0, null));
  note(() => table.get(0));
  note(() => [table.grow(1), table.length, size(), table.get(3)]);
  note(() => [table.grow(1, one), call(4)]);
  note(() => [grow(1), table.length, grow(1), table.length]);
  note(() => table.grow(1));
  for (const wrong of [undefined, 0, {}, () => 1, "f", Symbol()]) note(() => table.set(0, wrong));
  for (const index of [-1, 6, 1.9, "1", NaN, Infinity, 2 ** 32, undefined, 1n, null]) {
    note(() => table.get(index));
    note(() => table.set(index, null));
  }
  note(() => table.grow(-1));
  note(() => table.grow("x"));
});

sameAsHost("a table of its own", ({ W, exports, note }) => {
  const { one } = exports(TABLE);
  const table = new W.Table({ element: "anyfunc", initial: 2, maximum: 3 });
  note(() => [table.length, table.get(0), table.get(1)]);
  note(() => table.get(2));
  table.set(1, one);
  note(() => table.get(1) === one);
  note(() => [table.grow(1, one), table.get(2)()]);
  note(() => table.grow(1));
  note(() => table.set(0, () => 1));
  const references = new W.Table({ element: "externref", initial: 2 }, "x");
  note(
    () => [references.get(0), references.grow(1), references.get(2), references.set(0), references.get(0)],
  );
  note(() => new W.Table({ element: "externref", initial: 1 }).get(0));
  for (
    const descriptor of [
      undefined,
      {},
      { element: "anyfunc" },
      { element: "i32", initial: 1 },
      { element: "anyfunc", initial: -1 },
      { element: "anyfunc", initial: 2, maximum: 1 },
      { element: "anyfunc", initial: "2" },
      { element: "anyfunc", initial: 1e9 },
    ]
  ) {
    note(() => new W.Table(descriptor).length);
  }
  note(() => new W.Table({ element: "anyfunc", initial: 1 }, undefined));
});

sameAsHost("an imported table becomes the instance's table", ({ W, exports, note }) => {
  const table = new W.Table({ element: "anyfunc", initial: 3, maximum: 5 });
  const all = exports(
    `(module
      (table (import "m" "table") 2 6 funcref)
      (func $one (export "one") (result i32) i32.const 1)
      (elem (i32.const 2) $one)
      (export "table" (table 0))
      (func (export "size") (result i32) table.size)
      (func (export "grow") (param i32) (result i32) (table.grow (ref.null func) (local.get 0)))
      (func (export "call") (param i32) (result i32) (call_indirect (result i32) (local.get 0))))`,
    { m: { table } },
  );
  note(() => all.table === table);
  note(() => [all.size(), table.length, table.get(0), table.get(2) === all.one]);
  note(() => [all.call(2), table.set(0, all.one), all.call(0)]);
  note(() => [table.grow(1), all.size(), all.grow(2), all.grow(1), table.length]);
  note(() => table.grow(1));
});

sameAsHost("an imported externref table keeps its values", ({ W, exports, note }) => {
  const table = new W.Table({ element: "externref", initial: 2 }, "first"), value = { a: 1 };
  const { get, set } = exports(
    `(module
      (table (import "m" "table") 1 externref)
      (func (export "get") (param i32) (result externref) (table.get (local.get 0)))
      (func (export "set") (param i32 externref) (table.set (local.get 0) (local.get 1))))`,
    { m: { table } },
  );
  note(() => [get(0), get(1)]);
  set(1, value);
  note(() => [table.get(1) === value, table.set(0, undefined), get(0), table.set(0, null), get(0)]);
});

sameAsHost("an imported table must fit its declaration", ({ W, exports, note }) => {
  for (const declaration of ["0 funcref", "2 funcref", "1 1 funcref", "1 9 funcref", "1 externref"]) {
    const text = `(module (table (import "m" "table") ${declaration}))`;
    for (const descriptor of MEMORIES) {
      const table = new W.Table({ element: "anyfunc", ...descriptor });
      note(() => typeof exports(text, { m: { table } }));
    }
    for (const table of [undefined, null, [], Object.create(W.Table.prototype)]) {
      note(() => exports(text, { m: { table } }));
    }
  }
});

sameAsHost("a function that an instance imports may be in its table", ({ exports, note }) => {
  const { f } = exports(`(module (func (export "f") (result i32) i32.const 8))`);
  const { table, call } = exports(
    `(module
      (func $f (import "m" "f") (result i32))
      (table (export "table") 2 funcref)
      (elem (i32.const 0) $f)
      (func (export "call") (param i32) (result i32) (call_indirect (result i32) (local.get 0))))`,
    { m: { f } },
  );
  note(() => [table.get(0) === f, table.set(1, f), call(1), call(0)]);
});

Deno.test("functions of another instance are refused where a machine cannot refer to them", () => {
  // deno-lint-ignore no-explicit-any -- what is tried is against the types
  const W: any = createWebAssembly();
  const make = (text: string, m: unknown = {}) => new W.Instance(new W.Module(wat(text)), { m }).exports;
  const { one, table, keep } = make(
    `(module (table (export "table") 2 funcref) (func (export "one"))
      (global (export "keep") (mut funcref) (ref.null func)))`,
  );
  const foreign = make(`(module (func (export "f")))`).f;
  const filled = new W.Table({ element: "anyfunc", initial: 1 });
  filled.set(0, one);
  const global = new W.Global({ value: "anyfunc", mutable: false }, foreign);
  const count = new W.Global({ value: "i32", mutable: true });
  const empty = new W.Table({ element: "anyfunc", initial: 0 });
  const twice = (declaration: string) => `(module ${declaration} ${declaration})`;
  const cases: readonly (readonly [() => unknown, ErrorConstructor, string])[] = [
    [() => table.set(0, foreign), TypeError, "another instance"],
    [() => table.grow(1, foreign), TypeError, "another instance"],
    [() => keep.value = foreign, TypeError, "another instance"],
    [() => make(`(module (table (import "m" "table") 1 funcref))`, { table }), W.LinkError, "belongs to an"],
    [
      () => make(`(module (table (import "m" "filled") 1 funcref))`, { filled }),
      W.LinkError,
      "of other instances",
    ],
    [
      () => make(`(module (global (import "m" "global") funcref))`, { global }),
      W.LinkError,
      "another instance",
    ],
    [
      () => make(`(module (global (import "m" "keep") (mut funcref)))`, { keep }),
      W.LinkError,
      "another instance",
    ],
    [() => make(twice(`(global (import "m" "count") (mut i32))`), { count }), W.LinkError, "imported twice"],
    [() => make(twice(`(table (import "m" "empty") 0 funcref)`), { empty }), W.LinkError, "belongs to an"],
  ];
  for (const [attempt, kind, text] of cases) {
    const error = assertThrows(attempt, kind);
    assertStringIncludes(error.message, text);
  }
  assertEquals(filled.get(0), one); // refused imports leave tables as they were
});

// ── globals ──

sameAsHost("globals read and write as their types and mutability say", ({ W, exports, note }) => {
  const { big, small, real, set, get } = exports(
    `(module
      (global (export "big") (mut i64) (i64.const 0x123456789abcdef0))
      (global (export "small") i32 (i32.const -7))
      (global (export "real") (mut f64) (f64.const 0.5))
      (func (export "set") (param i64) (global.set 0 (local.get 0)))
      (func (export "get") (result i64 f64) global.get 0 global.get 2))`,
  );
  note(() => [big.value, small.value, real.value, big.valueOf(), small instanceof W.Global]);
  note(() => [set(-5n), big.value, big.value = 2n ** 63n, get(), real.value = -0, get()]);
  note(() => {
    small.value = 1;
  });
  note(() => {
    big.value = 1;
  });
  note(() => [small.value, big.value]);
  for (
    const descriptor of [undefined, {}, { value: "i16" }, { value: "funcref" }, {
      value: "i32",
      mutable: "yes",
    }]
  ) {
    note(() => {
      const global = new W.Global(descriptor, 1);
      global.value = 2;
      return global.value;
    });
  }
});

sameAsHost("imported globals serve constant expressions, again with other values", ({ W, module, note }) => {
  const compiled = module(`(module
    (global $base (import "m" "base") i32)
    (global $wide (import "m" "wide") i64)
    (global $real (import "m" "real") f64)
    (memory (export "memory") 1)
    (table (export "table") 9 funcref)
    (global (export "copy") i64 (global.get $wide))
    (global (export "sum") i32 (i32.add (i32.mul (global.get $base) (i32.const 3)) (i32.const 1)))
    (func $f (export "get") (result i32 i64 f64) global.get $base global.get $wide global.get $real)
    (elem (offset (global.get $base)) $f)
    (data (offset (global.get $base)) "abc"))`);
  for (const [base, wide, real] of [[2, 5n, 0.25], [0, -(2n ** 40n), -0], [8, 2n ** 63n, NaN], [9, 0n, 0]]) {
    for (
      const m of [
        { base, wide, real },
        { base: new W.Global({ value: "i32" }, base), wide: new W.Global({ value: "i64" }, wide), real },
      ]
    ) {
      note(() => {
        const all = new W.Instance(compiled, { m }).exports;
        const bytes = [...new Uint8Array(all.memory.buffer, 0, 12)];
        return [all.get(), all.copy.value, all.sum.value, bytes, all.table.get(base) === all.get];
      });
    }
  }
});

sameAsHost("an imported mutable global is one value on all sides", ({ W, exports, note }) => {
  const text = `(module
    (func $host (import "m" "host"))
    (global $g (import "m" "g") (mut i64))
    (export "g" (global $g))
    (func (export "add") (param i64) (global.set $g (i64.add (global.get $g) (local.get 0))))
    (func (export "run") (result i64)
      (global.set $g (i64.add (global.get $g) (i64.const 100)))
      call $host
      global.get $g))`;
  const g = new W.Global({ value: "i64", mutable: true }, 5n), seen: unknown[] = [];
  const one = exports(text, { m: { g, host: () => {} } });
  const other = exports(text, {
    m: {
      g,
      host: () => {
        seen.push(g.value);
        one.add(1000n);
        g.value += 10000n;
      },
    },
  });
  note(() => [one.g === g, other.g === g]);
  note(() => [one.add(1n), g.value, other.add(1n), g.value, one.run(), other.run(), g.value, seen]);
  const defined = exports(
    `(module (global (export "g") (mut i64) (i64.const 3)) (func (export "get") (result i64) global.get 0))`,
  );
  const third = exports(text, { m: { g: defined.g, host: () => {} } });
  note(() => [third.add(4n), defined.get(), defined.g.value, third.g === defined.g]);
});

sameAsHost("an imported global must fit its declaration", ({ W, exports, note }) => {
  const values: readonly unknown[] = [
    undefined,
    null,
    1,
    1n,
    "1",
    {},
    ...["i32", "i64", "f32", "f64", "externref", "anyfunc"].flatMap((value) =>
      [true, false].map((mutable) => new W.Global({ value, mutable }))
    ),
  ];
  for (const type of ["i32", "i64", "f32", "f64", "externref", "funcref"]) {
    for (const declared of [type, `(mut ${type})`]) {
      const text = `(module (global (import "m" "g") ${declared}))`;
      for (const g of values) note(() => typeof exports(text, { m: { g } }));
    }
  }
});

sameAsHost("the value of an imported externref global reaches element segments", ({ W, exports, note }) => {
  const value = { a: 1 };
  for (const g of [value, null, undefined, new W.Global({ value: "externref" }, value)]) {
    note(() => {
      // Text tools do not write global.get items: (elem (i32.const 0) externref (global.get 0)).
      const bytes = Uint8Array.from([
        ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
        ...[2, 8, 1, 1, 0x6d, 1, 0x67, 3, 0x6f, 0], // import global m.g externref
        ...[4, 4, 1, 0x6f, 0, 2], // table of two externrefs
        ...[7, 5, 1, 1, 0x74, 1, 0], // export it as t
        ...[9, 11, 1, 6, 0, 0x41, 0, 0x0b, 0x6f, 1, 0x23, 0, 0x0b], // element segment: global 0
      ]);
      const table = new W.Instance(new W.Module(bytes), { m: { g } }).exports.t;
      return [table.get(0) === (g instanceof W.Global ? value : g), table.get(1)];
    });
  }
  note(() => typeof exports("(module)"));
});

sameAsHost("a refused import object changes nothing", ({ W, exports, note }) => {
  const table = new W.Table({ element: "anyfunc", initial: 1 });
  const g = new W.Global({ value: "i32", mutable: true }, 4);
  const text = `(module (table (import "m" "table") 1 funcref) (global (import "m" "g") (mut i32))
    (func (import "m" "f")) (func (export "h")) (elem (i32.const 0) 1)
    (func (export "inc") (global.set 0 (i32.add (global.get 0) (i32.const 1)))))`;
  note(() => exports(text, { m: { table, g, f: 7 } }));
  note(() => [table.get(0), g.value]);
  const all = exports(text, { m: { table, g, f: () => {} } });
  note(() => [table.get(0) === all.h, all.inc(), g.value]);
});
