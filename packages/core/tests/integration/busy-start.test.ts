/** Services that begin while others hold, create or migrate their file: what they accept is there in the end. */
import { Database } from "bun:sqlite";
import { afterAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { createAnalyticsDb } from "../../src/analytics/database/database.ts";
import { listSegments } from "../../src/analytics/journal/segments.ts";
import { startRecorder } from "../support/first-call.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";
import { until } from "@toolmeter/testing/until";

const RECORDERS = 12;

/** More in the long run: `bun run soak busy-start`. */
const ROUNDS = Number(process.env["TOOLMETER_ROUNDS"] ?? 1);

/** How long the file is held, in milliseconds: 0.5 s, in the long run 1, 10 and 60 s. */
const HOLDS = ROUNDS < 20 ? [500] : [1_000, 10_000, 60_000];

function callsIn(file: string): number {
  using db = createAnalyticsDb(file);
  expect(db.$client.query("pragma integrity_check").values()).toEqual([["ok"]]);
  return Number(db.$client.query("select count(*) from tool_calls").values()[0]?.[0]);
}

function journalledCalls(file: string): number {
  const texts = listSegments(file).map(({ path }) => readFileSync(path, "utf8"));
  return texts.join("").split('"kind":"tool_call"').length - 1;
}

const recorders = await Promise.all(Array.from({ length: RECORDERS }, () => startRecorder()));
const [recorder] = recorders;

afterAll(async () => {
  await Promise.all(recorders.map((started) => started.kill()));
});

test(`${RECORDERS} recorders begin together on a new file, ${ROUNDS} times, each with a call at once`, async () => {
  using directory = temporaryDirectory();
  for (let round = 0; round < ROUNDS; round += 1) {
    const file = directory.file(`${round}.db`);
    const answers = await Promise.all(recorders.map((one) => one.record(file, 0)));
    expect(answers).toEqual(recorders.map(() => ({ accepted: 1, dropped: 0, unjournaled: 0 })));
    expect(callsIn(file)).toBe(RECORDERS);
  }
}, 600_000);

const LOCKS: readonly (readonly [string, (holder: Database) => void])[] = [
  ["a writing transaction", (holder) => holder.run("begin immediate")],
  ["an exclusive transaction", (holder) => holder.run("begin exclusive")],
  [
    "exclusive locking",
    (holder) => {
      holder.run("pragma locking_mode = exclusive");
      holder.run("create table if not exists kept (a)");
    },
  ],
  [
    "a migration",
    (holder) => {
      // As a newer process begins it on the file of an older one.
      holder.run("begin immediate");
      holder.run("pragma user_version = 0");
    },
  ],
];

test.each(LOCKS.flatMap(([name, lock]) => HOLDS.map((hold) => [hold, name, lock] as const)))(
  "%d ms of %s at the start lose no call",
  async (hold, _name, lock) => {
    using directory = temporaryDirectory();
    const file = directory.file("a.db");
    createAnalyticsDb(file).close();
    const holder = new Database(file);
    lock(holder);
    const answer = recorder?.record(file, hold + 300);
    await Bun.sleep(hold);
    if (holder.inTransaction) holder.run("rollback");
    holder.close();
    const { accepted = 0, ...lost } = (await answer) ?? {};
    expect(lost).toEqual({ dropped: 0, unjournaled: 0 });
    expect(accepted).toBeGreaterThan(1);
    expect(callsIn(file)).toBe(accepted);
  },
  120_000,
);

test("a lock on a file that is still empty loses no call", async () => {
  using directory = temporaryDirectory();
  const file = directory.file("a.db");
  const holder = new Database(file);
  holder.run("begin immediate");
  const answer = recorder?.record(file, 500);
  await Bun.sleep(300);
  holder.run("rollback");
  holder.close();
  const { accepted = 0 } = (await answer) ?? {};
  expect(accepted).toBeGreaterThan(1);
  expect(callsIn(file)).toBe(accepted);
}, 60_000);

test("killed while the file is locked, leaves what it accepted in the journal", async () => {
  using directory = temporaryDirectory();
  const file = directory.file("a.db");
  createAnalyticsDb(file).close();
  const holder = new Database(file);
  holder.run("begin exclusive");
  const killed = await startRecorder();
  const interrupted = killed.record(file, 60_000).catch(() => "killed");
  await until(() => journalledCalls(file) >= 3);
  await killed.kill();
  expect(await interrupted).toBe("killed");
  const accepted = journalledCalls(file);
  holder.run("rollback");
  holder.close();
  expect(callsIn(file)).toBe(accepted);
}, 60_000);
