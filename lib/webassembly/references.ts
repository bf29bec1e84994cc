/**
 * JavaScript values in the guest's hands: the machine knows an externref as a number, this table
 * knows the value behind it. One table serves all instances of a facade, so that references can pass
 * between them. Values stay in it as long as the facade lives: the machine does not tell when it has
 * forgotten one.
 *
 * @module
 */

/** Numbers for JavaScript values. */
export class HostReferences {
  readonly #values: unknown[] = [];
  readonly #numbers = new Map<unknown, number>();
  /** Number of -0, which a Map cannot tell from 0. */
  #negativeZero: number | undefined;

  /** Number of a value, the same for the same value; null for null. */
  numberOf(value: unknown): number | null {
    if (value === null) return null;
    if (Object.is(value, -0)) return this.#negativeZero ??= this.#values.push(value) - 1;
    const known = this.#numbers.get(value);
    if (known !== undefined) return known;
    const number = this.#values.push(value) - 1;
    this.#numbers.set(value, number);
    return number;
  }

  /** Value behind a number that {@link numberOf} gave. */
  valueOf(number: number | null): unknown {
    return number === null ? null : this.#values[number];
  }
}
