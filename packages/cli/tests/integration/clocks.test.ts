/** Calls stamped by clocks that ran ahead: no answer leaves them out, unless `--until` says so. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Importer, createAnalyticsDb } from "@toolmeter/core";
import { DAY } from "../support/traffic.ts";
import { json, toolmeter } from "../support/toolmeter.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const STAMPS = {
  "60-days-ago": Date.now() - 60 * DAY,
  "an-hour-ago": Date.now() - DAY / 24,
  "in-an-hour": Date.now() + DAY / 24,
  "in-2038": Date.UTC(2038, 0, 19, 3, 14, 8),
  "in-2099": Date.UTC(2099, 11, 31),
};

const AHEAD = ["in-2038", "in-2099", "in-an-hour"];
const LATEST = [...AHEAD, "an-hour-ago"].toSorted();
const ALL = Object.keys(STAMPS).toSorted();

let directory: ReturnType<typeof temporaryDirectory>;
let db: string;

/** For each stamp a session of its own, in which one tool fails, is tried again, and is called three times alike. */
beforeAll(() => {
  directory = temporaryDirectory();
  db = directory.file("a.db");
  using file = createAnalyticsDb(db);
  const importer = new Importer(file);
  for (const [name, startedAt] of Object.entries(STAMPS)) {
    const definition = { hash: name, toolName: name, definition: {}, bytes: 2, tokens: 1 };
    importer.toolDefinition({ ...definition, tokenMethod: "test" }, startedAt);
    importer.session(name, { startedAt, clientName: name, definitionHashes: [name] });
    for (let index = 0; index < 4; index += 1) {
      importer.toolCall({
        id: `${name}-${index}`,
        sessionId: name,
        toolName: name,
        startedAt: startedAt + index,
        durationMs: 1,
        status: index === 0 ? "rejected" : "success",
        argumentHash: index === 0 ? "wrong" : "right",
        outputTokens: 1,
      });
    }
  }
  importer.commit();
});

afterAll(() => directory[Symbol.dispose]());

/** The stamps that an answer tells of, found by their names. */
async function stampsIn(...words: readonly string[]): Promise<readonly string[]> {
  const { out } = await toolmeter([...words, "--db", db]);
  return ALL.filter((name) => out.includes(name));
}

const COMMANDS = [
  "report --json --limit 0",
  "tools --json --limit 0",
  "sessions --json --limit 0",
  "errors --json --limit 0",
  "slow --json --limit 0",
  "clients --json --limit 0",
  "transitions --json --limit 0",
  "tax --json --limit 0",
  "confusion --json --limit 0",
  "export",
  "export --format csv",
];

describe.each(COMMANDS)("%s", (line) => {
  const command = line.split(" ");

  test("has all calls with --since all", async () => {
    expect(await stampsIn(...command, "--since", "all")).toEqual(ALL);
  });

  test("has those stamped later than now by default", async () => {
    expect(await stampsIn(...command)).toEqual(LATEST);
  });

  test("has none of them with --until", async () => {
    expect(await stampsIn(...command, "--since", "all", "--until", "0s")).toEqual(
      ALL.filter((name) => !AHEAD.includes(name)),
    );
  });
});

describe("a report", () => {
  test("says that there are such calls, and how to leave them out", async () => {
    const { out } = await toolmeter(["--db", db]);
    expect(out).toContain("12 of these calls have a start time in the future");
    expect(out).toContain("--until 0s");
    expect((await toolmeter(["--db", db, "--until", "0s"])).out).not.toContain("later than now");
  });

  test("compares with the same time before, and counts them in the last bucket", async () => {
    const { out } = await toolmeter(["--db", db, "--since", "48h", "--json"]);
    const answer: { buckets: readonly { calls: number; startedAt: number }[] } = JSON.parse(out);
    expect(answer).toMatchObject({ totals: { calls: 16 }, before: { calls: 0 } });
    const { buckets } = answer;
    expect(buckets.length).toBeLessThan(60);
    expect(buckets.at(-1)?.startedAt).toBeLessThanOrEqual(Date.now());
    expect(buckets.reduce((sum, { calls }) => sum + calls, 0)).toBe(16);
    expect(await json("--db", db, "--since", "31d")).toMatchObject({
      totals: { calls: 16 },
      before: { calls: 4 },
    });
  });

  test("can begin later than now: there is nothing to compare with", async () => {
    expect(await json("--db", db, "--since", "2090-01-01")).toMatchObject({
      totals: { calls: 4 },
      before: null,
      buckets: [{ calls: 4 }],
    });
  });
});

test("one tool, check and health know them, too", async () => {
  expect(await json("tools", "in-2099", "--db", db)).toMatchObject({
    totals: { calls: 4 },
    before: { calls: 0 },
  });
  const { code, out } = await toolmeter(["check", "--db", db, "--rejection-rate", "10%", "--json"]);
  expect({ code, tools: ALL.filter((name) => out.includes(name)) }).toEqual({
    code: 3,
    tools: LATEST,
  });
  const health = (await toolmeter(["health", "--db", db])).out;
  expect(health).toMatch(/since the last call\s+0/);
});
