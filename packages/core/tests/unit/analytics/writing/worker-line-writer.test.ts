import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { renameSync } from "node:fs";
import { createAnalyticsDb } from "../../../../src/analytics/database/database.ts";
import { encode, encodeCall } from "../../../../src/analytics/records/record.ts";
import {
  WORKER_PROGRAM,
  WorkerLineWriter,
} from "../../../../src/analytics/writing/worker-line-writer.ts";
import { withDescriptors } from "../../../support/few-descriptors.ts";
import { run } from "../../../support/run.ts";
import { specifier } from "../../../support/run-script.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

function setUp(program: string | URL = WORKER_PROGRAM) {
  const directory = temporaryDirectory();
  const file = directory.file("a.db");
  createAnalyticsDb(file).close();
  const warnings: string[] = [];
  const recovered: number[] = [];
  const writer = new WorkerLineWriter({
    program,
    path: file,
    recorderId: "recorder",
    retention: {},
    warn: (message) => warnings.push(message),
    recovered: (records) => recovered.push(records),
  });
  return {
    directory,
    file,
    warnings,
    recovered,
    writer,
    async [Symbol.asyncDispose]() {
      await writer.close(1_000);
      directory[Symbol.dispose]();
    },
  };
}

function line(toolName: string): string {
  return encodeCall(Bun.randomUUIDv7(), 1, { toolName, durationMs: 1 });
}

function toolsIn(file: string): readonly unknown[] {
  using client = new Database(file, { readonly: true });
  return client.query("select tool_name from tool_calls order by sequence").values().flat();
}

/** A program that dies at the first batch, or after some, and answers a recovery with one record. */
function dyingProgram(directory: string, batches: number): string {
  const path = `${directory}/dying.ts`;
  void Bun.write(
    path,
    `let left = ${batches};
     self.onmessage = ({ data }) => {
       if (data.kind === "recover") self.postMessage({ kind: "recovered", records: 1 });
       if (data.kind !== "write") return;
       if (left-- === 0) throw new Error("out of batches");
       self.postMessage({ kind: "written", rejections: [], cost: { commitMs: 1, lockWaitMs: 0, walBytes: 0 } });
     };`,
  );
  return path;
}

describe("WorkerLineWriter", () => {
  test("writes batches in order, and says what they took", async () => {
    await using store = setUp();
    expect(store.writer.cost).toBeUndefined();
    await store.writer.write([line("one"), line("two")]);
    await store.writer.write([line("three")]);
    expect(toolsIn(store.file)).toEqual(["one", "two", "three"]);
    expect(store.writer.cost?.commitMs).toBeGreaterThan(0);
    expect(store.warnings).toEqual([]);
  });

  test("answers with the lines that can never be stored, and why", async () => {
    await using store = setUp();
    const end = encode({ kind: "session_end", row: { sessionId: "s", endedAt: 1, reason: null } });
    const rejections = await store.writer.write([line("one"), "}{\n", end, line("two")]);
    expect(rejections).toMatchObject([
      { index: 1, error: { code: "failed" } },
      { index: 2, error: { code: "unknown_session", path: store.file } },
    ]);
    expect(toolsIn(store.file)).toEqual(["one", "two"]);
  });

  test("fails with the database's error, and goes on afterwards", async () => {
    await using store = setUp();
    using holder = new Database(store.file);
    holder.run("begin immediate");
    const batch = [line("one")];
    const failure = await store.writer.write(batch).catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: "AnalyticsError", code: "locked", path: store.file });
    holder.run("rollback");
    await store.writer.write(batch);
    expect(toolsIn(store.file)).toEqual(["one"]);
  });

  test("passes on what the thread warns of", async () => {
    await using store = setUp();
    await store.writer.write([line("one")]);
    renameSync(store.file, store.directory.file("b.db"));
    await store.writer.write([line("two")]).catch(() => undefined);
    expect(store.warnings).toEqual([expect.stringContaining("moved, removed or replaced")]);
  });

  test("closes without ever having written", async () => {
    await using store = setUp();
    await store.writer.close(1_000);
  });

  test("does not wait for a thread that does not answer", async () => {
    await using store = setUp();
    using holder = new Database(store.file);
    await store.writer.write([line("one")]);
    holder.run("begin immediate");
    const pending = store.writer.write([line("two")]);
    pending.catch(() => undefined);
    // The lock is never released: without a limit this would not return.
    await store.writer.close(20);
  });

  test("writes in the calling thread where the program cannot run, and says so once", async () => {
    await using store = setUp("/nowhere/writer.worker.ts");
    await store.writer.write([line("one")]);
    await store.writer.write([line("two")]);
    expect(toolsIn(store.file)).toEqual(["one", "two"]);
    expect(store.warnings).toEqual([
      expect.stringContaining("Batches are written in the calling thread instead."),
    ]);
    expect(store.writer.cost?.commitMs).toBeGreaterThan(0);
  });

  test("writes in the calling thread where there are no threads at all", async () => {
    function NoWorker() {
      throw new Error("no threads here");
    }
    const worker = Object.getOwnPropertyDescriptor(globalThis, "Worker") ?? {};
    Object.defineProperty(globalThis, "Worker", { ...worker, value: NoWorker });
    await using store = setUp();
    await store.writer.write([line("one")]);
    Object.defineProperty(globalThis, "Worker", worker);
    expect(toolsIn(store.file)).toEqual(["one"]);
    expect(store.warnings).toEqual([expect.stringContaining("no threads here")]);
  });

  test("starts another thread when one dies that had worked", async () => {
    using directory = temporaryDirectory();
    await using store = setUp(dyingProgram(directory.path, 2));
    await store.writer.write(["a\n"]);
    await store.writer.write(["b\n"]);
    const failure = await store.writer.write(["c\n"]).catch(String);
    expect(failure).toContain("The writer thread died: ");
    expect(failure).toContain("out of batches");
    await store.writer.write(["c\n"]);
    expect(store.warnings).toEqual([]);
  });

  test("continues the recovery in another thread when one dies", async () => {
    using directory = temporaryDirectory();
    await using store = setUp(dyingProgram(directory.path, 1));
    store.writer.recover();
    await store.writer.write(["a\n"]);
    expect(store.recovered).toEqual([1]);
    await store.writer.write(["b\n"]).catch(String);
    await store.writer.write(["b\n"]);
    expect(store.recovered).toEqual([1, 1]);
  });

  test.skipIf(process.platform === "win32")(
    "starts no thread while no descriptors are left, and recovers with the next batch after that",
    async () => {
      using directory = temporaryDirectory();
      const program = dyingProgram(directory.path, 1);
      const script = `
        import { WorkerLineWriter } from ${specifier("writing/worker-line-writer")};
        import { takeDescriptors } from ${JSON.stringify(import.meta.resolve("../../../support/few-descriptors.ts"))};
        const recovered = [];
        const writer = new WorkerLineWriter({
          program: ${JSON.stringify(program)}, path: "a.db", recorderId: "recorder", retention: {},
          warn: console.error, recovered: (records) => recovered.push(records) });
        const free = takeDescriptors(0);
        writer.recover();
        console.log(await writer.write(["a\\n"]).catch(({ code }) => code));
        free();
        console.log((await writer.write(["a\\n"])).length, recovered.join());`;
      const outcome = await run(withDescriptors(64, [process.execPath, "-e", script]));
      expect(outcome).toEqual({ exitCode: 0, stdout: "cannot_open\n0 1\n", stderr: "" });
    },
  );

  test("gives up on threads when one dies before it ever worked", async () => {
    using directory = temporaryDirectory();
    await using store = setUp(dyingProgram(directory.path, 0));
    await store.writer.write([line("one")]);
    expect(toolsIn(store.file)).toEqual(["one"]);
    expect(store.warnings).toHaveLength(1);
  });
});
