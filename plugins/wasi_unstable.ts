/**
 * `wasi_unstable`, the release of WASI before preview 1, as a plugin with every option at its
 * default. With options it is `wasi({ … }).unstable` of `wasi_snapshot_preview1.ts`.
 *
 * @module
 */

import { unstable } from "./wasi/wasi.ts";

export default unstable;
