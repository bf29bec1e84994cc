import { assertEquals, assertNotEquals } from "@std/assert";
import { Reader } from "../../lib/bytes/reader.ts";
import { Writer } from "../../lib/bytes/writer.ts";

function fill(writer: Writer): Uint8Array<ArrayBuffer> {
  writer.u8(0xef);
  writer.u16(0x1234);
  writer.u32(0xdead_beef);
  writer.u32(-2);
  writer.u64Length(2 ** 53 - 1);
  writer.block(Uint8Array.of(1, 2, 3));
  assertEquals(writer.skip(2), 22);
  return writer.finish();
}

Deno.test("writer: fields are little endian, whatever the capacity was", () => {
  for (const capacity of [0, 1, 7, 24, 100]) {
    const bytes = fill(new Writer(capacity));
    assertEquals(
      bytes.toHex(),
      "ef" + "3412" + "efbeadde" + "feffffff" + "ffffffffffff1f00" + "010203" + "0000",
    );
    assertEquals(bytes.buffer.byteLength, 24, `capacity ${capacity}`);
  }
});

Deno.test("writer: an exact capacity means no copy", () => {
  const exact = new Writer(4), larger = new Writer(5);
  exact.u32(1);
  larger.u32(1);
  assertEquals(exact.finish().buffer, exact.view.buffer);
  assertNotEquals(larger.finish().buffer.byteLength, larger.view.buffer.byteLength);
});

Deno.test("writer: a reader reads back what was written", () => {
  const reader = new Reader(fill(new Writer()), (code, reason) => {
    throw new Error(`${code}: ${reason}`);
  });
  assertEquals([reader.u8(), reader.u16(), reader.u32(), reader.u32()], [
    0xef,
    0x1234,
    0xdead_beef,
    0xffff_fffe,
  ]);
  assertEquals(reader.u64Length(), 2 ** 53 - 1);
  assertEquals([...reader.take(5)], [1, 2, 3, 0, 0]);
  assertEquals(reader.atEnd, true);
});
