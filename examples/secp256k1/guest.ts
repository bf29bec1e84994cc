/**
 * The unmodified `secp256k1.wasm` of the npm package tiny-secp256k1 (libsecp256k1 and a Rust shim,
 * 1.2 MB) as an rWasm guest: the buffers it exports as globals, its two imports, three of its
 * functions. Every call is metered.
 *
 * @module
 */

import { compile, ImportLinker, RwasmExecutor, RwasmStore } from "../../mod.ts";

/** Where the package keeps its program. */
const WASM = new URL("./secp256k1.wasm", import.meta.resolve("tiny-secp256k1"));

/** What the host functions share: the state of the generator that blinds the signing context. */
interface Context {
  seed: number;
}

const linker = new ImportLinker<Context>()
  // Blinding needs no secrecy here and does not change results; a seeded generator keeps runs equal.
  .define(
    "./rand.js",
    "generateInt32",
    { index: 1, params: [], results: ["i32"], fuel: { const: 10 } },
    ({ data }) => {
      data.seed = (Math.imul(data.seed, 1664525) + 1013904223) | 0;
      return data.seed;
    },
  )
  .define(
    "./validate_error.js",
    "throwError",
    { index: 2, params: ["i32"], results: [] },
    (_caller, code) => {
      throw new Error(`the guest refused its input with error ${code}`);
    },
  );

/** One instance of the program, with its own memory and fuel. */
export class Secp256k1 {
  readonly #store: RwasmStore<Context>;
  readonly #executor: RwasmExecutor<Context>;

  /** Compiles the program and makes an instance that may consume `fuelLimit`. */
  constructor(fuelLimit: bigint) {
    const module = compile(Deno.readFileSync(WASM), { linker });
    this.#store = new RwasmStore({ linker, data: { seed: 1 }, fuelLimit });
    this.#executor = new RwasmExecutor(this.#store, module);
    this.#call("initializeContext");
  }

  /** Fuel consumed so far. */
  get consumedFuel(): bigint {
    return this.#store.consumedFuel();
  }

  /** The compressed public key of a private key. */
  publicKey(privateKey: Uint8Array): Uint8Array {
    this.#write("PRIVATE_INPUT", privateKey);
    if (this.#call("pointFromScalar", 33) !== 1) throw new Error("not a private key");
    return this.#read("PUBLIC_KEY_INPUT", 33);
  }

  /** The 64-byte signature of a 32-byte hash (RFC 6979, low s). */
  sign(hash: Uint8Array, privateKey: Uint8Array): Uint8Array {
    this.#write("HASH_INPUT", hash);
    this.#write("PRIVATE_INPUT", privateKey);
    this.#call("sign", 0);
    return this.#read("SIGNATURE_INPUT", 64);
  }

  /** Whether a signature of a hash was made with the private key of a public key. */
  verify(hash: Uint8Array, publicKey: Uint8Array, signature: Uint8Array): boolean {
    this.#write("HASH_INPUT", hash);
    this.#write("PUBLIC_KEY_INPUT", publicKey);
    this.#write("SIGNATURE_INPUT", signature);
    return this.#call("verify", publicKey.length, 1) === 1;
  }

  #call(name: string, ...params: number[]): unknown {
    const outcome = this.#executor.call(name, params);
    if (outcome.status === "done") return outcome.results[0];
    throw outcome.status === "trap" ? outcome.trap : new Error(`${name} paused`);
  }

  #write(buffer: string, bytes: Uint8Array): void {
    this.#store.memory.write(Number(this.#executor.global(buffer)), bytes);
  }

  #read(buffer: string, length: number): Uint8Array {
    return this.#store.memory.read(Number(this.#executor.global(buffer)), length);
  }
}
