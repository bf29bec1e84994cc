/**
 * JavaScript in a sandbox: runs scripts that compute, print, throw, never end, or want all memory.
 *
 * Run it:  deno run --allow-read examples/javascript/main.ts
 * With scripts of your own:  deno run --allow-read examples/javascript/main.ts "1 + 1" …
 *
 * `sandbox.ts` is what to copy.
 *
 * @module
 */

import { JavaScriptSandbox } from "./sandbox.ts";

const SHOWN = [
  `[..."rWasm"].reverse().join("")`,
  `const primes = []; for (let n = 2; primes.length < 10; n++) if (primes.every((p) => n % p)) primes.push(n); primes`,
  `print("the year is", new Date().getFullYear()); Math.random() === Math.random()`,
  `JSON.parse("{broken")`,
  `while (true);`,
  `const all = []; while (true) all.push(new Uint8Array(100_000))`,
  `typeof Deno + " " + typeof fetch + " " + typeof require`,
];

const sandbox = new JavaScriptSandbox();
for (const script of Deno.args.length > 0 ? Deno.args : SHOWN) {
  const { status, value, message, lines, fuel } = await sandbox.run(script, {
    fuel: 10_000_000n,
    memory: 1 << 20,
  });
  console.log(`> ${script}`);
  for (const line of lines) console.log(`  ${line}`);
  console.log(
    `  ${status}: ${status === "value" ? JSON.stringify(value) : message.split("\n")[0]}, ${fuel} fuel`,
  );
}
