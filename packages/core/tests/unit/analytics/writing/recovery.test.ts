/** What a journal may look like that a dead process left, and what becomes of it. */
import { afterAll, describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { openConnection } from "../../../../src/analytics/file/connection.ts";
import { Journal } from "../../../../src/analytics/journal/journal.ts";
import { JOURNAL_HEADER } from "../../../../src/analytics/journal/segment-files.ts";
import { journalDirectory } from "../../../../src/analytics/file/journal-directory.ts";
import { FileLock } from "../../../../src/analytics/file/lock.ts";
import { encode, encodeCall } from "../../../../src/analytics/records/record.ts";
import { recover } from "../../../../src/analytics/writing/recovery.ts";
import { isAlive } from "../../../../src/analytics/database/reader.ts";
import { memoryLogger } from "../../../support/memory-logger.ts";
import { callRow } from "../../../support/records.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const HEADER = JSON.stringify(JOURNAL_HEADER);
const connection = openConnection(":memory:", 0);
const directory = temporaryDirectory();
const path = directory.file("a.db");
const journal = journalDirectory(path);

afterAll(() => {
  connection.client.close(true);
  directory[Symbol.dispose]();
});

/** One record of each kind, and what shows that it was stored. The ids differ with each call. */
function sampleLines() {
  const recorderId: string = Bun.randomUUIDv7();
  const session: string = Bun.randomUUIDv7();
  const exists = (table: string, column: string, id: string) => () =>
    connection.client.query(`select 1 from ${table} where ${column} = ?`).values(id).length === 1;
  const call = (toolName: string) => {
    const id: string = Bun.randomUUIDv7();
    const details = { toolName, durationMs: 5, status: "success", startedAt: 1_000 } as const;
    const payloads = { arguments: `{"text":"a \\"b\\""}`, attributes: `{"a":[1,null]}` };
    const text = encodeCall(id, 1_000, { ...details, sessionId: session, ...payloads });
    return { text, isStored: exists("tool_calls", "id", id) };
  };
  const hash: string = Bun.randomUUIDv7();
  const { clientName, clientVersion, serverName, serverVersion, protocolVersion, transport } =
    callRow();
  const parties = {
    clientName,
    clientVersion,
    serverName,
    serverVersion,
    protocolVersion,
    transport,
  };
  const lines = [
    {
      text: encode({
        kind: "session_start",
        row: {
          id: session,
          kind: "session",
          startedAt: 1_000,
          recordedAt: 1_000,
          recorderId,
          ...parties,
          attributes: `{"a":1}`,
          definitionHashes: [hash],
        },
      }),
      isStored: exists("sessions", "id", session),
    },
    {
      text: encode({
        kind: "tool_definition",
        row: {
          hash,
          toolName: "echo",
          definition: `{"name":"echo"}`,
          bytes: 15,
          tokens: 4,
          tokenMethod: "characters/4",
          seenAt: 1_000,
        },
      }),
      isStored: exists("tool_definitions", "hash", hash),
    },
    call("one"),
    {
      text: encode({
        kind: "recorder_health",
        row: {
          recorderId,
          hourStartedAt: 0,
          processId: 1,
          accepted: 1,
          written: 1,
          droppedInvalid: 0,
          droppedQueueFull: 0,
          droppedUnwritable: 0,
          droppedUnknownSession: 0,
          droppedShutDown: 0,
          failedFlushes: 0,
          retries: 0,
          unjournaled: 0,
          recovered: 0,
          recordingMs: 1.5,
          queuePeak: 1,
          commitP50Ms: null,
          commitP99Ms: null,
          commitMaxMs: null,
          lockWaitMaxMs: null,
          walBytes: null,
          journalBytes: 100,
          lastError: null,
          lastErrorAt: null,
        },
      }),
      isStored: exists("recorder_health", "recorder_id", recorderId),
    },
    {
      text: encode({
        kind: "session_end",
        row: { sessionId: session, endedAt: 2_000, reason: "x" },
      }),
      isStored: () =>
        connection.client
          .query("select end_reason from sessions where id = ?")
          .values(session)[0]?.[0] === "x",
    },
    call("two"),
  ];
  return { recorderId, lines };
}

/** Leaves bytes as the journal of a dead recorder. */
function leave(recorderId: string, content: string | Uint8Array, number = 1): string {
  mkdirSync(journal, { recursive: true });
  const file = join(journal, `${recorderId}-${number}.jsonl`);
  writeFileSync(file, content);
  return file;
}

function takeIn() {
  const logger = memoryLogger();
  const recovery = recover(path, connection, logger, 0);
  return { recovery, warnings: logger.lines.filter((line) => line.startsWith("warn")) };
}

function emptyJournal(): readonly string[] {
  const names = readdirSync(journal);
  for (const name of names) rmSync(join(journal, name));
  return names;
}

describe("a journal", () => {
  test.each(["\n", "\r\n"])("whose lines end with %j is read", (end) => {
    const { recorderId, lines } = sampleLines();
    leave(recorderId, [HEADER, ...lines.map(({ text }) => text.trimEnd()), ""].join(end));
    expect(takeIn()).toMatchObject({
      recovery: { records: lines.length, damaged: [] },
      warnings: [],
    });
    expect(lines.map(({ isStored }) => isStored())).toEqual(lines.map(() => true));
    expect(emptyJournal()).toEqual([]);
  });

  test("without its header loses nothing", () => {
    const { recorderId, lines } = sampleLines();
    leave(recorderId, lines.map(({ text }) => text).join(""));
    expect(takeIn().warnings).toEqual([]);
    expect(lines.every(({ isStored }) => isStored())).toBe(true);
  });

  test("whose first block was lost in a power cut loses what was in it", () => {
    const { recorderId, lines } = sampleLines();
    const text = Buffer.from([`${HEADER}\n`, ...lines.map((line) => line.text)].join(""));
    text.fill(0, 0, HEADER.length + 20);
    leave(recorderId, text);
    const { warnings } = takeIn();
    expect(warnings).toEqual([expect.stringContaining("1 lines of")]);
    expect(lines.map(({ isStored }) => isStored())).toEqual(lines.map(() => true));
    expect(emptyJournal()).toEqual([`${recorderId}-1.jsonl.damaged`]);
  });

  test("of an older version lacks what it did not know: that is null, or zero", () => {
    const { recorderId, lines } = sampleLines();
    const older = lines.map(({ text }) => {
      const record = JSON.parse(text) as { kind: string; row: Record<string, unknown> };
      const unknown = {
        session_start: ["kind", "attributes", "transport"],
        recorder_health: ["recovered", "journalBytes", "walBytes"],
      }[record.kind];
      for (const field of unknown ?? []) delete record.row[field];
      return JSON.stringify(record);
    });
    leave(recorderId, `${[HEADER, ...older].join("\n")}\n`);
    expect(takeIn().warnings).toEqual([]);
    expect(lines.every(({ isStored }) => isStored())).toBe(true);
    const health =
      "select recovered, journal_bytes, wal_bytes from recorder_health where recorder_id = ?";
    expect(connection.client.query(health).values(recorderId)).toEqual([[0, 0, null]]);
  });

  test("with a line longer than memory should hold costs that line", () => {
    const { recorderId, lines } = sampleLines();
    const file = leave(recorderId, `${HEADER}\n${lines[2]?.text}`);
    const megabyte = Buffer.alloc(1_000_000, "x");
    for (let count = 0; count < 70; count += 1) appendFileSync(file, megabyte);
    appendFileSync(file, `\n${lines[5]?.text}`);
    const before = process.memoryUsage().arrayBuffers;
    expect(takeIn().warnings).toEqual([expect.stringContaining("longer than 67108864 bytes")]);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100_000_000);
    expect([lines[2], lines[5]].every((line) => line?.isStored())).toBe(true);
    emptyJournal();
  });

  test("that cannot be read costs no other file, and stays", () => {
    const { recorderId, lines } = sampleLines();
    const unreadable = join(journal, `${recorderId}-1.jsonl`);
    mkdirSync(journal, { recursive: true });
    writeFileSync(unreadable, `{"format":"toolmeter-journal","version":2}\n`);
    leave(recorderId, [`${HEADER}\n`, ...lines.map(({ text }) => text)].join(""), 2);
    expect(takeIn().warnings).toEqual([expect.stringContaining("a newer Toolmeter wrote")]);
    expect(lines.every(({ isStored }) => isStored())).toBe(true);
    expect(emptyJournal().toSorted()).toEqual([`${recorderId}-1.jsonl`, `${recorderId}.lock`]);
  });
});

/** Values that have no business in a record. */
const oddValue = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom(
    null,
    -1,
    1e308,
    Number.MAX_SAFE_INTEGER,
    "",
    "\0",
    "\ud800",
    "x".repeat(70_000),
    [],
    {},
  ),
);

const mutation = fc.oneof(
  fc.record({ kind: fc.constant("flip" as const), at: fc.nat(), to: fc.nat(255) }),
  fc.record({ kind: fc.constant("cut" as const), at: fc.nat(), isEnded: fc.boolean() }),
  fc.record({ kind: fc.constant("remove" as const), field: fc.nat() }),
  fc.record({ kind: fc.constant("set" as const), field: fc.nat(), value: oddValue }),
  fc.record({ kind: fc.constant("add" as const), name: fc.string(), value: oddValue }),
  fc.record({
    kind: fc.constant("number" as const),
    text: fc.constantFrom("1e999", "-1e999", "9".repeat(400)),
  }),
  fc.record({ kind: fc.constant("replace" as const), bytes: fc.uint8Array({ maxLength: 50 }) }),
  fc.constant({ kind: "twice" as const }),
  fc.constant({ kind: "cr" as const }),
);

type Mutation = typeof mutation extends fc.Arbitrary<infer Value> ? Value : never;

/** A line, its end included, as the mutation leaves it. */
function mutate(text: string, change: Mutation): Buffer {
  const bytes = Buffer.from(text);
  switch (change.kind) {
    case "flip":
      bytes[change.at % bytes.length] = change.to;
      return bytes;
    case "cut": {
      const rest = bytes.subarray(0, change.at % bytes.length);
      return change.isEnded ? Buffer.concat([rest, Buffer.from("\n")]) : Buffer.from(rest);
    }
    case "number":
      return Buffer.from(text.replace(/\d+/, change.text));
    case "replace":
      return Buffer.concat([change.bytes, Buffer.from("\n")]);
    case "twice":
      return Buffer.from(text + text);
    case "cr":
      return Buffer.from(`${text.trimEnd()}\r\n`);
    default: {
      const record = JSON.parse(text) as Record<string, unknown>;
      const places = [record, record["row"], record["call"]].flatMap((owner) =>
        typeof owner === "object" && owner !== null
          ? Object.keys(owner).map((key) => ({ owner, key }))
          : [],
      );
      const place = places[("field" in change ? change.field : 0) % places.length];
      if (!place) return bytes;
      if (change.kind === "remove") Reflect.deleteProperty(place.owner, place.key);
      else Reflect.set(place.owner, change.kind === "set" ? place.key : change.name, change.value);
      return Buffer.from(`${JSON.stringify(record)}\n`);
    }
  }
}

test("any change of one line costs no other line, and blocks nothing", () => {
  const property = fc.property(fc.nat(6), mutation, (index, change) => {
    const { recorderId, lines } = sampleLines();
    const whole = [`${HEADER}\n`, ...lines.map(({ text }) => text)];
    const changed = whole.map((text, at) =>
      at === index ? mutate(text, change) : Buffer.from(text),
    );
    // A newer version is left alone, by design.
    if (/^\{"format":"toolmeter-journal","version":[^1]/.test(String(changed[0]))) return;
    const file = leave(recorderId, Buffer.concat(changed));
    const { recovery, warnings } = takeIn();
    const others = lines.filter((_, at) => at !== index - 1);
    expect(others.map(({ isStored }) => isStored())).toEqual(others.map(() => true));
    expect(warnings).toHaveLength(recovery.damaged.length);
    // What was set aside still has every byte.
    if (recovery.damaged[0])
      expect(readFileSync(recovery.damaged[0])).toEqual(Buffer.concat(changed));
    expect(existsSync(file)).toBe(false);
    expect(emptyJournal().filter((name) => !name.endsWith(".damaged"))).toEqual([]);
    // Nothing of another type got into a column, and no text that is no JSON.
    expect(connection.client.query(ODD_VALUES).values()).toEqual([]);
  });
  fc.assert(property, { numRuns: Number(process.env["TOOLMETER_ROUNDS"] ?? 1) * 100 });
});

const ODD_VALUES = `
  select id from tool_calls where typeof(duration_ms) <> 'real' or typeof(started_at_ms) <> 'integer'
    or json_valid(coalesce(attributes, '{}')) = 0 or typeof(coalesce(output_bytes, 0)) not in ('integer', 'real')
  union all select id from sessions where json_valid(coalesce(attributes, '{}')) = 0
    or typeof(started_at_ms) not in ('integer', 'real') or typeof(coalesce(ended_at_ms, 0)) not in ('integer', 'real')
  union all select hash from tool_definitions where json_valid(definition) = 0`;

describe("the lock of a dead recorder", () => {
  test("that wrote nothing is removed", () => {
    const recorderId: string = Bun.randomUUIDv7();
    mkdirSync(journal, { recursive: true });
    writeFileSync(join(journal, `${recorderId}.lock`), "");
    expect(isAlive(path, recorderId)).toBe(false);
    expect(takeIn()).toMatchObject({ recovery: { records: 0, recorders: 0 }, warnings: [] });
    expect(emptyJournal()).toEqual([]);
  });

  test("is not made by who asks whether the recorder lives", () => {
    mkdirSync(journal, { recursive: true });
    expect(isAlive(path, Bun.randomUUIDv7())).toBe(false);
    expect(emptyJournal()).toEqual([]);
  });

  test("stays while the recorder lives, before its first line too", () => {
    const living = new Journal(path, Bun.randomUUIDv7(), () => undefined);
    const before = readdirSync(journal);
    expect(takeIn()).toMatchObject({ recovery: { recorders: 0 }, warnings: [] });
    expect(readdirSync(journal)).toEqual(before);
    living.remove();
    expect(emptyJournal()).toEqual([]);
  });
});

describe("two that recover at once", () => {
  test("take turns: the second waits for the first, and leaves when its time is over", () => {
    const { recorderId, lines } = sampleLines();
    leave(recorderId, lines.map(({ text }) => text).join(""));
    const turn = FileLock.tryAcquire(join(journal, "recovery.lock"));
    expect(takeIn()).toMatchObject({ recovery: { records: 0 }, warnings: [] });
    turn?.remove();
    expect(takeIn()).toMatchObject({ recovery: { records: lines.length }, warnings: [] });
    expect(emptyJournal()).toEqual([]);
  });

  test("leave no lock behind, nor that of a recovery that was killed", () => {
    mkdirSync(journal, { recursive: true });
    writeFileSync(join(journal, "recovery.lock"), "");
    expect(takeIn().warnings).toEqual([]);
    expect(emptyJournal()).toEqual([]);
  });
});

test("a lock is not had on a file that its last holder removed", () => {
  mkdirSync(journal, { recursive: true });
  const file = join(journal, "x.lock");
  const first = FileLock.tryAcquire(file);
  first?.remove();
  const second = FileLock.tryAcquire(file);
  expect(existsSync(file)).toBe(true);
  expect(FileLock.tryAcquire(file)).toBeUndefined();
  second?.remove();
  expect(emptyJournal()).toEqual([]);
});

test.skipIf(process.getuid?.() === 0)(
  "a segment that may not be read stays, and costs no other",
  () => {
    const { recorderId, lines } = sampleLines();
    chmodSync(leave(recorderId, "", 1), 0);
    leave(recorderId, lines.map(({ text }) => text).join(""), 2);
    expect(takeIn().warnings).toEqual([expect.stringContaining("could not be read")]);
    expect(lines.every(({ isStored }) => isStored())).toBe(true);
    emptyJournal();
  },
);
