import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { journalDirectory } from "../../src/analytics/file/journal-directory.ts";
import { APPLICATION_ID, SCHEMA_VERSION } from "../../src/analytics/file/migrations.ts";
import { encodeCall } from "../../src/analytics/records/record.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const PROCESSES = 8;
/** More in the long run: `bun run soak open-together`. */
const ROUNDS = Number(process.env["TOOLMETER_ROUNDS"] ?? 10);
const DEAD_RECORDERS = 2;

test(`${PROCESSES} processes open one new file with the journals of dead ones at once, ${ROUNDS} times, and none fails`, async () => {
  using directory = temporaryDirectory();
  const children = await Promise.all(Array.from({ length: PROCESSES }, startChild));
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      const file = directory.file(`${round}.db`);
      leaveJournals(file);
      const answers = children.map((child) => child.answer());
      for (const child of children) child.send(file);
      expect(await Promise.all(answers)).toEqual(Array(PROCESSES).fill(null));
      expect(lookInto(file)).toEqual({
        applicationId: APPLICATION_ID,
        version: SCHEMA_VERSION,
        migrations: SCHEMA_VERSION,
        integrity: "ok",
        calls: DEAD_RECORDERS,
      });
      expect(readdirSync(journalDirectory(file))).toEqual([]);
    }
  } finally {
    for (const child of children) child.kill();
  }
  // They all took in the same journals at once, and none had anything to say of it.
  expect(await Promise.all(children.map((child) => child.said()))).toEqual(children.map(() => ""));
}, 60_000);

function leaveJournals(file: string): void {
  mkdirSync(journalDirectory(file));
  for (let recorder = 0; recorder < DEAD_RECORDERS; recorder += 1) {
    const line = encodeCall(Bun.randomUUIDv7(), 1, { toolName: "left", durationMs: 1 });
    const path = join(journalDirectory(file), `${Bun.randomUUIDv7()}-1.jsonl`);
    writeFileSync(path, line);
  }
}

/** A process that has loaded everything and waits for the name of a file. */
async function startChild() {
  let answered = Promise.withResolvers<unknown>();
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "programs/open-on-demand.ts")], {
    ipc: (message: unknown) => answered.resolve(message),
    onExit: (_child, exitCode) => answered.reject(new Error(`ended with ${exitCode}`)),
    stdout: "ignore",
    stderr: "pipe",
  });
  expect(await answered.promise).toBe("ready");
  return {
    send: (file: string) => child.send(file),
    said: () => child.stderr.text(),
    answer: () => (answered = Promise.withResolvers()).promise,
    kill: () => {
      answered = Promise.withResolvers();
      answered.promise.catch(() => undefined);
      child.kill();
    },
  };
}

function lookInto(file: string) {
  using client = new Database(file);
  const value = (sql: string) => client.query(sql).values()[0]?.[0];
  return {
    applicationId: value("pragma application_id"),
    version: value("pragma user_version"),
    migrations: value("select count(*) from __drizzle_migrations"),
    integrity: value("pragma integrity_check"),
    calls: value("select count(*) from tool_calls"),
  };
}
