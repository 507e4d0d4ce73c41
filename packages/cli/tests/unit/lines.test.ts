import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { linesOf } from "../../src/transfer/lines.ts";

async function* streamOf(chunks: readonly Uint8Array[]) {
  yield* chunks;
}

async function read(chunks: readonly Uint8Array[], maxBytes: number) {
  const lines: (string | undefined)[] = [];
  for await (const { number, bytes } of linesOf(streamOf(chunks), maxBytes)) {
    expect(number).toBe(lines.length + 1);
    lines.push(bytes && Buffer.from(bytes).toString("latin1"));
  }
  return lines;
}

describe("lines", () => {
  test("are those of the text, however it comes in chunks; longer ones have no bytes", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: fc.constantFrom("a", "\r", "\n", "é"), maxLength: 12 })),
        fc.integer({ min: 0, max: 8 }),
        async (texts, maxBytes) => {
          const chunks = texts.map((text) => Buffer.from(text, "latin1"));
          const lines = texts.join("").split("\n");
          if (lines.at(-1) === "") lines.pop();
          expect(await read(chunks, maxBytes)).toEqual(
            lines.map((line) => (line.length > maxBytes ? undefined : line)),
          );
        },
      ),
    ));

  test("are not held beyond the limit", async () => {
    const chunk = new Uint8Array(1_048_576).fill(0x61);
    const chunks: WeakRef<ArrayBuffer>[] = [];
    let held = 0;
    async function* endless() {
      for (let count = 0; count < 64; count += 1) {
        const copy = new Uint8Array(chunk);
        chunks.push(new WeakRef(copy.buffer));
        yield copy;
      }
      await Bun.sleep(0);
      Bun.gc(true);
      held = chunks.filter((ref) => ref.deref() !== undefined).length;
    }
    const lines: unknown[] = [];
    for await (const line of linesOf(endless(), 1_048_576)) lines.push(line);
    expect(lines).toEqual([{ number: 1, bytes: undefined }]);
    expect(held).toBeLessThan(8);
  });
});
