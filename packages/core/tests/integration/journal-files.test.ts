import { describe, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { TelemetryService, createAnalyticsDb } from "../../src/analytics/index.ts";
import { journalDirectory } from "../../src/analytics/file/journal-directory.ts";
import { memoryLogger } from "../support/memory-logger.ts";
import { until } from "@toolmeter/testing/until";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const PROGRAM = join(import.meta.dir, "programs/record-on-demand.ts");

/** A recorder in a process of its own: each `record()` resolves when the call is accepted. */
function recorder(file: string) {
  const child = Bun.spawn([process.execPath, PROGRAM, file], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const answers = child.stdout.getReader();
  return {
    ready: () => answers.read(),
    record: async () => {
      await child.stdin.write("record\n");
      await child.stdin.flush();
      await answers.read();
    },
    kill: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

describe("a recorder whose journal is removed, killed right after its next call, loses nothing:", () => {
  const ways: Record<string, (directory: string) => unknown> = {
    "the lock": (directory) => remove(directory, ".lock"),
    "the segments": (directory) => remove(directory, ".jsonl"),
    "the directory": (directory) => rmSync(directory, { recursive: true }),
    "the lock, and another process opens the database": (directory) => {
      remove(directory, ".lock");
      createAnalyticsDb(directory.replace(/\.journal$/, "")).close();
    },
  };
  test.each(Object.entries(ways))("%s", async (_what, disturb) => {
    using directory = temporaryDirectory();
    const file = directory.file("a.db");
    const { ready, record, kill } = recorder(file);
    await ready();
    for (let call = 0; call < 20; call += 1) await record();
    disturb(journalDirectory(file));
    await record();
    // It is taken for alive.
    expect(createAnalyticsDb(file).recovery.recorders).toBe(0);
    await record();
    await kill();
    using db = createAnalyticsDb(file);
    const [row] = db.$client
      .query(
        "select count(*), count(distinct request_id), sum(status = 'abandoned') from tool_calls",
      )
      .values();
    expect(row).toEqual([23, 23, 1]);
  });

  function remove(directory: string, ending: string): void {
    for (const name of readdirSync(directory)) {
      if (name.endsWith(ending)) rmSync(join(directory, name));
    }
  }
});

test("while another process holds the write lock, the journal stays within twice the queue and a segment", async () => {
  using directory = temporaryDirectory();
  const db = createAnalyticsDb(directory.file("a.db"));
  using holder = new Database(db.path);
  const logger = memoryLogger();
  const options = { logger, maxQueueSize: 500, shutdownTimeoutMs: 100 };
  const telemetry = new TelemetryService(db, options);
  const bytes = () =>
    readdirSync(journalDirectory(db.path))
      .map((name) => statSync(join(journalDirectory(db.path), name)).size)
      .reduce((sum, size) => sum + size, 0);
  holder.run("begin immediate");
  const outcome = { outputBytes: 1 };
  for (let index = 0; index < 4_000; index += 1) {
    telemetry.startToolCall({ toolName: "echo", requestId: index }).end({}, () => outcome);
    if (index % 1_000 === 0) await new Promise(setImmediate);
  }
  // The details of an end are collected 5 ms later.
  await until(() => telemetry.stats.dropped.queue_full === 3_500);
  const { accepted, dropped } = telemetry.stats;
  expect({ accepted, ...dropped }).toMatchObject({ accepted: 500, queue_full: 3_500 });
  // A line of such a call takes less than 400 bytes.
  expect(bytes()).toBeLessThan(2 * 500 * 400 + 1_048_576 + 400);
  await telemetry.shutdown();
  expect(telemetry.stats).toMatchObject({ leftInJournal: 500, unjournaled: 0, queued: 0 });
  holder.run("rollback");
  db.close();
  using again = createAnalyticsDb(db.path);
  expect(
    again.$client.query("select count(*) from tool_calls where status = 'success'").values(),
  ).toEqual([[500]]);
}, 30_000);
