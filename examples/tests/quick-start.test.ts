import { expect, test } from "bun:test";
import { mkdtempDisposableSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAnalyticsDb, sessionSummaries, toolDaily } from "@toolmeter/core";
import { startExample } from "./run-example.ts";

test("the quick start records three calls and prints them for each tool", async () => {
  using directory = mkdtempDisposableSync(join(tmpdir(), "toolmeter-test-"));
  const path = join(directory.path, "new", "analytics.db");
  const { finished } = startExample("quick-start.ts", { env: { TOOLMETER_DB: path } });
  const { exitCode, stdout, stderr } = await finished;
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  const [fetch, search] = stdout.split("\n").filter((line) => /fetch|search/.test(line));
  expect(fetch).toMatch(/ fetch +│ 1 +│ 1 +│ 3000 /);
  expect(search).toMatch(/ search +│ 2 +│ 0 +│ 48\.1 /);

  using db = createAnalyticsDb(path);
  expect(db.select().from(toolDaily).all()).toMatchObject([
    { toolName: "fetch", calls: 1, failures: 1 },
    { toolName: "search", calls: 2, failures: 0 },
  ]);
  expect(db.select().from(sessionSummaries).get()).toMatchObject({
    id: expect.any(String),
    clientName: "my-agent",
    calls: 3,
    endedAt: expect.any(Number),
  });
});

test("the quick start is 25 lines at most", () => {
  const text = readFileSync(new URL("../quick-start.ts", import.meta.url), "utf8");
  expect(text.trimEnd().split("\n").length).toBeLessThanOrEqual(25);
});
