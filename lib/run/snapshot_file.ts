/**
 * The file a snapshot is: a header that tells what it is, and pieces of bytes behind it, compressed
 * where that helps. Pieces go in and bytes come out, or bytes go in and a reader of pieces comes out
 * that has checked magic, version, length and checksum. What the pieces mean is not known here.
 *
 * ```text
 *  0  8  magic: 89 "RWS" 0D 0A 1A 0A, which whatever takes the file for text damages
 *  8  4  version of the format, little endian as everything
 * 12  4  kind: 0 full, 1 a change since a full one
 * 16  8  length of the file
 * 24 32  SHA-256 of all other bytes
 * 56     the pieces
 * ```
 *
 * @module
 */

import { Reader } from "../bytes/reader.ts";
import { Writer } from "../bytes/writer.ts";
import { SnapshotError } from "../error.ts";

/** The version that is written, and the only one that is read. */
export const SNAPSHOT_VERSION = 1;

/** What a snapshot holds: everything, or a memory in which blocks may be those of another snapshot. */
export const Kind = { Full: 0, Change: 1 } as const;

/** Bytes of a SHA-256. */
export const DIGEST_BYTES = 32;

const MAGIC = Uint8Array.of(0x89, 0x52, 0x57, 0x53, 0x0d, 0x0a, 0x1a, 0x0a);
const DIGEST_AT = 24;
const HEADER_BYTES = DIGEST_AT + DIGEST_BYTES;

/** Pieces below this length are not worth compressing. */
const SMALLEST_PACKED = 256;

/** Largest piece of the format; an array of more bytes cannot be relied on. */
const MOST_PIECE = 2 ** 31 - 1;

/** Most bytes of what a host attaches, and of the state of a plugin: a file system in memory fits. */
export const MOST_HOST_BYTES = 2 ** 30;

/** Marks how a piece is stored. */
const Packing = { None: 0, Zstd: 1 } as const;

/**
 * Largest window that a compressed piece may want, as a power of two: 8 MiB. Default would be 128 MiB
 * for a file of a few bytes.
 */
const WINDOW_LOG = 23;

type Platform = {
  readonly zlib: typeof import("node:zlib");
  readonly crypto: typeof import("node:crypto");
};

let loaded: Platform | undefined;

/** Modules of the platform, loaded by the first snapshot: they would cost every start 30 ms. */
function platform(): Platform {
  const load = globalThis.process.getBuiltinModule;
  return loaded ??= { zlib: load("node:zlib"), crypto: load("node:crypto") };
}

/** SHA-256 of parts, one behind the other. */
export function sha256(...parts: readonly (Uint8Array | string)[]): Uint8Array {
  const hash = platform().crypto.createHash("sha256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

/** Whether two byte arrays are equal. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Whether something is a byte array; what only stands for one, as a proxy does, is not. */
export function isBytes(value: unknown): value is Uint8Array {
  return ArrayBuffer.isView(value) && value instanceof Uint8Array;
}

/** Whether bytes begin as a snapshot does, for those who must tell files apart; false for all else. */
export function isSnapshot(bytes: Uint8Array): boolean {
  return isBytes(bytes) && bytes.length >= MAGIC.length && sameBytes(bytes.subarray(0, MAGIC.length), MAGIC);
}

/** A writer that stands behind the place of the header. */
export function startFile(): Writer {
  const writer = new Writer(4096);
  writer.skip(HEADER_BYTES);
  return writer;
}

/** Writes the header; the finished file. */
export function finishFile(writer: Writer, kind: number): Uint8Array<ArrayBuffer> {
  const bytes = writer.finish(), view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint32(8, SNAPSHOT_VERSION, true);
  view.setUint32(12, kind, true);
  view.setBigUint64(16, BigInt(bytes.length), true);
  bytes.set(digestOf(bytes), DIGEST_AT);
  return bytes;
}

function digestOf(bytes: Uint8Array): Uint8Array {
  return sha256(bytes.subarray(0, DIGEST_AT), bytes.subarray(HEADER_BYTES));
}

/** A snapshot whose header and checksum are right. */
export interface OpenFile {
  /** One of {@link Kind}. */
  readonly kind: number;
  /** Its checksum, by which others refer to it. */
  readonly digest: Uint8Array;
  /** Stands at the first piece. */
  readonly reader: Reader;
}

/**
 * Checks header and checksum.
 *
 * @param doing what the caller does, for messages.
 * @throws {SnapshotError} `NotASnapshot`, `WrongVersion`, `Truncated` or `Corrupt`.
 */
export function openFile(given: unknown, doing: string): OpenFile {
  const refuse = (code: string, why: string, details: { offset?: number; hint?: string } = {}): never => {
    throw new SnapshotError(code, `Cannot ${doing}: ${why}`, details);
  };
  if (!isBytes(given)) return refuse("NotASnapshot", "a snapshot is a Uint8Array");
  if (isDetached(given)) {
    refuse("NotASnapshot", "the bytes were transferred to somebody else and are gone", {
      hint: "give a copy away: bytes.slice()",
    });
  }
  // What other threads can write to could change after it was checked.
  const shared = typeof SharedArrayBuffer === "function" &&
    given.buffer instanceof SharedArrayBuffer;
  const bytes = shared ? Uint8Array.from(given) : plain(given);
  const begins = Math.min(bytes.length, MAGIC.length);
  if (!sameBytes(bytes.subarray(0, begins), MAGIC.subarray(0, begins))) {
    refuse("NotASnapshot", "the file does not begin as a snapshot does");
  }
  if (bytes.length < HEADER_BYTES) refuse("Truncated", `the file ends after ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint32(8, true), kind = view.getUint32(12, true);
  if (version !== SNAPSHOT_VERSION) {
    refuse("WrongVersion", `the snapshot has version ${version}, this library reads ${SNAPSHOT_VERSION}`, {
      offset: 8,
    });
  }
  const length = view.getBigUint64(16, true);
  if (length > BigInt(bytes.length)) {
    refuse("Truncated", `the file ends after ${bytes.length} of ${length} bytes`);
  }
  const digest = bytes.slice(DIGEST_AT, HEADER_BYTES);
  if (length < BigInt(bytes.length) || !sameBytes(digest, digestOf(bytes))) {
    refuse("Corrupt", "the file was altered: its checksum is wrong");
  }
  if (kind !== Kind.Full && kind !== Kind.Change) {
    refuse("Corrupt", `a snapshot of kind ${kind} does not exist`, { offset: 12 });
  }
  const reader = new Reader(
    bytes,
    (_code, reason, offset) => refuse("Corrupt", reason, { offset }),
    HEADER_BYTES,
  );
  return { kind, digest, reader };
}

/** Appends a piece with its length. */
export function writePiece(writer: Writer, bytes: Uint8Array): void {
  writer.u32(bytes.length);
  writePacked(writer, bytes);
}

/** Appends a piece whose length the reader knows. */
export function writePacked(writer: Writer, bytes: Uint8Array): void {
  const packed = bytes.length < SMALLEST_PACKED ? undefined : compress(bytes);
  const isSmaller = packed !== undefined && packed.length < bytes.length;
  writer.u8(isSmaller ? Packing.Zstd : Packing.None);
  if (isSmaller) writer.u32(packed.length);
  writer.block(isSmaller ? packed : bytes);
}

function compress(bytes: Uint8Array): Uint8Array {
  const { zlib } = platform(), { constants } = zlib;
  // The fastest level: the memory of a guest is mostly zeros, which are not here, and short patterns.
  return zlib.zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
}

/** Refuses what a file says; `reader` has a place for the message. */
export type Refuse = (code: string, why: string, details?: { offset?: number; hint?: string }) => never;

/** Reads a piece that has at most `most` bytes; a view of the file when it is not compressed. */
export function readPiece(reader: Reader, most: number, refuse: Refuse): Uint8Array {
  const at = reader.position, length = reader.u32();
  if (length > Math.min(most, MOST_PIECE)) {
    refuse("Corrupt", `a piece of ${length} bytes is larger than what it is for can be`, { offset: at });
  }
  return readPacked(reader, length, refuse);
}

/** Moves behind a piece without unpacking it. */
export function skipPiece(reader: Reader): void {
  const length = reader.u32(), packing = reader.u8();
  reader.skip(packing === Packing.None ? length : reader.u32());
}

/** Reads a piece of a known length. Never makes more bytes than that, whatever is in the file. */
export function readPacked(reader: Reader, length: number, refuse: Refuse): Uint8Array {
  const at = reader.position, packing = reader.u8();
  if (packing === Packing.None) return reader.take(length);
  if (packing !== Packing.Zstd) {
    refuse("Corrupt", `a piece is packed in an unknown way (${packing})`, { offset: at });
  }
  const bytes = decompress(reader.take(reader.u32()), length);
  if (bytes === undefined) refuse("Corrupt", "a compressed piece is damaged", { offset: at });
  return bytes as Uint8Array;
}

/** Whether bytes are no longer here: somebody transferred their buffer, or made it shorter. */
function isDetached({ buffer, byteOffset, length }: Uint8Array): boolean {
  return length === 0 && (byteOffset > buffer.byteLength || (buffer as ArrayBuffer).detached === true);
}

/** The same bytes as a plain array: slices of a Buffer of Node, unlike others, are no copies. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** The `length` bytes that were compressed; undefined when it is not that. */
function decompress(packed: Uint8Array, length: number): Uint8Array | undefined {
  const { zlib } = platform(), { constants } = zlib;
  try {
    const bytes = zlib.zstdDecompressSync(packed, {
      maxOutputLength: Math.max(1, length),
      chunkSize: Math.min(Math.max(length, 64), 2 ** 20),
      params: { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG },
    });
    return bytes.length === length ? plain(bytes) : undefined;
  } catch {
    return undefined; // damaged, or more than it should be
  }
}
