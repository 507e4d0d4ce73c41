import { describe, expect, test } from "bun:test";
import { type AnalyticsDb, TelemetryService, createAnalyticsDb } from "@toolmeter/core";
import { tail } from "../../src/answers/tail.ts";
import { fileWith } from "../support/traffic.ts";
import { memoryTerminal } from "../support/toolmeter.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";
import { until } from "@toolmeter/testing/until";

const countIn = (db: AnalyticsDb) =>
  db.$client.query("select count(*) from tool_calls").values()[0]?.[0];

describe("toolmeter tail", () => {
  test("shows the last calls, then each when it ends, long before it is in the file", async () => {
    using directory = temporaryDirectory();
    const path = fileWith(directory.file("a.db"), [{ toolName: "old" }, { toolName: "older" }]);
    using db = createAnalyticsDb(path);
    await using telemetry = new TelemetryService(db, { worker: false });
    const { terminal, written } = memoryTerminal();
    const stop = new AbortController();
    const done = tail({ db: path, limit: 1, tz: "UTC" }, terminal, stop.signal);
    await until(() => written.out.includes("older"));
    expect(written.out).not.toContain("old ");
    telemetry.recordToolCall({
      toolName: "fresh",
      durationMs: 12,
      status: "error",
      errorMessage: "a\u001B[31m reason",
      clientName: "claude",
      serverName: "files",
    });
    await until(() => written.out.includes("fresh"));
    // It is in the journal only.
    expect(countIn(db)).toBe(2);
    expect(written.out).toMatch(
      /^\d\d:\d\d:\d\d {2}error +12 ms {2}fresh \(claude → files\) a reason$/m,
    );
    // Now it comes into the file: it is not shown again.
    await telemetry.flush();
    expect(countIn(db)).toBe(3);
    fileWith(path, [{ toolName: "other", id: "from another process" }]);
    await until(() => written.out.includes("other"));
    stop.abort();
    expect(await done).toBe(130);
    expect(written.out.split("\n").filter((line) => line.includes("fresh"))).toHaveLength(1);
    expect(written.err).toStartWith("Following ");
  });

  test("shows a person the calls in flight, and how long they run", async () => {
    using directory = temporaryDirectory();
    const path = fileWith(directory.file("a.db"), []);
    using db = createAnalyticsDb(path);
    await using telemetry = new TelemetryService(db, { worker: false });
    const { terminal, written } = memoryTerminal({ isInteractive: true, hasColor: true });
    const stop = new AbortController();
    const done = tail({ db: path, quiet: true }, terminal, stop.signal);
    const call = telemetry.startToolCall({ toolName: "slow" });
    await until(() => /running .*slow/.test(written.out));
    call.end({ status: "timeout" });
    await until(() => /timeout .*slow/.test(written.out));
    stop.abort();
    await done;
    // The line of the call in flight was taken away before.
    expect(written.out.lastIndexOf("\u001B[1A\u001B[J")).toBeLessThan(
      written.out.lastIndexOf("timeout"),
    );
    expect(written.err).toBe("");
  });

  test("reads patterns as the queries do", async () => {
    using directory = temporaryDirectory();
    const path = fileWith(directory.file("a.db"), []);
    using db = createAnalyticsDb(path);
    await using telemetry = new TelemetryService(db, { worker: false });
    const { terminal, written } = memoryTerminal();
    const stop = new AbortController();
    const filter = { tool: ["files*", "get[[*"], server: ["*memory"] };
    const done = tail({ db: path, quiet: true, ...filter }, terminal, stop.signal);
    for (const [toolName, serverName] of [
      ["files/read", "@scope/other"],
      ["get[", "@scope/server-memory"],
      ["get[[0]", "@scope/server-memory"],
      ["files/read", "@scope/server-memory"],
    ] as const) {
      telemetry.recordToolCall({ toolName, serverName, durationMs: 1 });
    }
    await until(() => written.out.includes("files/read"));
    stop.abort();
    await done;
    expect(written.out.match(/\S+ \(.*\)/g)?.toSorted()).toEqual([
      "files/read (@scope/server-memory)",
      "get[[0] (@scope/server-memory)",
    ]);
  });

  test("gives machines a line of JSON for each call, of what is asked for", async () => {
    using directory = temporaryDirectory();
    const path = fileWith(directory.file("a.db"), [
      { toolName: "read_file" },
      { toolName: "write" },
    ]);
    using db = createAnalyticsDb(path);
    await using telemetry = new TelemetryService(db, { worker: false });
    const { terminal, written } = memoryTerminal();
    const stop = new AbortController();
    const filter = { tool: ["read_*"], client: ["claude"], status: ["success"] };
    const done = tail({ db: path, json: true, quiet: true, ...filter }, terminal, stop.signal);
    const call = (toolName: string, clientName: string) => ({
      toolName,
      clientName,
      durationMs: 1,
    });
    telemetry.recordToolCall(call("read_dir", "cursor"));
    telemetry.recordToolCall(call("write", "claude"));
    telemetry.recordToolCall({ ...call("read_dir", "claude"), status: "error" });
    telemetry.recordToolCall(call("read_dir", "claude"));
    await until(() => written.out.includes("\n"));
    stop.abort();
    await done;
    const lines = written.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines).toMatchObject([
      { toolName: "read_dir", clientName: "claude", status: "success" },
    ]);
  });
});
