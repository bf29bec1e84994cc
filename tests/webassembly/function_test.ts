import { assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { MAX_NESTED_RUNS } from "../../lib/limits.ts";
import { createWebAssembly, Trap } from "../../mod.ts";
import { sameAsHost, wat } from "./side_by_side.ts";

sameAsHost(
  "exported functions are named by index, frozen in place, and no constructors",
  ({ exports, note }) => {
    const all = exports(
      `(module
    (func $host (import "m" "host") (param i32 i32))
    (func (export "a") (export "b") (param i64 f32 f64))
    (export "host" (func $host)))`,
      { m: { host: () => {} } },
    );
    note(() => all.a);
    note(() => all.host);
    note(() => all.a === all.b);
    note(() => Object.keys(all));
    note(() => Object.isFrozen(all));
    note(() => Object.getPrototypeOf(all));
    note(() => new all.a());
    note(() => "prototype" in all.a);
    note(() => {
      "use strict";
      all.a = 1;
    });
  },
);

sameAsHost("an exported name may be anything, also __proto__ and a number", ({ exports, note }) => {
  const all = exports(
    `(module (func (export "b")) (func (export "__proto__")) (func (export "")) (func (export "7")))`,
  );
  note(() => Object.keys(all));
  note(() => all.__proto__);
});

sameAsHost("a function that passes through another module stays the same object", ({ exports, note }) => {
  const { f } = exports(
    `(module (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))`,
  );
  const text = `(module (func $f (import "m" "f") (param i32) (result i32)) (export "g" (func $f))
    (func (export "twice") (param i32) (result i32) (call $f (call $f (local.get 0)))))`;
  const all = exports(text, { m: { f } });
  note(() => all.g === f);
  note(() => all.twice(40));
  note(() => exports(`(module (func (import "m" "f") (param i64)))`, { m: { f } }));
});

sameAsHost("what a host function throws reaches the caller unchanged", ({ exports, note }) => {
  let thrown: unknown;
  const { call } = exports(
    `(module (func $host (import "m" "host")) (func (export "call") call $host unreachable))`,
    {
      m: {
        host: () => {
          throw thrown;
        },
      },
    },
  );
  for (thrown of [new SyntaxError("x"), undefined, null, 7, "text", { then: () => {} }, [1]]) {
    note(() => {
      try {
        call();
        return "returned";
      } catch (error) {
        return Object.is(error, thrown);
      }
    });
  }
});

sameAsHost("host functions call exports, which call host functions", ({ exports, note }) => {
  const all = exports(
    `(module
      (func $host (import "m" "host") (param i32) (result i32))
      (memory (export "memory") 1)
      (global $calls (export "calls") (mut i32) (i32.const 0))
      (func (export "sum") (param $n i32) (result i32)
        (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (i32.store (local.get $n) (local.get $n))
        (if (result i32) (i32.eqz (local.get $n))
          (then (i32.const 0))
          (else (i32.add (local.get $n) (call $host (i32.sub (local.get $n) (i32.const 1))))))))`,
    { m: { host: (n: number) => all.sum(n) } },
  );
  note(() => all.sum(100));
  note(() => all.calls.value);
  note(() => new Uint8Array(all.memory.buffer)[77]);
});

sameAsHost("a nested call that fails leaves the outer call as it was", ({ exports, note }) => {
  const events: unknown[] = [];
  const all = exports(
    `(module
      (func $host (import "m" "host") (param i32) (result i32))
      (table 1 funcref)
      (func (export "trap") unreachable)
      (func (export "null") (call_indirect (i32.const 0)))
      (func (export "outer") (param i32 i64) (result i64)
        (i64.add (local.get 1) (i64.extend_i32_s (call $host (local.get 0))))))`,
    {
      m: {
        host: (which: number) => {
          try {
            if (which === 0) all.trap();
            else all.null();
          } catch (error) {
            events.push(error);
          }
          return which + 1;
        },
      },
    },
  );
  note(() => all.outer(0, 10n));
  note(() => all.outer(1, 20n));
  note(() => events);
});

sameAsHost("an error of a nested call may pass through the outer one", ({ exports, note }) => {
  const error = new EvalError("inner");
  const all = exports(
    `(module
      (func $host (import "m" "host") (param i32))
      (func (export "call") (param i32) (call $host (local.get 0))))`,
    {
      m: {
        host: (depth: number) => {
          if (depth === 0) throw error;
          all.call(depth - 1);
        },
      },
    },
  );
  note(() => all.call(5));
  note(() => all.call(5));
});

sameAsHost(
  "recursion without end is a RangeError, in the guest and through the host",
  ({ exports, note }) => {
    const all = exports(
      `(module
      (func $host (import "m" "host"))
      (func $deep (export "deep") call $deep)
      (func (export "ping") call $host))`,
      { m: { host: () => all.ping() } },
    );
    note(() => all.deep());
    note(() => all.ping());
    note(() => all.deep());
  },
);

sameAsHost("the start function runs at once, and what it throws comes out", ({ exports, note }) => {
  const text = `(module (func $host (import "m" "host")) (start $host))`;
  note(() => {
    let ran = 0;
    exports(text, { m: { host: () => ran++ } });
    return ran;
  });
  note(() =>
    exports(text, {
      m: {
        host: () => {
          throw new EvalError();
        },
      },
    })
  );
  note(() => exports(`(module (func $f unreachable) (start $f))`));
});

sameAsHost(
  "the start function may hand a function of its instance to the host, which calls it",
  ({ exports, note }) => {
    let kept: ((value: number) => number) | undefined;
    const text = `(module
    (func $host (import "m" "host") (param funcref))
    (func $double (param i32) (result i32) (i32.shl (local.get 0) (i32.const 1)))
    (func $start (call $host (ref.func $double)) unreachable)
    (elem declare func $double)
    (start $start))`;
    note(() => exports(text, { m: { host: (f: typeof kept) => kept = f } }));
    note(() => kept!(21));
  },
);

/** Functions that trap, and what the host throws for each. */
const TRAPS: readonly (readonly [name: string, body: string])[] = [
  ["unreachable", "unreachable"],
  ["division", "(drop (i32.div_s (i32.const 1) (i32.const 0)))"],
  ["overflow", "(drop (i64.div_s (i64.const 0x8000000000000000) (i64.const -1)))"],
  ["conversion", "(drop (i32.trunc_f64_s (f64.const 1e10)))"],
  ["memory", "(drop (i32.load (i32.const 0x10000)))"],
  ["table", "(call_indirect (i32.const 9))"],
  ["null", "(call_indirect (i32.const 0))"],
  ["signature", "(drop (call_indirect (result i32) (i32.const 1)))"],
  ["fill", "(memory.fill (i32.const 1) (i32.const 1) (i32.const 0x10000))"],
  ["init", "(table.init 0 (i32.const 1) (i32.const 0) (i32.const 2))"],
];
const TRAPPING = `(module (memory 1) (table 2 funcref) (func $f) (elem (i32.const 1) func $f)
  ${TRAPS.map(([name, body]) => `(func (export "${name}") ${body})`).join("\n")})`;

sameAsHost("every kind of trap is a RuntimeError", ({ exports, note }) => {
  const all = exports(TRAPPING);
  for (const [name] of TRAPS) note(all[name]);
});

Deno.test("the cause of a RuntimeError is the trap, with its place in the module", () => {
  const W = createWebAssembly();
  const instance = new W.Instance(new W.Module(wat(TRAPPING)));
  const codes = TRAPS.map(([name]) => {
    try {
      (instance.exports[name] as () => void)();
    } catch (error) {
      assertInstanceOf(error, W.RuntimeError);
      assertInstanceOf(error.cause, Trap);
      return `${error.cause.code} in ${error.cause.functionName}`;
    }
    return "no trap";
  });
  assertEquals(codes, [
    "UnreachableCodeReached in unreachable",
    "IntegerDivisionByZero in division",
    "IntegerOverflow in i64.div_s",
    "IntegerOverflow in conversion",
    "MemoryOutOfBounds in memory",
    "TableOutOfBounds in table",
    "IndirectCallToNull in null",
    "BadSignature in f",
    "MemoryOutOfBounds in fill",
    "TableOutOfBounds in init",
  ]);
});

Deno.test("after 500 nested calls the next one is refused, and the outer ones go on", () => {
  const W = createWebAssembly();
  let depth = 0, deepest = 0, cause: unknown;
  const host = () => {
    deepest = Math.max(deepest, ++depth);
    try {
      call();
    } catch (error) {
      assertInstanceOf(error, RangeError);
      cause ??= error.cause;
    }
    depth--;
  };
  const wasm = wat(`(module (func $host (import "m" "host")) (func (export "call") call $host))`);
  const call = new W.Instance(new W.Module(wasm), { m: { host } }).exports.call as () => void;
  call();
  assertEquals(deepest, MAX_NESTED_RUNS + 1);
  assertInstanceOf(cause, Trap);
  assertStrictEquals(cause.code, "StackOverflow");
});
