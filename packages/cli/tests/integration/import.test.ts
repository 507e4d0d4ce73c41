/** What `import` says is what is in the database afterwards, whatever the input and whatever happens. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { createAnalyticsDb } from "@toolmeter/core";
import fc from "fast-check";
import { openAnalyticsReader, streamCalls } from "@toolmeter/core/queries";
import { importCalls } from "../../src/transfer/import.ts";
import { parseExactly } from "../../src/transfer/exact-json.ts";
import { TOOLMETER, command } from "../support/command.ts";
import { smallDisk } from "@toolmeter/testing/small-disk";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";
import { memoryTerminal, toolmeter } from "../support/toolmeter.ts";
import { fileWith } from "../support/traffic.ts";
import { until } from "@toolmeter/testing/until";

let directory: ReturnType<typeof temporaryDirectory>;
let db: string;
let lines: string;

beforeEach(() => {
  directory = temporaryDirectory();
  db = directory.file("a.db");
  lines = directory.file("calls.jsonl");
});
afterEach(() => directory[Symbol.dispose]());

const call = (id: string, more: object = {}) =>
  JSON.stringify({ id, tool_name: "echo", started_at_ms: 5, duration_ms: 1, ...more });

const calls = (count: number, more: object = {}) =>
  Array.from({ length: count }, (_, index) => `${call(`call-${index}`, more)}\n`).join("");

function countIn(path: string): number {
  using file = createAnalyticsDb(path);
  return Number(file.$client.query("select count(*) from tool_calls").values()[0]?.[0]);
}

/** The numbers of a summary, or of how an import ended. */
function told(err: string) {
  const [, stored, known] = /(\d+) calls imported, (\d+) already present/.exec(err) ?? [];
  return { stored: Number(stored), known: Number(known) };
}

describe("an input", () => {
  test.each([
    ["with a byte order mark", `\uFEFF${call("1")}\n${call("2")}\n`],
    ["with CRLF", `${call("1")}\r\n\r\n${call("2")}\r\n`],
    ["without a last line feed", `${call("1")}\n${call("2")}`],
    ["with blank lines", `\n \n${call("1")}\n\t\n${call("2")}\n\n`],
    ["of two files that begin with marks", `\uFEFF${call("1")}\n\uFEFF${call("2")}\n`],
  ])("%s is read", async (_name, text) => {
    await Bun.write(lines, text);
    const outcome = await toolmeter(["import", lines, "--db", db]);
    expect(outcome).toEqual({
      code: 0,
      out: "",
      err: `2 calls imported, 0 already present (${db}).\n`,
    });
  });

  test("from standard input, a FIFO or a device is read as a file is", async () => {
    await Bun.write(lines, calls(3));
    const fifo = directory.file("fifo");
    Bun.spawnSync(["mkfifo", fifo]);
    const writer = Bun.spawn(["sh", "-c", 'cat "$0" > "$1"', lines, fifo]);
    expect(told((await toolmeter(["import", fifo, "--db", db])).err).stored).toBe(3);
    await writer.exited;
    const piped = await command(["import", "-", "--db", db], { redirection: `<'${lines}'` });
    expect(told(piped.err)).toEqual({ stored: 0, known: 3 });
    expect((await toolmeter(["import", "/dev/null", "--db", db])).code).toBe(0);
  });

  test.each([
    ["that is not there", () => directory.file("none"), "there is no such file"],
    ["that is a directory", () => directory.path, "got the directory"],
    ["below a file", () => `${lines}/x`, "not a directory"],
  ])("%s fails, and makes no database", async (_name, input, reason) => {
    writeFileSync(lines, "");
    const { code, err } = await toolmeter(["import", input(), "--db", db]);
    expect(code).toBe(1);
    expect(err).toContain(reason);
    expect(err).not.toContain("    at ");
    expect(await Bun.file(db).exists()).toBeFalse();
  });
});

describe("a bad line", () => {
  test.each([
    ["no JSON", Buffer.from("nonsense"), /JSON/],
    ["no UTF-8", Buffer.from([0x22, 0xff, 0x22]), /^Expected UTF-8\.$/],
    ["half a surrogate pair", Buffer.from([0xed, 0xa0, 0x80]), /^Expected UTF-8\.$/],
    ["UTF-16", Buffer.from(`\uFEFF${call("u")}`, "utf16le"), /^Expected UTF-8\.$/],
    ["no object", Buffer.from("[1]"), /^Expected an object\.$/],
    ["nesting", Buffer.from("[".repeat(200_000)), /./],
    ["no id", Buffer.from("{}"), /^Expected an `id`\.$/],
    ["a number out of range", Buffer.from(call("3", { duration_ms: -1 })), /durationMs/],
    ["an unknown status", Buffer.from(call("3", { status: "odd" })), /status/],
    ["escapes", Buffer.from(`\u001B[31mred\u0007`), /JSON/],
    [
      "more than 16 MiB",
      Buffer.alloc(16 * 1_048_576 + 1, "x"),
      /^Expected a line of at most 16 MiB/,
    ],
  ])("is named with its reason, and the others are stored: %s", async (_name, bad, reason) => {
    await Bun.write(
      lines,
      Buffer.concat([Buffer.from(`${call("1")}\n`), bad, Buffer.from(`\n${call("2")}\n`)]),
    );
    const { code, err } = await toolmeter(["import", lines, "--db", db]);
    const [first = "", ...others] = err.trimEnd().split("\n");
    expect(first).toMatch(/^line 2: /);
    expect(first.slice(8)).toMatch(reason);
    expect(first.length).toBeLessThan(320);
    expect({ code, others }).toEqual({
      code: 1,
      others: [
        `2 calls imported, 0 already present (${db}).`,
        "error: 1 of 3 lines could not be read as calls.",
      ],
    });
    expect(countIn(db)).toBe(2);
  });

  test("that the database refuses is named, and the rest of its transaction is stored", async () => {
    using file = createAnalyticsDb(db);
    file.$client.run(
      "create trigger no before insert on tool_calls when new.tool_name = 'bad' begin select raise(abort, 'not this one'); end",
    );
    await Bun.write(lines, `${calls(300)}${call("x", { tool_name: "bad" })}\n${call("y")}\n`);
    const { code, err } = await toolmeter(["import", lines, "--db", db]);
    expect(code).toBe(1);
    expect(err).toContain("line 301: ");
    expect(err).toContain("not this one");
    expect(err).toContain("301 calls imported, 0 already present");
    expect(err).toContain("The database refused the calls of 1 of 302 lines.");
    expect(countIn(db)).toBe(301);
  });

  test("is only counted after twenty", async () => {
    await Bun.write(lines, "x\n".repeat(50));
    const { err } = await toolmeter(["import", lines, "--db", db]);
    expect(err.match(/^line \d+:/gm)).toHaveLength(20);
    expect(err).toContain("50 of 50 lines could not be read as calls.");
  });

  test("of 40 MB costs little memory", async () => {
    await Bun.write(lines, call("1"));
    const peak = async () => {
      const child = Bun.spawn([...TOOLMETER, "import", lines, "--db", db, "-q"], {
        stderr: "ignore",
      });
      await child.exited;
      return child.resourceUsage()?.maxRSS ?? 0;
    };
    const small = await peak();
    await Bun.write(lines, Buffer.alloc(40_000_000, "x"));
    // To hold it whole took nine times its length.
    expect((await peak()) - small).toBeLessThan(100_000_000);
  }, 60_000);
});

describe("a lock of another process", () => {
  test("is waited for, and the wait is told, but not with --quiet", async () => {
    await Bun.write(lines, calls(1_200));
    using other = createAnalyticsDb(db);
    other.$client.run("begin immediate");
    const { terminal, written } = memoryTerminal();
    const err = (text: string) => {
      terminal.err(text);
      if (text.startsWith("Waiting for another process to release")) other.$client.run("rollback");
    };
    await importCalls(lines, { db }, { ...terminal, err });
    expect(told(written.err)).toEqual({ stored: 1_200, known: 0 });

    other.$client.run("begin immediate");
    setTimeout(() => other.$client.run("rollback"), 700);
    expect(await toolmeter(["import", lines, "--db", db, "--quiet"])).toEqual({
      code: 0,
      out: "",
      err: "",
    });
  });

  test("that stays ends the import: how far it got, and that to import again is safe", async () => {
    await Bun.write(lines, calls(700));
    using other = createAnalyticsDb(db);
    const { terminal } = memoryTerminal();
    other.$client.run("begin immediate");
    const failure = await importCalls(lines, { db, patienceMs: 0 }, terminal).catch(String);
    expect(failure).toMatch(
      /another process holds it.* stopped at line 501: 0 calls imported, 0 already present .* 501 more calls were read but not stored\. Repeat the import/,
    );
    other.$client.run("rollback");
  });
});

const disk = smallDisk(2);
afterAll(() => disk[Symbol.dispose]());

describe("an import that ends early", () => {
  test.skipIf(!disk.isMounted)(
    "by a full disk tells what is stored, and can be repeated",
    async () => {
      const small = disk.file("a.db");
      await Bun.write(lines, calls(20_000, { error_message: "x".repeat(50) }));
      const { code, err } = await toolmeter(["import", lines, "--db", small]);
      expect(code).toBe(1);
      expect(err).toContain("error: Expected free space");
      expect(err).not.toContain("could not be read");
      const { stored, known } = told(err);
      expect({ stored, known }).toEqual({ stored: countIn(small), known: 0 });
      expect(stored).toBeGreaterThan(0);
      expect(stored).toBeLessThan(20_000);
      const again = await toolmeter(["import", lines, "--db", small]);
      expect(again.code).toBe(1);
      const repeated = told(again.err);
      expect(repeated.known).toBe(stored);
      expect(repeated.known + repeated.stored).toBe(countIn(small));
      for (const suffix of ["", "-wal", "-shm"]) rmSync(`${small}${suffix}`, { force: true });
    },
  );

  /** More in the long run: `TOOLMETER_ROUNDS=20`. */
  const rounds = Number(process.env["TOOLMETER_ROUNDS"] ?? 1);

  test("by SIGKILL is resumed, each call once", async () => {
    await Bun.write(lines, calls(4_000));
    for (let round = 0; round < rounds; round += 1) {
      const file = directory.file(`${round}.db`);
      const child = Bun.spawn([...TOOLMETER, "import", lines, "--db", file], { stderr: "ignore" });
      await until(async () => child.exitCode !== null || (await Bun.file(`${file}-wal`).exists()));
      await Bun.sleep(Math.random() * 200);
      child.kill("SIGKILL");
      await child.exited;
      const before = countIn(file);
      const { code, err } = await toolmeter(["import", lines, "--db", file]);
      expect({ code, ...told(err) }).toEqual({ code: 0, stored: 4_000 - before, known: before });
      expect(countIn(file)).toBe(4_000);
    }
  }, 600_000);
});

test("the counts are of this import alone, also when others record meanwhile", async () => {
  const fifo = directory.file("fifo");
  Bun.spawnSync(["mkfifo", fifo]);
  const imported = toolmeter(["import", fifo, "--db", db]);
  // A process of its own: to open a FIFO waits for the other side.
  const writer = Bun.spawn(["sh", "-c", 'cat > "$0"', fifo], { stdin: "pipe" });
  void writer.stdin.write(calls(600));
  await writer.stdin.flush();
  using other = createAnalyticsDb(db);
  const stored = () => other.$client.query("select count(*) from tool_calls").values()[0]?.[0];
  await until(() => stored() === 500);
  fileWith(db, [
    { id: "theirs", toolName: "a" },
    // The import has it, too.
    { id: "call-550", toolName: "a" },
  ]);
  await writer.stdin.end();
  expect(told((await imported).err)).toEqual({ stored: 599, known: 1 });
  expect(stored()).toBe(601);
});

test.each(["import", "merge"])(
  "%s refuses a database that would only be in memory",
  async (name) => {
    await Bun.write(lines, calls(1));
    const from = name === "merge" ? fileWith(directory.file("from.db"), []) : lines;
    const { code, err } = await command([name, from, "--db", db], {
      env: { TOOLMETER_DISABLED: "1" },
    });
    expect({ code, err }).toEqual({
      code: 1,
      err: expect.stringContaining("Expected a database file to store calls in"),
    });
  },
);

test("numbers in payloads are stored as they were written", async () => {
  const payload = '{"id":1234567890123456789,"few":[-0,1.50,1e400]}';
  await Bun.write(lines, `${call("1").slice(0, -1)},"arguments":${payload}}\n`);
  await toolmeter(["import", lines, "--db", db]);
  const { out } = await toolmeter(["export", "--db", db, "--since", "all", "--payloads"]);
  expect(out).toContain(`"arguments":${payload}`);
});

/** JSON texts as they are stored: of one form, and with numbers that no double holds. */
const text = fc.string({ unit: "binary", maxLength: 8 });
const { json } = fc.letrec<{ json: string; number: string }>((tie) => ({
  number: fc.oneof(
    fc.bigInt().map(String),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
    fc.constantFrom("-0", "1e400", "1.50", "9223372036854775807", "123456789012345678901234567890"),
  ),
  json: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom("null", "true", "false", '""'),
    tie("number"),
    text.map((value) => JSON.stringify(value)),
    fc.array(tie("json"), { maxLength: 3 }).map((parts) => `[${parts.join(",")}]`),
    fc.dictionary(text, tie("json"), { maxKeys: 3, noNullPrototype: true }).map((fields) => {
      const parts = Object.entries(fields).map(([key, value]) => `${JSON.stringify(key)}:${value}`);
      return `{${parts.join(",")}}`;
    }),
  ),
}));
const payload = json.map((value) => JSON.stringify(parseExactly(value)));
const attributes = fc
  .dictionary(
    text.filter((key) => key !== "__proto__"),
    payload,
    { maxKeys: 3 },
  )
  .map(
    (fields) =>
      `{${Object.entries(fields)
        .map(([key, value]) => `${JSON.stringify(key)}:${value}`)
        .join(",")}}`,
  );

const optional = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined });
const anyCount = optional(fc.maxSafeNat());
const anyCall = fc.record({
  toolName: text.filter((name) => name !== ""),
  startedAt: fc.oneof(
    fc.double({ min: 0, max: 253_402_300_799_999, noNaN: true }),
    fc.constantFrom(0, 253_402_300_799_999),
  ),
  durationMs: fc.oneof(
    fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(-0, 5e-324, Number.MAX_VALUE, 2 ** 63),
  ),
  sessionId: optional(text),
  status: optional(fc.constantFrom("success", "error", "abandoned", "task")),
  errorType: optional(text),
  errorCode: optional(fc.maxSafeInteger()),
  errorMessage: optional(text),
  inputBytes: anyCount,
  outputBytes: anyCount,
  inputTokens: anyCount,
  outputTokens: anyCount,
  tokenMethod: optional(text),
  outputContentTypes: optional(fc.constantFrom({}, { text: 2 }, { image: 0, text: 1 })),
  cacheHit: optional(fc.boolean()),
  argumentHash: optional(text),
  requestId: optional(fc.oneof(text, fc.double({ noNaN: true, noDefaultInfinity: true }))),
  clientName: optional(text),
  serverName: optional(text),
  transport: optional(text),
});
const stored = fc.record({
  call: anyCall,
  payloads: fc.record({
    arguments: optional(payload),
    result: optional(payload),
    attributes: optional(attributes),
  }),
});

async function rowsOf(path: string) {
  using source = await openAnalyticsReader(path);
  return [...streamCalls(source, {})].map((row) => ({ ...row, sequence: 0 }));
}

test("any calls that are exported and imported elsewhere are the same rows, however often", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(stored, { minLength: 1, maxLength: 6 }), async (all) => {
      using place = temporaryDirectory();
      const [from, to, file] = [place.file("from.db"), place.file("to.db"), place.file("calls")];
      fileWith(
        from,
        all.map(({ call: each }) => each),
      );
      {
        using filled = createAnalyticsDb(from);
        for (const [index, { payloads }] of all.entries()) {
          const { arguments: input = null, result = null, attributes: others = null } = payloads;
          filled.$client.run(
            "update tool_calls set arguments = ?, result = ?, attributes = ? where id = ?",
            [input, result, others, `call-${index}`],
          );
        }
      }
      const exported = ["export", "--db", from, "--since", "all", "--payloads", "-o", file, "-q"];
      expect(await toolmeter(exported)).toEqual({ code: 0, out: "", err: "" });
      for (const counts of [
        { stored: all.length, known: 0 },
        { stored: 0, known: all.length },
      ]) {
        const { code, err } = await toolmeter(["import", file, "--db", to]);
        expect({ code, ...told(err) }).toEqual({ code: 0, ...counts });
        expect(await rowsOf(to)).toEqual(await rowsOf(from));
      }
    }),
    { numRuns: 8 * Number(process.env["TOOLMETER_ROUNDS"] ?? 1) },
  );
}, 600_000);
