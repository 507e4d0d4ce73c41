import { expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { readerOf } from "../../src/record/bodies.ts";

const EVENT = Buffer.from('data: {"id":1}\n\n');

/** What is read of an event stream that is compressed with gzip. */
async function eventsIn(bytes: Uint8Array): Promise<readonly string[]> {
  const events: string[] = [];
  const reader = readerOf(
    { "content-type": "text/event-stream", "content-encoding": "gzip" },
    () => undefined,
    ({ data }) => events.push(data),
  );
  reader.push(bytes);
  await reader.end(true);
  return events;
}

test("a compressed stream is read; what cannot be decompressed ends it without an error", async () => {
  expect(await eventsIn(gzipSync(EVENT))).toEqual(['{"id":1}']);
  expect(await eventsIn(Buffer.from("no gzip at all"))).toEqual([]);
  expect(await eventsIn(gzipSync(EVENT).subarray(0, 12))).toEqual([]);
});

test("a body that is compressed in an unknown way is not read", () => {
  expect(() =>
    readerOf(
      { "content-encoding": "rot13" },
      () => undefined,
      () => undefined,
    ),
  ).toThrow('The content encoding "rot13" cannot be read');
});
