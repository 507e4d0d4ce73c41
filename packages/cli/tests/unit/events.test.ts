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
