/**
 * Pinned plugins: fetches the bytes of a file or URL, compares their digest with the pinned one, and
 * makes a module specifier that imports exactly these bytes, so that nothing can be exchanged between
 * the check and the import. It does not import, and does not see what the plugin imports itself.
 *
 * @module
 */

import { PluginError } from "../error.ts";
import { quoteName } from "../isa/nearest.ts";
import { kindOf } from "./declaration.ts";

/** Digests a pin may use, by the names of Subresource Integrity, and their sizes in bytes. */
const DIGESTS: { readonly [name: string]: { readonly algorithm: string; readonly size: number } } = {
  sha256: { algorithm: "SHA-256", size: 32 },
  sha384: { algorithm: "SHA-384", size: 48 },
  sha512: { algorithm: "SHA-512", size: 64 },
};

/** A module made of verified bytes. */
export interface PinnedModule {
  /** Imports the bytes; a `blob:` URL. */
  readonly specifier: string;
  /** Gives up the specifier. */
  [Symbol.dispose](): void;
}

/** A pin: the digest some bytes must have. */
interface Pin {
  readonly name: string;
  readonly digest: string;
}

/**
 * Fetches a plugin and checks its bytes.
 *
 * @param resolved an absolute URL that `fetch` takes: `file:`, `https:`, `http:`, `data:` or `blob:`.
 * @param doing what an error says could not be done.
 * @throws {PluginError} `InvalidIntegrity`, or `IntegrityMismatch`; what `fetch` throws leaves as it is.
 */
export async function pinnedModule(
  resolved: string,
  integrity: unknown,
  doing: string,
): Promise<PinnedModule> {
  const pin = parsePin(integrity, doing);
  if (!URL.canParse(resolved) || !/^(file|https?|data|blob):/.test(resolved)) {
    throw new PluginError(
      "InvalidIntegrity",
      `Cannot ${doing}: integrity pins the bytes of a file or URL, which ${
        quoteName(resolved)
      } does not name`,
      { hint: "pin npm: and jsr: packages by their version and a lock file" },
    );
  }
  const response = await fetch(resolved);
  if (!response.ok) throw new Error(`the server answered with status ${response.status}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const { algorithm } = DIGESTS[pin.name]!;
  const found = new Uint8Array(await crypto.subtle.digest(algorithm, bytes)).toBase64();
  if (found !== pin.digest) {
    throw new PluginError(
      "IntegrityMismatch",
      `Cannot ${doing}: its bytes have the digest ${pin.name}-${found}, pinned is ${pin.name}-${pin.digest}`,
      { hint: "the file is not the one that was pinned; review it before you change the pin" },
    );
  }
  const type = /\.[mc]?jsx?$/.test(new URL(resolved).pathname) ? "text/javascript" : "application/typescript";
  const specifier = URL.createObjectURL(new Blob([bytes], { type }));
  return { specifier, [Symbol.dispose]: () => URL.revokeObjectURL(specifier) };
}

/** Reads "sha256-<base64>", the form of Subresource Integrity with one digest. */
function parsePin(integrity: unknown, doing: string): Pin {
  if (typeof integrity === "string") {
    const dash = integrity.indexOf("-");
    const name = integrity.slice(0, Math.max(dash, 0)), digest = integrity.slice(dash + 1);
    if (Object.hasOwn(DIGESTS, name) && byteLength(digest) === DIGESTS[name]!.size) return { name, digest };
  }
  throw new PluginError(
    "InvalidIntegrity",
    `Cannot ${doing}: integrity must be "sha256-" and 32 bytes in base64, not ${kindOf(integrity)}`,
    { hint: "sha384- and sha512- are taken too; openssl dgst -sha256 -binary plugin.ts | base64" },
  );
}

/** Bytes that a canonical base64 text stands for; -1 for any other text. */
function byteLength(base64: string): number {
  try {
    const bytes = Uint8Array.fromBase64(base64, { lastChunkHandling: "strict" });
    return bytes.toBase64() === base64 ? bytes.length : -1;
  } catch {
    return -1;
  }
}
