/**
 * A calculation that survives the death of its process: digits of pi, saved after every 2 million
 * units of fuel. Run it, kill it, run it again: it goes on, and the digits and the fuel in the end are
 * those of a run that nothing happened to.
 *
 * Run it:  deno run --allow-read=examples/survivor,pi.snap,pi.snap.new --allow-write=pi.snap,pi.snap.new examples/survivor/main.ts pi.snap
 *
 * With a number behind the file it dies by itself after that slice, before it is saved.
 *
 * Files: `guest.wat` the guest (`guest.wasm` in binary), `digits.ts` a plugin with a state,
 * `survivor.ts` what to copy.
 *
 * @module
 */

import { Survivor } from "./survivor.ts";

const DIGITS = 1000, SLICE = 2_000_000n;

const [file = "pi.snap", death] = Deno.args;
const survivor = new Survivor(file, Deno.readFileSync(new URL("./guest.wasm", import.meta.url)));
if (survivor.isUnderWay) {
  console.log(`going on: ${survivor.digits.length} digits are there, ${survivor.fuel} fuel was used`);
}
for (let slice = 1; !survivor.advance(DIGITS, SLICE); slice++) {
  if (slice === Number(death)) {
    console.log(`dying with ${survivor.digits.length} digits, and what this slice found is lost`);
    Deno.exit(137);
  }
  survivor.save();
}
console.log(survivor.digits.replace("3", "3."));
console.log(`${survivor.digits.length} digits, ${survivor.fuel} fuel`);
