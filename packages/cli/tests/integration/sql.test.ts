/** `toolmeter sql`: what it answers, that it only reads, and that it ends. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { contentsOf } from "../support/contents.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";
import { run } from "../../src/run.ts";
import { json, memoryTerminal, toolmeter } from "../support/toolmeter.ts";
import { fileWith } from "../support/traffic.ts";
import { until } from "@toolmeter/testing/until";

const SOURCE = join(import.meta.dir, "../../src/toolmeter.ts");
const ENDLESS = "with recursive n(i) as (select 1 union all select i + 1 from n)";

/** Runs of the long trials; 1 takes those that differ most. */
const ROUNDS = Number(process.env["TOOLMETER_ROUNDS"] ?? 1);

// A safety net: a query that is not stopped would never end.
setDefaultTimeout(30_000);

const directory = temporaryDirectory();
let file: string;

beforeAll(() => {
  file = fileWith(directory.file("a.db"), [{ toolName: "a" }, { toolName: "b" }]);
});

afterAll(() => directory[Symbol.dispose]());

const ask = (query: string, ...words: readonly string[]) =>
  toolmeter(["sql", query, "--db", file, "--tz", "UTC", ...words]);

describe("an answer", () => {
  test("is of all kinds of values, integers exact", async () => {
    const query = `select tool_name, 1.5 as number, null as missing, x'0aff' as bytes,
      9223372036854775807 as large, -9223372036854775808 as small, 9007199254740993 as odd,
      1e999 as infinite from tool_calls order by tool_name desc`;
    const { out } = await ask(query, "--json", "--limit", "1");
    expect(out.replaceAll(/\s+/g, "")).toBe(
      `[{"tool_name":"b","number":1.5,"missing":null,"bytes":"x'0aff'","large":9223372036854775807,"small":-9223372036854775808,"odd":9007199254740993,"infinite":9e999}]`,
    );
    const csv = await ask(query, "--format", "csv");
    expect(csv.out.split("\n")[1]).toBe(
      "b,1.5,,x'0aff',9223372036854775807,-9223372036854775808,9007199254740993,Infinity",
    );
    const table = await ask(query, "--limit", "1");
    expect(table.out).toContain("9007199254740993  ");
    expect(table.out).toContain("… and more: --limit 0 shows all");
  });

  test("has every column, those of equal names too", async () => {
    expect(await json("sql", "select 1 as a, 2 as a, 3 as A, 4 as '2'", "--db", file)).toEqual([
      { 2: 4, a: 1, "a:1": 2, "A:2": 3 },
    ]);
    const calls = await ask("select * from tool_calls limit 0", "--format", "csv");
    const twice = "select * from tool_calls as a join tool_calls as b on a.id = b.id";
    const joined = await ask(twice, "--format", "csv");
    const [header = "", ...lines] = joined.out.trimEnd().split("\n");
    const columns = header.split(",");
    expect(columns).toHaveLength(2 * calls.out.split(",").length);
    expect(new Set(columns).size).toBe(columns.length);
    expect(lines.map((line) => line.split(",").length)).toEqual([columns.length, columns.length]);
  });

  test.each(["__proto__", "constructor", "toString", "", "a|b<i>"])(
    "may have a column of the name %p",
    async (name) => {
      const { out } = await ask(`select 7 as "${name}"`, "--json");
      expect(Object.entries(JSON.parse(out)[0])).toEqual([[name, 7]]);
    },
  );

  test.each([
    ["table", "a  b\nNo rows.\n"],
    ["csv", "a,b\n"],
    ["md", "| a | b |\n| ---: | ---: |\n\nNo rows.\n"],
    ["json", "[]\n"],
  ])("without rows keeps its header: %s", async (format, expected) => {
    expect((await ask("select 1 as a, 2 as b where 0", "--format", format)).out).toBe(expected);
  });

  test("keeps its order, and stops at its limit even of an endless query", async () => {
    const { out } = await ask(`${ENDLESS} select i from n`, "--limit", "3", "--format", "csv");
    expect(out).toBe("i\n1\n2\n3\n");
    const sorted = "select column1 as i from (values (2), (3), (1)) order by 1 desc";
    expect((await ask(sorted, "--format", "csv")).out).toBe("i\n3\n2\n1\n");
  });

  test("says what is wrong with a question", async () => {
    expect(await ask("select nonsense from tool_calls")).toEqual({
      code: 1,
      out: "",
      err: "error: no such column: nonsense\n",
    });
    const none = directory.file("none.db");
    const missing = await toolmeter(["sql", "select 1", "--db", none]);
    expect(missing).toMatchObject({ code: 1, out: "" });
    expect(missing.err).toContain("does not exist");
    expect(missing.err).toContain("toolmeter demo");
  });
});

describe("sql writes nothing", () => {
  const target = directory.file("written.db");

  test.each([
    "delete from tool_calls",
    `vacuum into '${target}'`,
    `select 1; vacuum into '${target}'`,
    `attach 'file:${target}?mode=rwc' as other`,
    "pragma user_version = 9",
    "select load_extension('nothing')",
  ])("and says so: %s", async (statement) => {
    const before = contentsOf(directory.path);
    const { code, out, err } = await ask(statement);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toMatch(
      /^error: (?:Expected (?:a read-only statement|one statement)|not authorized)/,
    );
    expect(contentsOf(directory.path)).toEqual(before);
  });

  test("not even beside the file, nor to sort", async () => {
    const before = contentsOf(directory.path);
    const query = `${ENDLESS} select hex(randomblob(20)) as a from n limit 50000`;
    expect((await ask(`select * from (${query}) order by a`, "--limit", "1")).code).toBe(0);
    expect(contentsOf(directory.path)).toEqual(before);
  });
});

/** A process that asks. */
function start(query: string, ...words: readonly string[]) {
  return Bun.spawn([process.execPath, SOURCE, "sql", query, "--db", file, ...words], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
}

const COUNT = `${ENDLESS} select count(*) from n`;

describe("a query without end ends", () => {
  test("after its time", async () => {
    const child = start(COUNT, "--timeout", "300ms");
    expect(await child.stderr.text()).toContain("Expected a result within 0.3 s");
    expect(await child.exited).toBe(1);
  });

  test("with its process, whatever ends that, and leaves no other", async () => {
    const ended = (["SIGINT", "SIGTERM", "SIGKILL"] as const).map(async (signal) => {
      const own = fileWith(directory.file(`${signal}.db`), []);
      const child = start(COUNT, "--timeout", "0s", "--db", own);
      // It is there while the query runs.
      await until(() => existsSync(`${own}-wal`));
      expect(childrenOf(child.pid)).toEqual([]);
      child.kill(signal);
      await child.exited;
      expect(child.signalCode).toBe(signal);
      // Its output is closed: nobody has inherited it.
      expect(await child.stdout.text()).toBe("");
    });
    await Promise.all(ended);
  });
});

/**
 * The most memory that a process has at one time, in bytes; 0 where the system does not tell. (`maxRSS` begins with the
 * memory of the process that started it.)
 */
async function peakMemory(child: Bun.Subprocess): Promise<number> {
  let peak = 0;
  while (child.exitCode === null && child.signalCode === null) {
    const status = await Bun.file(`/proc/${child.pid}/status`)
      .text()
      .catch(() => "");
    peak = Math.max(peak, Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1_024);
    await Bun.sleep(2);
  }
  return peak;
}

function childrenOf(pid: number): readonly string[] {
  const { stdout } = Bun.spawnSync(["ps", "-A", "-o", "ppid=,args="]);
  const lines = stdout.toString().split("\n");
  return lines.filter((line) => line.trim().startsWith(`${pid} `));
}

const GREEDY = [
  "select zeroblob(1000000000)",
  `${ENDLESS} select i, randomblob(20000) from n order by 2`,
  `${ENDLESS} select * from n`,
  "select length(hex(zeroblob(300000000)))",
  "select length(printf('%.*c', 900000000, 'x'))",
  "select replace(hex(zeroblob(1000000)), '0', hex(zeroblob(1000)))",
  "select hex(zeroblob(30000000))",
  `${ENDLESS} select i, printf('%.*c', 10000000, 'x') from n`,
];

test.each(ROUNDS > 1 ? GREEDY : GREEDY.slice(0, 1))(
  "a query that takes too much memory is stopped below 300 MB: %s",
  async (query) => {
    const child = start(query, "--limit", "0");
    const peak = peakMemory(child);
    const err = await child.stderr.text();
    expect(await child.exited).toBe(1);
    expect(err).toStartWith("error: Expected a query that takes less than 300 MB of memory");
    expect(err.split("\n")).toHaveLength(2);
    expect(await peak).toBeLessThan(300_000_000);
  },
);

describe("an answer of any length", () => {
  const rows = (count: number) => `${ENDLESS} select i, 'abc' as t from n limit ${count}`;

  test.each(["csv", "json"])("is written as it comes: %s", async (format) => {
    const child = start(rows(150_000), "--limit", "0", "--format", format);
    const peak = peakMemory(child);
    const out = await child.stdout.text();
    expect({ code: await child.exited, err: await child.stderr.text() }).toEqual({
      code: 0,
      err: "",
    });
    if (format === "csv") expect(out).toEndWith("\n149999,abc\n150000,abc\n");
    else {
      const answer: unknown[] = JSON.parse(out);
      expect(answer).toHaveLength(150_000);
      expect(out).toBe(`${JSON.stringify(answer, null, 2)}\n`);
    }
    // Half of what it takes as a table.
    expect(await peak).toBeLessThan(140_000_000);
  });

  test("ends when its reader leaves", async () => {
    const child = start(`${ENDLESS} select * from n`, "--limit=0", "--format=csv", "--timeout=0s");
    for await (const _ of child.stdout) break;
    expect(await child.exited).toBe(0);
    expect(await child.stderr.text()).toBe("");
  });

  test("waits for a slow reader, whose time is not the query's", async () => {
    const { terminal, written } = memoryTerminal();
    const out = async (text: string) => {
      await Bun.sleep(1_500);
      await terminal.out(text);
    };
    const words = ["sql", "select 1 as a", "--db", file, "--format", "csv", "--timeout", "1400ms"];
    expect(await run(words, { ...terminal, out })).toBe(0);
    expect(written).toEqual({ out: "a\n1\n", err: "" });
  });
});

test("a statement from standard input is of a sensible length", async () => {
  const child = Bun.spawn([process.execPath, SOURCE, "sql", "-", "--db", file], {
    stdin: new Blob([`select '${"x".repeat(2_000_000)}'`]),
    stdout: "pipe",
    stderr: "pipe",
  });
  expect(await child.stderr.text()).toContain("at most 1000000 characters");
  expect(await child.exited).toBe(1);
});
