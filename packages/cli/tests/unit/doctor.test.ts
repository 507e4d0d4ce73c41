import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { TelemetryService, createAnalyticsDb } from "@toolmeter/core";
import {
  checkDatabase,
  checkJournals,
  checkPlace,
  checkSwitch,
  checkVersions,
} from "../../src/doctor/checks.ts";
import { doctor } from "../../src/doctor/doctor.ts";
import { proveRecording } from "../../src/doctor/proof.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";
import { memoryTerminal } from "../support/toolmeter.ts";
import { fileWith } from "../support/traffic.ts";

describe("doctor finds", () => {
  test("what runs", () => {
    expect(checkVersions()).toMatchObject([
      { status: "ok", detail: expect.stringContaining(Bun.version) },
    ]);
  });

  test("that recording is switched off", () => {
    expect(checkSwitch()).toMatchObject([{ status: "ok" }]);
    process.env["TOOLMETER_DISABLED"] = "yes";
    try {
      expect(checkSwitch()).toMatchObject([{ status: "fail", fix: "unset TOOLMETER_DISABLED" }]);
    } finally {
      delete process.env["TOOLMETER_DISABLED"];
    }
  });

  test("a file that is not there yet, and one that others may read", async () => {
    using directory = temporaryDirectory();
    expect(await checkPlace(directory.file("deep/er/a.db"))).toMatchObject([
      { check: "file", status: "ok", detail: expect.stringContaining("will be created") },
      { check: "disk", status: "ok" },
    ]);
    expect(await checkDatabase(directory.file("none.db"), true)).toEqual([]);
    const file = fileWith(directory.file("a.db"), []);
    expect(await checkPlace(file)).toMatchObject([{ status: "ok" }, {}]);
    chmodSync(file, 0o644);
    expect(await checkPlace(file)).toMatchObject([
      { status: "warn", fix: expect.stringContaining("chmod 600") },
      {},
    ]);
  });

  test("what is wrong with a database", async () => {
    using directory = temporaryDirectory();
    const file = fileWith(directory.file("a.db"), [{ toolName: "a" }]);
    expect((await checkDatabase(file, true)).map(({ check, status }) => [check, status])).toEqual([
      ["database", "ok"],
      ["integrity", "ok"],
      ["losses, 7 days", "ok"],
      ["write lock", "ok"],
    ]);
    await Bun.write(
      directory.file("text.db"),
      "no database, but long enough to be looked at ".repeat(40),
    );
    expect(await checkDatabase(directory.file("text.db"), false)).toMatchObject([
      { check: "database", status: "fail" },
    ]);
  });

  test("losses, and a lock that somebody holds", async () => {
    using directory = temporaryDirectory();
    using db = createAnalyticsDb(directory.file("a.db"));
    db.$client.run(
      `insert into recorder_health (recorder_id, hour_started_at_ms, process_id, accepted, written, dropped_invalid,
         dropped_queue_full, dropped_unwritable, dropped_unknown_session, dropped_shut_down, failed_flushes, retries,
         unjournaled, recovered, recording_ms, queue_peak, journal_bytes, last_error)
       values ('r', ?, 1, 5, 5, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 'disk is full')`,
      [Math.floor(Date.now() / 3_600_000) * 3_600_000],
    );
    db.$client.run("begin immediate");
    expect(await checkDatabase(db.path, false)).toMatchObject([
      {},
      {
        check: "losses, 7 days",
        status: "warn",
        detail: "3 queue full",
        fix: expect.stringContaining("disk is full"),
      },
      {
        check: "write lock",
        status: "fail",
        detail: expect.stringContaining("not acquired within 2 s"),
      },
    ]);
    db.$client.run("rollback");
  }, 10_000);

  test("who records now: living processes, not the locks of dead ones", async () => {
    using directory = temporaryDirectory();
    const file = directory.file("a.db");
    const telemetry = new TelemetryService(file);
    writeFileSync(`${file}.journal/${Bun.randomUUIDv7()}.lock`, "");
    for (const name of ["log", "repair", "recovery", "any"]) {
      writeFileSync(`${file}.journal/${name}.lock`, "");
    }
    expect(await checkJournals(file)).toMatchObject([{ detail: "1 process is recording" }]);
    await telemetry.shutdown();
    expect(await checkJournals(file)).toMatchObject([{ detail: "0 processes are recording" }]);
  });

  test("what was set aside", async () => {
    using directory = temporaryDirectory();
    const file = fileWith(directory.file("a.db"), []);
    expect(await checkJournals(file)).toHaveLength(1);
    mkdirSync(`${file}.journal`, { recursive: true });
    writeFileSync(`${file}.journal/x-1.jsonl.damaged`, "");
    writeFileSync(`${file}.damaged-2026`, "");
    expect(await checkJournals(file)).toMatchObject([
      { status: "ok" },
      { status: "warn", detail: "x-1.jsonl.damaged, a.db.damaged-2026" },
    ]);
  });

  test("that a call cannot be recorded", async () => {
    expect(await proveRecording(["false"])).toMatchObject({
      status: "fail",
      detail: expect.stringContaining("exited with code 1"),
    });
    // It answers, but has recorded nothing.
    expect(await proveRecording(["sh", "-c", "echo hello", "sh"])).toMatchObject({
      status: "fail",
      detail: expect.stringContaining("cannot be read"),
    });
  });

  test("all of it, and shows it with what to do", async () => {
    using directory = temporaryDirectory();
    const file = fileWith(directory.file("a.db"), []);
    const { terminal, written } = memoryTerminal({ columns: 120 });
    expect(await doctor({ db: file }, terminal)).toBe(0);
    expect(written.out).toMatch(/^ok +a recorded call +answered and found/m);
    await Bun.write(
      directory.file("text.db"),
      "no database, but long enough to be looked at ".repeat(40),
    );
    expect(await doctor({ db: directory.file("text.db") }, terminal)).toBe(3);
  }, 20_000);
});
