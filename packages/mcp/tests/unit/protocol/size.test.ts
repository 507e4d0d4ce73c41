import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { sizeOfResult, sizeOfText } from "../../../src/protocol/size.ts";

const text = (value: string) => ({ type: "text", text: value });

describe("sizeOfResult()", () => {
  test("counts the bytes of the JSON, and a quarter of the characters of its texts", () => {
    const result = { content: [text("12345678"), text("ü")], structuredContent: { a: 1 } };
    expect(sizeOfResult(result)).toEqual({
      bytes: Buffer.byteLength(JSON.stringify(result)),
      tokens: 3,
      contentTypes: { text: 2 },
    });
  });

  test("counts the structured content where there is no text", () => {
    expect(sizeOfResult({ structuredContent: { a: "12345" } })).toEqual({ bytes: 35, tokens: 4 });
    expect(sizeOfResult({})).toEqual({ bytes: 2, tokens: 0 });
  });

  test("counts images, audio and files by their type, never as text", () => {
    const data = "A".repeat(100_000);
    const result = {
      content: [
        { type: "image", mimeType: "image/png", data },
        { type: "audio", mimeType: "audio/wav", data: "AAAA" },
        { type: "resource", resource: { uri: "a:b", blob: data } },
        { type: "resource", resource: { uri: "a:c", text: "12345678" } },
        { type: "resource_link", uri: "a:d", name: "d" },
        { type: "hologram" },
        "no block",
      ],
    };
    expect(sizeOfResult(result)).toEqual({
      bytes: JSON.stringify(result).length,
      tokens: 2,
      contentTypes: { image: 1, audio: 1, resource: 2, resource_link: 1, other: 1 },
    });
  });

  test("of a long text counts the characters, not the escapes", () => {
    const result = { content: [text("\n".repeat(5_000))] };
    expect(sizeOfResult(result)).toMatchObject({ bytes: 39 + 5_000, tokens: 1_250 });
  });

  test("is exact for every result of texts up to 4,096 characters, escapes included", () => {
    const string = fc.string({ unit: "binary", maxLength: 20 });
    const leaf = fc.oneof(string, fc.double(), fc.boolean(), fc.constant(null));
    const part = fc.oneof(leaf, fc.array(leaf, { maxLength: 3 }));
    const json = fc.array(fc.dictionary(string, part, { maxKeys: 3 }), { maxLength: 3 });
    fc.assert(
      fc.property(json, (structuredContent) => {
        const { length } = JSON.stringify(structuredContent);
        expect(sizeOfResult({ structuredContent })).toEqual({
          bytes: Buffer.byteLength(JSON.stringify({ structuredContent })),
          tokens: Math.ceil(length / 4),
        });
      }),
      { numRuns: 30 },
    );
  });

  test("reads no more than 16,384 values", () => {
    let reads = 0;
    const row = Object.defineProperty({}, "id", {
      enumerable: true,
      get: () => {
        reads += 1;
        return 7;
      },
    });
    const rows = Array.from({ length: 1_000_000 }, () => row);
    const { bytes } = sizeOfResult({ structuredContent: { rows } });
    expect(reads).toBeWithin(1_000, 16_385);
    expect(bytes).toBeWithin(50_000, 200_000);
  });

  test("counts a character as a byte where texts are too long to be read", () => {
    let concatenated = "é";
    while (concatenated.length < 50_000_000) concatenated += concatenated;
    const { bytes, tokens } = sizeOfResult({ content: [text(concatenated)] });
    expect(bytes).toBe(concatenated.length + 39);
    expect(tokens).toBe(Math.ceil(concatenated.length / 4));
  });

  test("is exact for every result without escapes", () => {
    const plain = fc.string({ unit: fc.constantFrom("a", "é", "😀"), maxLength: 6_000 });
    const block = fc.oneof(
      fc.record({ type: fc.constant("text"), text: plain }),
      fc.record({ type: fc.constant("image"), data: plain }),
      fc.record({ type: fc.constant("resource"), resource: fc.record({ text: plain }) }),
    );
    fc.assert(
      fc.property(fc.array(block, { maxLength: 4 }), (content) => {
        const { bytes } = sizeOfResult({ content });
        expect(bytes).toBe(Buffer.byteLength(JSON.stringify({ content })));
      }),
      { numRuns: 200 },
    );
  });
});

test("sizeOfText()", () => {
  expect(sizeOfText('{"a":"ü"}')).toEqual({ bytes: 10, tokens: 3 });
});
