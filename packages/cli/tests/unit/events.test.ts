import { expect, test } from "bun:test";
import fc from "fast-check";
import { EventReader, type StreamEvent } from "../../src/record/events.ts";

function read(text: string, cuts: readonly number[] = []): readonly StreamEvent[] {
  const events: StreamEvent[] = [];
  const reader = new EventReader((event) => events.push(event));
  const bytes = Buffer.from(text);
  const places = [
    0,
    ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b),
    bytes.length,
  ];
  for (const [index, place] of places.slice(1).entries())
    reader.push(bytes.subarray(places[index], place));
  reader.end();
  return events;
}

const STREAM = [
  ": a comment\n\n",
  "event: endpoint\ndata: /message?sessionId=1\n\n",
  "id: 4\nretry: 5\ndata:größe\n\n",
  "data: first\ndata: second\n\n",
  "event: ping\n\n",
  "data: not ended",
].join("");

const EVENTS = [
  { name: "endpoint", data: "/message?sessionId=1" },
  { name: "message", data: "größe" },
  { name: "message", data: "first\nsecond" },
];

test("reads the events of a stream", () => {
  expect(read(STREAM)).toEqual(EVENTS);
});

test("with any of the line ends", () => {
  expect(read(STREAM.replaceAll("\n", "\r\n"))).toEqual(EVENTS);
});

test("wherever it is cut", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 8 }), fc.boolean(), (cuts, isWindows) => {
      expect(read(isWindows ? STREAM.replaceAll("\n", "\r\n") : STREAM, cuts)).toEqual(EVENTS);
    }),
  );
});

/** The standard's own words, on a text that is whole. */
function interpret(text: string): readonly StreamEvent[] {
  const events: StreamEvent[] = [];
  let name = "";
  let data: string[] = [];
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/);
  for (const line of lines.slice(0, -1)) {
    const [, field, value = ""] = /^([^:]*)(?:: ?([^]*))?$/.exec(line) ?? [];
    if (field === "data") data.push(value);
    if (field === "event") name = value;
    if (line !== "") continue;
    if (data.length > 0) events.push({ name: name || "message", data: data.join("\n") });
    name = "";
    data = [];
  }
  return events;
}

test("reads any text as the standard does, wherever it is cut", () => {
  const piece = fc.constantFrom("data", "data:", "event: ", ":", " ", "\n", "\r", "\r\n", "\n\n");
  const odd = fc.constantFrom("\u2028", "\u2029", "\uFEFF", "größe", "😀", "\u0000", "id: 1", "x");
  const text = fc.array(fc.oneof(piece, odd), { maxLength: 30 }).map((parts) => parts.join(""));
  fc.assert(
    fc.property(text, fc.array(fc.nat(), { maxLength: 8 }), (stream, cuts) => {
      expect(read(stream, cuts)).toEqual(interpret(stream));
    }),
    { numRuns: 500 },
  );
});

test.each([
  ["LF", "data: a\ndata: b\n\ndata: c\n\n"],
  ["CR", "data: a\rdata: b\r\rdata: c\r\r"],
  ["CRLF", "data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n"],
  ["all line ends", "data: a\n\r\ndata: b\r\n\rdata: c\r\r\n"],
  ["a byte order mark", "\uFEFFdata: a\n\n\uFEFFdata: b\n\ndata: \uFEFFc\n\n"],
  ["only a byte order mark in the first line", "\uFEFF\r\ndata: a\r\n\r\n"],
  ["separators of JavaScript", "data: a\u2028b\u2029c\u0085d\v\f\n\n"],
  ["long characters", "event: größe\ndata: 😀\u2028é\n\n"],
  ["empty data, ids, comments", ": c\r\n\nid: 1\r\rdata\n\ndata:\r\ndata\n\nevent:\ndata:  x\n\n"],
])("reads %s, cut at any two bytes and at all of them", (_name, stream) => {
  const expected = interpret(stream);
  const { length } = Buffer.from(stream);
  for (let first = 0; first <= length; first += 1) {
    for (let second = first; second <= length; second += 1) {
      expect(read(stream, [first, second])).toEqual(expected);
    }
  }
  expect(
    read(
      stream,
      Array.from({ length }, (_, place) => place),
    ),
  ).toEqual(expected);
});

test("looks at each chunk once for each kind of line end, however long the event is", () => {
  const events: StreamEvent[] = [];
  const reader = new EventReader((event) => events.push(event));
  let looked = 0;
  class Chunk extends Uint8Array {
    override indexOf(byte: number, start = 0): number {
      looked += this.length - start;
      return super.indexOf(byte, start);
    }
  }
  const chunk = Chunk.from(Buffer.from("x".repeat(1_000)));
  reader.push(Buffer.from("data: "));
  for (let count = 0; count < 1_000; count += 1) reader.push(chunk);
  reader.push(Buffer.from("\n\n"));
  expect(events.map(({ data }) => data.length)).toEqual([1_000_000]);
  expect(looked).toBeLessThanOrEqual(2 * 1_000 * 1_000);
});

test("skips an event that is too long, and reads the next", () => {
  const events: StreamEvent[] = [];
  const reader = new EventReader((event) => events.push(event));
  const chunk = Buffer.alloc(1_048_576, "x");
  reader.push(Buffer.from("event: long\ndata: "));
  for (let count = 0; count < 65; count += 1) reader.push(chunk);
  reader.push(Buffer.from("\ndata: tail\n\ndata: next\n\n"));
  expect(events).toEqual([{ name: "message", data: "next" }]);
});

test("does not count comments into the length of an event", () => {
  const events: StreamEvent[] = [];
  const reader = new EventReader((event) => events.push(event));
  const comment = Buffer.from(`: ${"x".repeat(1_048_576)}\nid: 1\n`);
  reader.push(Buffer.from("data: first\n"));
  for (let count = 0; count < 65; count += 1) reader.push(comment);
  reader.push(Buffer.from("data: second\n\n"));
  expect(events).toEqual([{ name: "message", data: "first\nsecond" }]);
});
