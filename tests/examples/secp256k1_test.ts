import * as noble from "@noble/secp256k1";
import { assert, assertEquals } from "@std/assert";
import * as native from "tiny-secp256k1";
import { Secp256k1 } from "../../examples/secp256k1/guest.ts";

const hashOf = async (text: string): Promise<Uint8Array> =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));

// Private keys: small, large, and ordinary.
const KEYS: readonly string[] = [
  "01".padStart(64, "0"),
  "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140",
  "8f2a559490d3e2a1c7be3bd6e5f0a4c6b1d8e97f0c5b2a3d4e6f708192a3b4c5",
];

Deno.test("tiny-secp256k1 as rWasm derives, signs and verifies as the package itself and as noble do", async () => {
  const guest = new Secp256k1(1_000_000_000n);
  for (const key of KEYS) {
    const privateKey = Uint8Array.fromHex(key), hash = await hashOf(key);
    const publicKey = guest.publicKey(privateKey);
    assertEquals(publicKey, native.pointFromScalar(privateKey));
    assertEquals(publicKey, noble.getPublicKey(privateKey));
    const signature = guest.sign(hash, privateKey);
    assertEquals(signature, native.sign(hash, privateKey));
    assertEquals(signature, await noble.signAsync(hash, privateKey, { prehash: false }));
    assert(guest.verify(hash, publicKey, signature));
    assertEquals(guest.verify(hash, publicKey, signature.with(63, signature[63] ^ 1)), false);
  }
});

Deno.test("tiny-secp256k1 as rWasm consumes the same fuel in every run, and no more than its limit", () => {
  const privateKey = Uint8Array.fromHex(KEYS[2]);
  const [one, other] = [new Secp256k1(1_000_000_000n), new Secp256k1(1_000_000_000n)];
  one.publicKey(privateKey);
  other.publicKey(privateKey);
  assertEquals(one.consumedFuel, other.consumedFuel);

  const limit = one.consumedFuel - 1n;
  const third = new Secp256k1(limit);
  let thrown: unknown;
  try {
    third.publicKey(privateKey);
  } catch (error) {
    thrown = error;
  }
  assertEquals((thrown as { code?: string }).code, "OutOfFuel");
  assert(third.consumedFuel <= limit);
});
