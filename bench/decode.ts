/**
 * Speed of decoding and encoding `.rwasm` bytes.
 *
 * @module
 */

import { RwasmModule } from "../mod.ts";
import { encodedModules } from "./encoded.ts";
import { interleaved, type Row, type Table } from "./measure.ts";

/** One row per module. */
export async function benchDecode({ rounds = 9 }: { rounds?: number } = {}): Promise<Table> {
  const rows: Row[] = [];
  for (const { name, bytes } of await encodedModules()) {
    const module = RwasmModule.decode(bytes);
    const megabytes = bytes.length / 1e6;
    const times = interleaved({
      decode: () => () => void RwasmModule.decode(bytes),
      encode: () => () => void module.encode(),
    }, rounds);
    rows.push({
      name,
      figures: {
        "MB": megabytes,
        "decode ms": times.decode,
        "decode MB/s": megabytes / times.decode * 1e3,
        "encode ms": times.encode,
        "encode MB/s": megabytes / times.encode * 1e3,
      },
    });
  }
  return { title: "decode", note: "MB of .rwasm bytes per second.", rows, missed: [] };
}
