import { stat } from "node:fs/promises";
import { fileHealth, recordingHealth, recordingLag } from "@toolmeter/core/queries";
import { type Kind, type Value, shortTime } from "@toolmeter/present";
import { type AskOptions, answer } from "./ask.ts";
import type { Terminal } from "../output/terminal.ts";

interface Fact {
  readonly name: string;
  readonly value: Value;
  readonly kind: Kind;
  readonly isBad?: boolean;
}

/** Prints the costs and losses of recording, and the content of the file. */
export function health(options: AskOptions, terminal: Terminal): Promise<void> {
  return answer(options, terminal, async (source, { filter, zone, now }) => {
    const recording = recordingHealth(source, filter);
    const file = fileHealth(source);
    const lag = recordingLag(source);
    const walBytes = await sizeOf(`${source.path}-wal`);
    const dropped = Object.entries(recording.dropped);
    const facts: readonly Fact[] = [
      { name: "recorders", value: recording.recorders, kind: "count" },
      { name: "records accepted", value: recording.accepted, kind: "count" },
      { name: "records written", value: recording.written, kind: "count" },
      ...dropped.map(([reason, value]) => ({
        name: `dropped: ${reason.replaceAll("_", " ")}`,
        value,
        kind: "count" as const,
        isBad: value > 0,
      })),
      { name: "recovered after a crash", value: recording.recovered, kind: "count" },
      {
        name: "not journalled at once",
        value: recording.unjournaled,
        kind: "count",
        isBad: recording.unjournaled > 0,
      },
      { name: "failed writes (retried)", value: recording.failedFlushes, kind: "count" },
      { name: "cost per record", value: recording.recordingMsPerRecord, kind: "ms" },
      { name: "commit p99 (worst hour)", value: recording.commitP99Ms, kind: "ms" },
      { name: "longest lock wait", value: recording.lockWaitMaxMs, kind: "ms" },
      { name: "most records waiting", value: recording.queuePeak, kind: "count" },
      { name: "calls in flight now", value: lag.running, kind: "count" },
      { name: "ended but not yet in the file", value: lag.waiting, kind: "count" },
      {
        name: "age of the oldest of them",
        value: lag.oldestAt && Math.max(0, now - lag.oldestAt),
        kind: "ms",
      },
      { name: "file", value: file.bytes, kind: "bytes" },
      { name: "write-ahead log", value: walBytes, kind: "bytes" },
      { name: "free space in the file", value: file.freeBytes, kind: "bytes" },
      { name: "calls", value: file.calls, kind: "count" },
      { name: "sessions", value: file.sessions, kind: "count" },
      { name: "definitions", value: file.definitions, kind: "count" },
      {
        name: "first call",
        value: file.firstCallAt && shortTime(file.firstCallAt, zone),
        kind: "text",
      },
      {
        name: "last call",
        value: file.lastCallAt && shortTime(file.lastCallAt, zone),
        kind: "text",
      },
      {
        name: "since the last call",
        // Never negative, even if a clock was ahead when the call was recorded.
        value: file.lastCallAt && Math.max(0, now - file.lastCallAt),
        kind: "ms",
      },
    ];
    return {
      data: { path: source.path, recording, lag, file: { ...file, walBytes } },
      sections: [
        [source.path],
        {
          title: undefined,
          note:
            recording.lastError === null
              ? undefined
              : `Last error (${shortTime(recording.lastErrorAt ?? 0, zone)}): ${recording.lastError}`,
          headers: [
            { text: "measure", kind: "text" },
            { text: "value", kind: "count" },
          ],
          rows: facts.map(({ name, value, kind, isBad }) => [
            { value: name },
            { value, kind, tone: isBad ? "bad" : undefined },
          ]),
        },
      ],
    };
  });
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch {
    return 0;
  }
}
