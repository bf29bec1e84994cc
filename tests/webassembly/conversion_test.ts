import { sameAsHost } from "./side_by_side.ts";

const IDENTITY = `(module
  (func (export "i32") (param i32) (result i32) local.get 0)
  (func (export "i64") (param i64) (result i64) local.get 0)
  (func (export "f32") (param f32) (result f32) local.get 0)
  (func (export "f64") (param f64) (result f64) local.get 0)
  (func (export "externref") (param externref) (result externref) local.get 0)
  (func (export "funcref") (param funcref) (result funcref) local.get 0)
  (func (export "both") (param i32 i64 f64) (result f64 i64 i32) local.get 2 local.get 1 local.get 0)
  (func (export "none") (param i32)))`;

/** Values that convert, that convert strangely, and that do not convert. */
const VALUES: readonly unknown[] = [
  undefined,
  null,
  true,
  0,
  -0,
  1.9,
  -1.9,
  2 ** 31,
  2 ** 32 + 5,
  -(2 ** 31) - 1,
  2 ** 53,
  1e300,
  0.1,
  NaN,
  Infinity,
  5n,
  2n ** 63n,
  -(2n ** 70n) - 3n,
  "12",
  "0x10",
  "not a number",
  "",
  Symbol("s"),
  { valueOf: () => 7 },
  { valueOf: () => 8n },
  { toString: () => "9" },
  {
    valueOf: () => {
      throw new SyntaxError("from valueOf");
    },
  },
  [3],
  () => 1,
];

for (const type of ["i32", "i64", "f32", "f64", "externref", "funcref"]) {
  sameAsHost(`an ${type} argument converts as the interface says`, ({ exports, note }) => {
    const identity = exports(IDENTITY)[type];
    for (const value of VALUES) note(() => identity(value));
    note(() => identity());
    note(() => identity(1, 2, 3));
    note(() => identity(identity));
  });

  sameAsHost(`an ${type} result of a host function converts as the interface says`, ({ exports, note }) => {
    let value: unknown;
    const call = exports(
      `(module (func $host (import "m" "host") (result ${type})) (func (export "call") (result ${type}) call $host))`,
      { m: { host: () => value } },
    ).call;
    for (value of VALUES) note(call);
    value = call;
    note(call);
  });

  sameAsHost(`a global of type ${type} converts as the interface says`, ({ W, note }) => {
    const name = type === "funcref" ? "anyfunc" : type;
    note(() => new W.Global({ value: name }).value);
    for (const value of VALUES) {
      note(() => new W.Global({ value: name }, value).value);
      const global = new W.Global({ value: name, mutable: true });
      note(() => global.value = value);
      note(() => global.value);
    }
  });
}

sameAsHost("arguments convert from left to right, before anything runs", ({ exports, note }) => {
  const order: string[] = [];
  const argument = (name: string, value: unknown) => ({
    valueOf: () => {
      order.push(name);
      return value;
    },
  });
  const { both } = exports(IDENTITY);
  note(() => both(argument("first", 1), argument("second", 2n), argument("third", 3)));
  note(() => both(argument("fourth", 1), argument("fifth", 2), argument("sixth", 3)));
  note(() => order);
});

sameAsHost("a function returns nothing, a value, or an array of values", ({ exports, note }) => {
  const { none, i32, both } = exports(IDENTITY);
  note(() => none(1));
  note(() => i32(1));
  note(() => both(1, 2n, 3.5));
  note(() => Array.isArray(both(1, 2n, 3.5)));
});

sameAsHost("externrefs keep their identity", ({ exports, note }) => {
  const { externref } = exports(IDENTITY);
  const object = { a: 1 };
  note(() => externref(object) === object);
  note(() => externref(-0));
  note(() => externref(0));
  note(() => externref(NaN));
});

sameAsHost("funcrefs are the exported function objects", ({ exports, note }) => {
  const all = exports(IDENTITY);
  note(() => all.funcref(all.i32) === all.i32);
  note(() => all.funcref(null));
});

sameAsHost("a host function gets its arguments by type, and undefined as this", ({ exports, note }) => {
  let got: unknown;
  const { call } = exports(
    `(module
      (func $host (import "m" "host") (param i32 i64 f32 f64 externref funcref))
      (func $self (export "call") (call $host
        (i32.const -1) (i64.const -2) (f32.const 0.5) (f64.const -0.0) (ref.null extern) (ref.func $self))))`,
    {
      m: {
        host: function (this: unknown, ...args: unknown[]) {
          got = [this, ...args];
        },
      },
    },
  );
  note(call);
  note(() => got);
});

sameAsHost("several results of a host function come from an iterable", ({ exports, note }) => {
  let value: unknown;
  const { call } = exports(
    `(module (func $host (import "m" "host") (result i32 i64)) (func (export "call") (result i32 i64) call $host))`,
    { m: { host: () => value } },
  );
  for (value of [[1, 2n], new Set([3, 4n]), [1], [1, 2n, 3], [1, 2], 1, undefined, null, "ab"]) note(call);
});
