/** Commands that move data: export, import, merge, prune, demo. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync, symlinkSync } from "node:fs";
import { asyncBufferFromFile, parquetReadObjects } from "hyparquet";
import { openAnalyticsReader, streamCalls } from "@toolmeter/core/queries";
import { DAY, fileWith, trafficFile } from "../support/traffic.ts";
import { toolmeter } from "../support/toolmeter.ts";
import { smallDisk } from "@toolmeter/testing/small-disk";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

let directory: ReturnType<typeof temporaryDirectory>;

beforeEach(() => {
  directory = temporaryDirectory();
});

afterEach(() => directory[Symbol.dispose]());

async function callsIn(path: string) {
  using source = await openAnalyticsReader(path);
  return [...streamCalls(source, {})];
}

const withoutSequence = (calls: Awaited<ReturnType<typeof callsIn>>) =>
  calls.map((call) => ({ ...call, sequence: 0 })).toSorted((a, b) => (a.id < b.id ? -1 : 1));

describe("export and import", () => {
  test("bring every call over, in all its columns, however often", async () => {
    const from = trafficFile(directory.file("from.db"), 1_500);
    const to = directory.file("to.db");
    const lines = directory.file("calls.jsonl");
    expect(
      await toolmeter(["export", "--db", from, "--since", "all", "--payloads", "-o", lines]),
    ).toMatchObject({
      code: 0,
      out: "",
      err: `1500 calls\n${lines}\n`,
    });
    expect((await toolmeter(["import", lines, "--db", to])).err).toContain(
      "1500 calls imported, 0 already present",
    );
    expect((await toolmeter(["import", lines, "--db", to])).err).toContain(
      "0 calls imported, 1500 already present",
    );
    expect(withoutSequence(await callsIn(to))).toEqual(withoutSequence(await callsIn(from)));
  });

  test("bring payloads only if they are asked for", async () => {
    const file = fileWith(directory.file("a.db"), [
      { toolName: "echo", arguments: { secret: 1 }, cacheHit: true },
    ]);
    const bare = await toolmeter(["export", "--db", file]);
    expect(JSON.parse(bare.out)).toMatchObject({ tool_name: "echo", cache_hit: true });
    expect(bare.out).not.toContain("secret");
    const whole = await toolmeter(["export", "--db", file, "--payloads"]);
    expect(JSON.parse(whole.out)).toMatchObject({ arguments: { secret: 1 } });
  });

  test("write CSV that has a line for each call, and only what matches", async () => {
    const file = fileWith(directory.file("a.db"), [
      { toolName: "echo", errorMessage: 'a "quoted",\nmessage' },
      { toolName: "other" },
    ]);
    const { out } = await toolmeter([
      "export",
      "--db",
      file,
      "--format",
      "csv",
      "--tool",
      "echo",
      "--quiet",
    ]);
    expect(out).toStartWith("sequence,id,tool_name,");
    expect(out).toContain('"a ""quoted"",\nmessage"');
    expect(out).not.toContain("other");
  });

  test("write any error code to Parquet", async () => {
    const codes = [2_147_942_405, -32_602, Number.MAX_SAFE_INTEGER];
    const from = fileWith(
      directory.file("a.db"),
      codes.map((errorCode) => ({ toolName: "a", status: "error", errorCode })),
    );
    const file = directory.file("calls.parquet");
    const words = ["export", "--db", from, "--format", "parquet", "-o", file];
    expect((await toolmeter(words)).code).toBe(0);
    const rows = await parquetReadObjects({ file: await asyncBufferFromFile(file) });
    expect(rows.map(({ error_code: code }) => code)).toEqual(codes.map(BigInt));
  });

  test("write Parquet that others read: types, nulls and all", async () => {
    const from = trafficFile(directory.file("from.db"), 21_000);
    const file = directory.file("calls.parquet");
    await toolmeter([
      "export",
      "--db",
      from,
      "--since",
      "all",
      "--format",
      "parquet",
      "-o",
      file,
      "--quiet",
    ]);
    const rows = await parquetReadObjects({ file: await asyncBufferFromFile(file) });
    const calls = await callsIn(from);
    expect(rows).toHaveLength(calls.length);
    for (const index of [0, 19_999, 20_000, 20_999]) {
      const call = calls[index];
      expect(rows[index]).toMatchObject({
        id: call?.id,
        tool_name: call?.tool_name,
        started_at_ms: new Date(call?.started_at_ms ?? 0),
        duration_ms: call?.duration_ms,
        status: call?.status,
        error_message: call?.error_message,
        client_name: call?.client_name,
      });
    }
  }, 60_000);

  test("leave no half file behind, and the old one as it was", async () => {
    const file = directory.file("a.db");
    await Bun.write(directory.file("calls.jsonl"), "old");
    await Bun.write(file, "no database, but long enough to be looked at ".repeat(40));
    expect(
      (await toolmeter(["export", "--db", file, "-o", directory.file("calls.jsonl")])).code,
    ).toBe(1);
    expect(await Bun.file(directory.file("calls.jsonl")).text()).toBe("old");
    expect(readdirSync(directory.path).filter((name) => name.endsWith(".part"))).toEqual([]);
    const good = fileWith(directory.file("good.db"), [{ toolName: "echo" }]);
    const outcome = await toolmeter(["export", "--db", good, "-o", directory.path]);
    expect(outcome.code).toBe(1);
    expect(readdirSync(directory.path).filter((name) => name.endsWith(".part"))).toEqual([]);
  });

  test("take in the good lines, and tell the bad ones by their number", async () => {
    const call = { id: "1", tool_name: "echo", started_at_ms: 5, duration_ms: 1 };
    const bad = [
      "nonsense",
      "[1]",
      '{"id":"2"}',
      '{"id":""}',
      JSON.stringify({ ...call, id: "3", duration_ms: -1 }),
    ];
    const worse = [
      { id: "4", tool_name: "a", started_at_ms: "x" },
      { id: "5", tool_name: "a", started_at_ms: 1 },
    ];
    const lines = [
      JSON.stringify(call),
      "",
      ...bad,
      ...worse.map((line) => JSON.stringify(line)),
      JSON.stringify({ ...call, id: "6" }),
    ];
    // The last line has no end.
    await Bun.write(directory.file("calls.jsonl"), lines.join("\n"));
    const { code, err } = await toolmeter([
      "import",
      directory.file("calls.jsonl"),
      "--db",
      directory.file("a.db"),
    ]);
    expect(code).toBe(1);
    expect(err).toContain("line 3:");
    expect(err).toContain("line 5: Expected a `tool_name`.");
    expect(err).toContain("2 calls imported");
    expect(err).toContain("7 of 10 lines could not be read as calls.");
    expect((await callsIn(directory.file("a.db"))).map(({ id }) => id)).toEqual(["1", "6"]);
    expect(
      await toolmeter(["import", directory.file("none"), "--db", directory.file("a.db")]),
    ).toMatchObject({ code: 1 });
  });
});

describe("merge", () => {
  test("takes in other files, and says what", async () => {
    const ours = fileWith(directory.file("ours.db"), [{ toolName: "a", id: "1" }]);
    const theirs = fileWith(directory.file("theirs.db"), [
      { toolName: "a", id: "1" },
      { toolName: "b", id: "2", sessionId: "s" },
    ]);
    const { code, err } = await toolmeter(["merge", theirs, theirs, "--db", ours]);
    expect(code).toBe(0);
    expect(err).toContain("1 calls and 1 sessions imported");
    expect(err).toContain("0 calls and 0 sessions imported");
    expect(await callsIn(ours)).toHaveLength(2);
    expect((await toolmeter(["merge", theirs, "--db", ours, "-q"])).err).toBe("");
  });

  test("does not take in itself, under whatever name", async () => {
    const ours = fileWith(directory.file("ours.db"), []);
    symlinkSync(ours, directory.file("link.db"));
    for (const name of [ours, directory.file("link.db")]) {
      expect(await toolmeter(["merge", name, "--db", ours])).toMatchObject({
        code: 1,
        err: expect.stringContaining("Expected files other than"),
      });
    }
  });
});

describe("prune", () => {
  const calls = Array.from({ length: 10 }, (_, day) => ({
    toolName: "a",
    startedAt: Date.now() - (9 - day) * DAY,
  }));

  test("tells what would go, and removes it only with --yes", async () => {
    const file = fileWith(directory.file("a.db"), calls);
    const words = ["prune", "--db", file, "--older-than", "84h"];
    expect((await toolmeter(words)).out).toStartWith("Would remove 6 of 10 calls");
    expect(await callsIn(file)).toHaveLength(10);
    expect((await toolmeter([...words, "--yes"])).out).toStartWith("Removed 6 of 10 calls");
    expect(await callsIn(file)).toHaveLength(4);
    expect((await toolmeter([...words, "-y", "-q"])).out).toBe("");
  });

  test("removes the oldest down to a size", async () => {
    const file = trafficFile(directory.file("a.db"), 8_000);
    await toolmeter(["prune", "--db", file, "--max-size", "2 MB", "--yes"]);
    const left = await callsIn(file);
    expect(left.length).toBeGreaterThan(0);
    expect(left.length).toBeLessThan(6_000);
    expect(Bun.file(file).size).toBeLessThan(3_000_000);
  });
});

const disk = smallDisk(1);
afterAll(() => disk[Symbol.dispose]());

describe("demo", () => {
  test.skipIf(!disk.isMounted)("on a full disk fails and leaves nothing behind", async () => {
    const { code, err } = await toolmeter(["demo", "-o", disk.file("demo.db")]);
    expect(code).toBe(1);
    expect(err).toStartWith("error: Expected ");
    expect(readdirSync(disk.path)).toEqual([]);
  });

  test("makes a file that everything works on", async () => {
    const { code, out, err } = await toolmeter(["demo", "--calls", "400", "--days", "3"]);
    expect(code).toBe(0);
    expect(out).toStartWith("Last 7 days");
    const [, path = ""] = /TOOLMETER_DB="?([^"\n]+)"?/.exec(err) ?? [];
    expect(await callsIn(path)).toHaveLength(400);
  });

  test("makes the same for the same seed, and overwrites nothing", async () => {
    const file = directory.file("demo.db");
    expect((await toolmeter(["demo", "--calls", "50", "-o", file, "-q"])).err).toBe("");
    expect(await toolmeter(["demo", "-o", file])).toMatchObject({
      code: 1,
      err: expect.stringContaining("exists"),
    });
    await toolmeter(["demo", "--calls", "50", "-o", directory.file("same.db"), "-q"]);
    const tools = async (name: string) =>
      (await callsIn(directory.file(name))).map(({ tool_name }) => tool_name);
    expect(await tools("demo.db")).toEqual(await tools("same.db"));
  });
});
