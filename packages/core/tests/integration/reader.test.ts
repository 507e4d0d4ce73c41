import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync } from "node:fs";
import { join } from "node:path";
import { createAnalyticsDb } from "../../src/analytics/database/database.ts";
import { Importer } from "../../src/analytics/database/importer.ts";
import { countCalls } from "../../src/analytics/queries/calls.ts";
import { openAnalyticsReader } from "../../src/analytics/database/reader.ts";
import { TelemetryService } from "../../src/analytics/telemetry.ts";
import { environment } from "../support/environment.ts";
import { giveToNobody } from "../support/nobody.ts";
import { runProgram } from "../support/run.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

function makeFile(path: string): void {
  using db = createAnalyticsDb(path);
  const importer = new Importer(db);
  importer.toolCall({ id: "1", toolName: "echo", startedAt: 0, durationMs: 1 });
  importer.commit();
}

const FLOOD = join(import.meta.dir, "programs/flood.ts");

describe("openAnalyticsReader", () => {
  test("makes no file, and says where none is", async () => {
    using directory = temporaryDirectory();
    const path = directory.file("none.db");
    expect(openAnalyticsReader(path)).rejects.toMatchObject({ code: "not_found", path });
    expect(existsSync(path)).toBe(false);
  });

  test("opens the user's file by default, and answers", async () => {
    using directory = temporaryDirectory();
    using _ = environment({ TOOLMETER_DB: directory.file("a.db") });
    makeFile(directory.file("a.db"));
    using source = await openAnalyticsReader();
    expect(source.path).toBe(directory.file("a.db"));
    expect(countCalls(source, {})).toBe(1);
  });

  test("does not write", async () => {
    using directory = temporaryDirectory();
    makeFile(directory.file("a.db"));
    using source = await openAnalyticsReader(directory.file("a.db"));
    expect(() => source.$client.run("delete from tool_calls")).toThrow("readonly");
  });

  test("takes in what a dead process left, first", async () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    const child = Bun.spawn([process.execPath, FLOOD, path], { stdout: "pipe", stderr: "inherit" });
    for await (const _ of child.stdout) child.kill("SIGKILL");
    await child.exited;
    using source = await openAnalyticsReader(path);
    expect(countCalls(source, {})).toBeGreaterThan(0);
  });

  test("sees what a living process commits, and leaves its journal alone", async () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    using db = createAnalyticsDb(path);
    await using telemetry = new TelemetryService(db, { worker: false });
    telemetry.recordToolCall({ toolName: "echo", durationMs: 1 });
    using source = await openAnalyticsReader(path);
    expect(countCalls(source, {})).toBe(0);
    await telemetry.flush();
    expect(countCalls(source, {})).toBe(1);
  });

  test("refuses what is no database, and leaves it as it is", async () => {
    using directory = temporaryDirectory();
    const text = "not a database, but long enough to be looked at ".repeat(40);
    await Bun.write(directory.file("a.db"), text);
    expect(openAnalyticsReader(directory.file("a.db"))).rejects.toMatchObject({
      code: "not_a_database",
    });
    expect(await Bun.file(directory.file("a.db")).text()).toBe(text);
  });

  test("reads a file, and a directory, that may only be read", async () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    makeFile(path);
    chmodSync(path, 0o400);
    chmodSync(directory.path, 0o500);
    giveToNobody(directory.path, path);
    expect(await runProgram("read", [path])).toEqual({ calls: 1, refused: true });
    chmodSync(directory.path, 0o700);
  });
});
