import { expect, test } from "bun:test";
import type { TelemetryRecord } from "../../../../src/analytics/records/record.ts";
import { encode, encodeCall } from "../../../../src/analytics/records/record.ts";
import { InlineLineWriter, writeLines } from "../../../../src/analytics/writing/line-writer.ts";

const line = (toolName: string) =>
  encodeCall(Bun.randomUUIDv7(), 1_000, { toolName, durationMs: 1 });

/** A writer that keeps what it gets, and rejects the calls of one tool. */
function writerThatRejects(toolName: string) {
  const written: TelemetryRecord[] = [];
  const nameOf = (record: TelemetryRecord) =>
    record.kind === "tool_call" ? record.row.toolName : record.kind;
  return {
    names: () => written.map(nameOf),
    isClosed: false,
    close() {
      this.isClosed = true;
    },
    write: async (batch: readonly TelemetryRecord[]) => {
      written.push(...batch);
      return [...batch.entries()]
        .filter(([, record]) => nameOf(record) === toolName)
        .map(([index]) => ({ index, error: new Error(`no ${toolName}`) }));
    },
  };
}

test("lines become records, in order, whatever their kind", async () => {
  const writer = writerThatRejects("nothing");
  const end = encode({ kind: "session_end", row: { sessionId: "s", endedAt: 1, reason: null } });
  expect(await writeLines(writer, [line("a"), end, line("b")])).toEqual([]);
  expect(writer.names()).toEqual(["a", "session_end", "b"]);
});

test("rejections name the index of the line, also after lines that are no records", async () => {
  const writer = writerThatRejects("bad");
  const lines = ["{", line("a"), "not JSON", line("bad"), line("b")];
  const rejections = await writeLines(writer, lines);
  expect(writer.names()).toEqual(["a", "bad", "b"]);
  expect(new Set(rejections.map(({ index }) => index))).toEqual(new Set([0, 2, 3]));
  expect(rejections.find(({ index }) => index === 3)?.error).toEqual(new Error("no bad"));
});

test("in the calling thread, closing closes the writer", async () => {
  const writer = writerThatRejects("nothing");
  const inline = new InlineLineWriter(writer);
  await inline.write([line("a")]);
  inline.recover();
  await inline.close();
  expect(writer.names()).toEqual(["a"]);
  expect(writer.isClosed).toBe(true);
});
