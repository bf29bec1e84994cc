/**
 * Random bytes: from a seeded generator that gives the same in every run, or from the host.
 *
 * @module
 */

/** Where random bytes come from. */
export interface RandomSource {
  /** Overwrites all bytes. */
  fill(bytes: Uint8Array): void;
  /** Which source it is; a guest that goes on elsewhere goes on with the same. */
  readonly kind: "seeded" | "real";
  /** Numbers (u32) it needs to go on elsewhere. */
  save(): readonly number[];
  /** Goes on from there; false when the numbers are not those of such a source. */
  restore(state: readonly number[]): boolean;
}

/**
 * xoshiro128**, 2^128 − 1 numbers of 32 bits before it repeats; its state comes from the seed by
 * SplitMix64. Fine for hash seeds and simulations, and no secret to anybody who sees some output.
 */
export class SeededRandom implements RandomSource {
  /** Which source it is. */
  readonly kind = "seeded";
  /** The four words of the generator. */
  readonly state: Uint32Array = new Uint32Array(4);
  /** Bytes of the last number that nobody has got yet, lowest first. */
  #word = 0;
  #left = 0;

  /** A generator; only the low 64 bits of the seed count. */
  constructor(seed: bigint) {
    let counter = seed;
    for (let i = 0; i < 4; i += 2) {
      counter = BigInt.asUintN(64, counter + 0x9e3779b97f4a7c15n);
      let mixed = BigInt.asUintN(64, (counter ^ (counter >> 30n)) * 0xbf58476d1ce4e5b9n);
      mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn);
      mixed ^= mixed >> 31n;
      this.state[i] = Number(mixed & 0xffff_ffffn);
      this.state[i + 1] = Number(mixed >> 32n);
    }
    // SplitMix64 gives 0 for one counter only, so two in a row are never both 0, which would be a dead state.
  }

  /** Overwrites all bytes; the bytes do not depend on how they are divided among calls. */
  fill(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) {
      if (this.#left === 0) {
        this.#word = this.#next();
        this.#left = 4;
      }
      bytes[i] = this.#word & 0xff;
      this.#word >>>= 8;
      this.#left--;
    }
  }

  /** The words of the generator, and what is left of the last number. */
  save(): readonly number[] {
    return [...this.state, this.#word >>> 0, this.#left];
  }

  /** Goes on from there. */
  restore(state: readonly number[]): boolean {
    const [left] = state.slice(5), words = state.slice(0, 4);
    if (state.length !== 6 || left === undefined || left > 4 || words.every((word) => word === 0)) {
      return false;
    }
    this.state.set(words);
    this.#word = state[4]!;
    this.#left = left;
    return true;
  }

  #next(): number {
    const s = this.state, s1 = s[1]!;
    const times5 = Math.imul(s1, 5);
    const result = Math.imul((times5 << 7) | (times5 >>> 25), 9) >>> 0;
    s[2] ^= s[0]!;
    s[3] ^= s1;
    s[1] ^= s[2]!;
    s[0] ^= s[3]!;
    s[2] ^= s1 << 9;
    const s3 = s[3]!;
    s[3] = (s3 << 11) | (s3 >>> 21);
    return result;
  }
}

/** Most bytes the host gives at once. */
const CHUNK = 65_536;

/** Random bytes of the host's operating system. */
export class RealRandom implements RandomSource {
  /** Which source it is. */
  readonly kind = "real";

  /** Overwrites all bytes. */
  fill(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += CHUNK) {
      crypto.getRandomValues(bytes.subarray(at, at + CHUNK) as Uint8Array<ArrayBuffer>);
    }
  }
  /** Nothing. */
  save(): readonly number[] {
    return [];
  }

  /** Nothing to do. */
  restore(state: readonly number[]): boolean {
    return state.length === 0;
  }
}
