/**
 * Derives a key, signs and verifies with a real program run as rWasm, and compares every result with
 * the same program run by V8 and with an implementation in JavaScript.
 *
 * @module
 */

import * as noble from "@noble/secp256k1";
import * as native from "tiny-secp256k1";
import { Secp256k1 } from "./guest.ts";

const privateKey = new Uint8Array(32).fill(7);
const message = new TextEncoder().encode("rWasm runs real programs");
const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", message));
const hex = (bytes: Uint8Array): string => bytes.toHex();

/** Runs a step, prints its result, the fuel and the time it took. */
function step<T>(guest: Secp256k1, name: string, run: () => T, show: (result: T) => string): T {
  const fuel = guest.consumedFuel, start = performance.now();
  const result = run();
  const time = (performance.now() - start).toFixed(0);
  console.log(`${name.padEnd(10)} ${show(result)}`);
  console.log(`${"".padEnd(10)} ${guest.consumedFuel - fuel} fuel, ${time} ms`);
  return result;
}

const start = performance.now();
const guest = new Secp256k1(1_000_000_000n);
console.log(
  `compiled and initialized: ${guest.consumedFuel} fuel, ${(performance.now() - start).toFixed(0)} ms`,
);

const publicKey = step(guest, "public key", () => guest.publicKey(privateKey), hex);
const signature = step(guest, "signature", () => guest.sign(hash, privateKey), hex);
const valid = step(guest, "verified", () => guest.verify(hash, publicKey, signature), String);
const forged = signature.with(40, signature[40] ^ 1);
const refused = !step(guest, "forged", () => guest.verify(hash, publicKey, forged), String);

const options = { prehash: false };
const same: [what: string, holds: boolean][] = [
  ["public key equals that of V8", hex(publicKey) === hex(native.pointFromScalar(privateKey)!)],
  ["public key equals that of noble", hex(publicKey) === hex(noble.getPublicKey(privateKey))],
  ["signature equals that of V8", hex(signature) === hex(native.sign(hash, privateKey))],
  [
    "signature equals that of noble",
    hex(signature) === hex(await noble.signAsync(hash, privateKey, options)),
  ],
  [
    "the signature is valid, for noble, too",
    valid && await noble.verifyAsync(signature, hash, publicKey, options),
  ],
  ["a forged signature is not", refused],
];
for (const [what, holds] of same) console.log(`${holds ? "ok  " : "FAIL"} ${what}`);
if (!same.every(([, holds]) => holds)) Deno.exit(1);
