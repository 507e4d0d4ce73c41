import { expect, test } from "bun:test";
import { join } from "node:path";
import { createAnalyticsDb } from "../../src/analytics/database/database.ts";
import { journalDirectory } from "../../src/analytics/file/journal-directory.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const PROGRAM = join(import.meta.dir, "programs/flood.ts");

/** More in the long run: `bun run soak kill`. */
const KILLS = Number(process.env["TOOLMETER_ROUNDS"] ?? 6);

/** Runs the program, kills it after some milliseconds, and returns how many calls it said were accepted. */
async function flood(file: string, milliseconds: number): Promise<number> {
  const child = Bun.spawn([process.execPath, PROGRAM, file], { stdout: "pipe", stderr: "inherit" });
  let heard = "";
  const decoder = new TextDecoder();
  for await (const bytes of child.stdout) {
    if (heard === "") setTimeout(() => child.kill("SIGKILL"), milliseconds);
    heard += decoder.decode(bytes);
  }
  await child.exited;
  // The last line may be cut off.
  return heard.split("\n").length - 1;
}

test(`killed ${KILLS} times at random moments: no accepted call is lost, none is there twice`, async () => {
  let total = 0;
  for (let round = 0; round < KILLS; round += 1) {
    using directory = temporaryDirectory();
    const file = directory.file("a.db");
    const accepted = await flood(file, Math.random() * 400);
    total += accepted;
    using db = createAnalyticsDb(file);
    const values = (sql: string) => db.$client.query(sql).values();
    const numbers = new Set(
      values("select cast(request_id as integer) from tool_calls").map(([number]) => number),
    );
    const lost = Array.from({ length: accepted }, (_, number) => number).filter(
      (number) => !numbers.has(number),
    );
    const [stored] = values("select count(*), count(distinct request_id) from tool_calls");
    expect({ round, lost, duplicates: Number(stored?.[0]) - Number(stored?.[1]) }).toEqual({
      round,
      lost: [],
      duplicates: 0,
    });
    expect(values("pragma integrity_check")).toEqual([["ok"]]);
    expect(values("select count(*) from sessions where ended_at_ms is null")).toEqual([[0]]);
    expect(values("select distinct end_reason from sessions")).toEqual([["stale"]]);
    expect([...new Bun.Glob("**").scanSync(journalDirectory(file))]).toEqual([]);
  }
  process.stderr.write(`  ${total} accepted calls in ${KILLS} processes\n`);
}, 600_000);

test("killed while they open and migrate a new file, processes leave one that opens", async () => {
  using directory = temporaryDirectory();
  const program = join(import.meta.dir, "programs/leave-pending.ts");
  for (let round = 0; round < 20; round += 1) {
    const file = directory.file(`${round}.db`);
    const child = Bun.spawn([process.execPath, program, file, "3"], { stdout: "ignore" });
    // It takes some fifty milliseconds to its end.
    await Promise.race([Bun.sleep(20 + 2 * round), child.exited]);
    child.kill("SIGKILL");
    await child.exited;
    using db = createAnalyticsDb(file);
    expect(db.$client.query("pragma integrity_check").values()).toEqual([["ok"]]);
    expect(db.journalMode).toBe("wal");
  }
}, 30_000);
