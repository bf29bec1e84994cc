/**
 * Error numbers of WASI preview 1, and the one way a call fails: it throws a `Failure`, which the
 * plugin's outermost wrapper turns into the number the guest gets. Nothing else catches one.
 *
 * @module
 */

/** Error numbers, in the order of the WASI preview 1 document. */
export const Errno = {
  SUCCESS: 0,
  TOOBIG: 1,
  ACCES: 2,
  AGAIN: 6,
  BADF: 8,
  BUSY: 10,
  DQUOT: 19,
  EXIST: 20,
  FAULT: 21,
  FBIG: 22,
  ILSEQ: 25,
  INTR: 27,
  INVAL: 28,
  IO: 29,
  ISDIR: 31,
  LOOP: 32,
  MFILE: 33,
  MLINK: 34,
  NAMETOOLONG: 37,
  NFILE: 41,
  NODEV: 43,
  NOENT: 44,
  NOMEM: 48,
  NOSPC: 51,
  NOSYS: 52,
  NOTDIR: 54,
  NOTEMPTY: 55,
  NOTSOCK: 57,
  NOTSUP: 58,
  NXIO: 60,
  OVERFLOW: 61,
  PERM: 63,
  PIPE: 64,
  ROFS: 69,
  SPIPE: 70,
  TXTBSY: 74,
  XDEV: 75,
  NOTCAPABLE: 76,
} as const;

const NAMES = new Map<number, string>(Object.entries(Errno).map(([name, errno]) => [errno, name]));

/** Name of an error number, as in {@link Errno}, or the number itself. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? String(errno);
}

/** A call that failed with an error number; not an `Error`, because guests probe paths by failing a lot. */
export class Failure {
  /** What the guest gets. */
  readonly errno: number;

  /** A failure with a number of {@link Errno}. */
  constructor(errno: number) {
    this.errno = errno;
  }
}

const FAILURES = Array.from({ length: Errno.NOTCAPABLE + 1 }, (_, errno) => new Failure(errno));

/** Ends the call under way with an error number. */
export function fail(errno: number): never {
  throw FAILURES[errno];
}

/** Numbers of the names that Deno and Node put into the `code` of an operating system error. */
const OF_CODE = new Map<string, number>([
  ...Array.from(NAMES, ([errno, name]): [string, number] => [`E${name}`, errno]),
  ["EACCES", Errno.ACCES],
  ["E2BIG", Errno.TOOBIG],
]);

/** The error number for whatever an operation of the host threw; IO when nothing better is known. */
export function errnoOfHostError(error: unknown): number {
  if (error instanceof Failure) return error.errno;
  if (error instanceof Deno.errors.NotCapable) return Errno.ACCES; // Deno lacks a permission
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined;
  return typeof code === "string" ? OF_CODE.get(code) ?? Errno.IO : Errno.IO;
}
