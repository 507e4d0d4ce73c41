import { describe, expect, test } from "bun:test";
import { createAnalyticsDb } from "../../src/analytics/database/database.ts";
import { toolCalls } from "../../src/analytics/schema.ts";
import { runProgram } from "../support/run.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

// Each process has a timer of an hour: one that kept the process alive would outlast the test.
describe("a process with pending telemetry ends by itself", () => {
  test("while a partial batch waits for its interval", async () => {
    using directory = temporaryDirectory();
    expect(await runProgram("leave-pending", [directory.file("a.db"), "3"])).toEqual({
      remaining: 3,
    });
  });

  test("while another process holds the lock that a full batch needs", async () => {
    using directory = temporaryDirectory();
    using db = createAnalyticsDb(directory.file("a.db"));
    db.$client.run("begin immediate");
    expect(await runProgram("leave-pending", [db.path, "60"])).toEqual({ remaining: 60 });
  });

  test("after a shutdown that could not write", async () => {
    using directory = temporaryDirectory();
    using db = createAnalyticsDb(directory.file("a.db"));
    db.$client.run("begin immediate");
    expect(await runProgram("leave-pending", [db.path, "60", "300"])).toMatchObject({
      outcome: "timed_out",
      remaining: 60,
    });
  });

  test("after a shutdown, with everything written", async () => {
    using directory = temporaryDirectory();
    using db = createAnalyticsDb(directory.file("a.db"));
    expect(await runProgram("leave-pending", [db.path, "60", "30000"])).toEqual({
      outcome: "written",
      remaining: 0,
    });
    expect(await db.$count(toolCalls)).toBe(60);
  });
});
