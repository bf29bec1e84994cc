/**
 * A file that a command writes piece by piece: in the end it is whole, or not there. It is opened with
 * its first piece, so that a command that fails before leaves what was there.
 *
 * @module
 */

import type { Host } from "./host.ts";

/** A file under way. */
export class OutputFile {
  readonly #host: Host;
  readonly #path: string;
  /** Pieces, where the host writes files only at once. */
  readonly #parts: Uint8Array[] = [];
  #file: ReturnType<NonNullable<Host["create"]>> | undefined;
  #length = 0;

  /** A file at a path; `-` is standard output. Nothing is opened yet. */
  constructor(host: Host, path: string) {
    this.#host = host;
    this.#path = path;
  }

  /** Bytes written. */
  get length(): number {
    return this.#length;
  }

  /**
   * Appends bytes.
   *
   * @throws {RwasmError} `FileError` and others; what was written is then removed.
   */
  write(bytes: Uint8Array): void {
    this.#length += bytes.length;
    if (this.#path === "-") return this.#host.emit("out", bytes);
    if (this.#host.create === undefined) return void this.#parts.push(bytes.slice());
    this.#file ??= this.#host.create(this.#path);
    this.#file.write(bytes);
  }

  /** All is written. */
  async close(): Promise<void> {
    if (this.#path === "-") return;
    if (this.#file !== undefined) return this.#file.close();
    const whole = new Uint8Array(this.#parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of this.#parts) {
      whole.set(part, at);
      at += part.length;
    }
    await this.#host.write(this.#path, whole);
  }

  /** Removes what was written: the rest will not come. */
  discard(): void {
    this.#file?.discard();
  }
}
