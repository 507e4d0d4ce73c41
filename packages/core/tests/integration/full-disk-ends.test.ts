import { afterAll, describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createAnalyticsDb } from "../../src/analytics/index.ts";
import { run } from "../support/run.ts";
import { smallDisk } from "@toolmeter/testing/small-disk";
import type { Plan } from "./programs/fill-disk.ts";

const PROGRAM = join(import.meta.dir, "programs/fill-disk.ts");

/** More in the long run: `bun run soak full-disk`. */
const ROUNDS = Number(process.env["TOOLMETER_ROUNDS"] ?? 2);

// Room for every plan, three times over: as journal, write-ahead log and database.
const disk = smallDisk(16);

afterAll(() => disk[Symbol.dispose]());

/** Runs a plan to its end, makes room, and opens the database. */
async function fill(plan: Plan) {
  const directory = join(disk.path, "data");
  mkdirSync(directory);
  const file = join(directory, "a.db");
  const { stdout, stderr } = await run([process.execPath, PROGRAM, file, JSON.stringify(plan)]);
  rmSync(join(directory, "filler"), { force: true });
  using db = createAnalyticsDb(file);
  const values = (sql: string) => db.$client.query(sql).values()[0] ?? [];
  const [calls, ids] = values("select count(*), count(distinct request_id) from tool_calls");
  const integrity = values("pragma integrity_check");
  db.close();
  rmSync(directory, { recursive: true });
  return { ...JSON.parse(stdout), stderr, calls, ids, integrity };
}

function check(plan: Plan, found: Awaited<ReturnType<typeof fill>>): void {
  const { accepted, written, queued, leftInJournal, dropped, stderr } = found;
  const lost = dropped.shutdown_timeout;
  const recorded = plan.before + plan.during + (plan.after ?? 0) + 2;
  expect({ accepted, queued, calls: found.calls, ids: found.ids }).toEqual({
    accepted: recorded,
    queued: 0,
    calls: accepted - lost,
    ids: accepted - lost,
  });
  expect(written + leftInJournal + lost).toBe(accepted);
  expect(found.integrity).toEqual(["ok"]);
  if (plan.after !== null) expect(lost).toBe(0);
  expect(stderr.includes(" lost")).toBe(lost > 0);
}

describe.skipIf(!disk.isMounted)(
  "on a full disk, each accepted call is in the database afterwards or counted as lost,",
  () => {
    const base: Plan = {
      before: 20,
      during: 1_000,
      after: null,
      length: 2_000,
      started: 5,
      end: "exit",
    };
    test.each(["exit", "shutdown", "shutdown and exit"] as const)(
      "by %s, with no room ever again",
      async (end) => {
        const found = await fill({ ...base, end });
        check({ ...base, end }, found);
        expect(found.leftInJournal).toBeGreaterThan(0);
        expect(found.dropped.shutdown_timeout).toBeGreaterThan(0);
      },
      30_000,
    );

    test(`in ${ROUNDS} random histories`, async () => {
      const plan = fc.record({
        before: fc.nat(300),
        during: fc.nat(600),
        after: fc.option(fc.nat(100)),
        length: fc.integer({ min: 1, max: 3_000 }),
        started: fc.nat(10),
        end: fc.constantFrom("exit", "shutdown", "shutdown and exit"),
      });
      const property = fc.asyncProperty(plan, async (drawn) => check(drawn, await fill(drawn)));
      await fc.assert(property, { numRuns: ROUNDS, endOnFailure: true });
    }, 600_000);
  },
);
