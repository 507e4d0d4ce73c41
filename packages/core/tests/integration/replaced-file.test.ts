import { Database } from "bun:sqlite";
import { afterAll, describe, expect, test } from "bun:test";
import {
  copyFileSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { createAnalyticsDb } from "../../src/analytics/database/database.ts";
import { Importer } from "../../src/analytics/database/importer.ts";
import { TelemetryService } from "../../src/analytics/telemetry.ts";
import { run } from "../support/run.ts";
import { specifier } from "../support/run-script.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";
import { until } from "@toolmeter/testing/until";

const PROGRAM = join(import.meta.dir, "programs/record-until-end.ts");

/** Times that each file is replaced, at random moments. `bun run soak` raises it. */
const ROUNDS = Number(process.env["TOOLMETER_ROUNDS"] ?? 1);

const RECORDERS = ROUNDS > 1 ? [1, 3] : [3];

const BACKUP_CALLS = 3_000;

const noop = () => undefined;
const silentLogger = { debug: noop, info: noop, warn: noop, error: noop };

const material = temporaryDirectory();
afterAll(() => material[Symbol.dispose]());
const BACKUP = material.file("backup.db");
const COMPACT_BACKUP = material.file("compact.db");
const FOREIGN = material.file("foreign.db");
makeBackup();
makeForeign();

function makeBackup(): void {
  using db = createAnalyticsDb(BACKUP);
  const importer = new Importer(db);
  for (let number = 0; number < BACKUP_CALLS; number += 1) {
    const id = `backup-${number}`;
    importer.toolCall({ id, toolName: "kept", startedAt: number, durationMs: 1, requestId: id });
  }
  importer.commit();
  db.$client.run("vacuum into ?", [COMPACT_BACKUP]);
}

function makeForeign(): void {
  using client = new Database(FOREIGN);
  client.run("pragma application_id = 1234");
  client.run("create table notes (text)");
  client.run("create index notes_by_text on notes (text)");
  const insert = client.prepare("insert into notes values (?)");
  for (let number = 0; number < 2_000; number += 1) insert.run(`note ${number}`);
}

/** The newest call of a recorder: its number, and when it was accepted, in milliseconds since 1970. */
interface Heard {
  last: number;
  at: number;
}

/** Processes that record into a file under load. */
class Recorders {
  readonly #children;

  constructor(file: string, count: number, shutdownTimeoutMs = 10_000) {
    this.#children = Array.from({ length: count }, (_, index) => {
      const name = `r${index}`;
      const child = Bun.spawn([process.execPath, PROGRAM, file, name, String(shutdownTimeoutMs)], {
        stdin: "pipe",
        stdout: "pipe",
        stderr: "pipe",
      });
      const heard = { last: -1, at: 0 };
      const messages = child.stderr.text();
      return { name, child, heard, messages, reading: this.#listen(child.stdout, heard) };
    });
  }

  async #listen(output: ReadableStream<Uint8Array>, heard: Heard): Promise<void> {
    const decoder = new TextDecoder();
    let text = "";
    for await (const bytes of output) {
      text += decoder.decode(bytes, { stream: true });
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      const [last, at] = (lines.at(-1) ?? "").split(" ");
      if (last && at) Object.assign(heard, { last: Number(last), at: Number(at) });
    }
  }

  /** The next call of each, by name. */
  get next(): ReadonlyMap<string, number> {
    return new Map(this.#children.map(({ name, heard }) => [name, heard.last + 1]));
  }

  async until(condition: (next: number) => boolean): Promise<void> {
    await until(() => this.#children.every(({ heard }) => condition(heard.last + 1)));
  }

  /** Waits until every call accepted so far was heard of: a call from before must not count as one from after. */
  async hear(): Promise<void> {
    const now = Date.now();
    await until(() => this.#children.every(({ heard }) => heard.at > now));
  }

  /** Kills them: their log stays, with what was not checkpointed. */
  async kill(): Promise<void> {
    for (const { child } of this.#children) child.kill("SIGKILL");
    await Promise.all(
      this.#children.map(({ child, reading }) => Promise.all([child.exited, reading])),
    );
  }

  /** Ends them, and returns what they said on stderr. */
  async end(): Promise<readonly string[]> {
    for (const { child } of this.#children) await child.stdin.end();
    await Promise.all(
      this.#children.map(({ child, reading }) => Promise.all([child.exited, reading])),
    );
    return Promise.all(this.#children.map(({ messages }) => messages));
  }
}

/** Whether the whole log of a file is in the database, and the log is not empty. */
function isCheckpointed(file: string): boolean {
  using client = new Database(file);
  const [[, pages, moved] = []] = client.query("pragma wal_checkpoint(noop)").values();
  return Number(pages) > 0 && pages === moved;
}

interface Replacement {
  readonly name: string;
  /** How the file is named by the recorders, if not by its own name. */
  readonly link?: true;
  readonly replace: (file: string) => void;
  /** The names of the files in which each call of before is, at least in one. Empty if they were overwritten. */
  readonly before: readonly string[];
  /** Whether the file that recording goes on in is the backup. */
  readonly isBackup: boolean;
}

const REPLACEMENTS: readonly Replacement[] = [
  {
    name: "a backup is renamed over it",
    replace: (file) => {
      copyFileSync(BACKUP, `${file}.new`);
      renameSync(`${file}.new`, file);
    },
    before: [],
    isBackup: true,
  },
  {
    name: "a backup is copied over it",
    replace: (file) => copyFileSync(BACKUP, file),
    before: [],
    isBackup: true,
  },
  {
    name: "a backup that VACUUM INTO made is copied over it",
    replace: (file) => copyFileSync(COMPACT_BACKUP, file),
    before: [],
    isBackup: true,
  },
  {
    name: "its log is deleted and a backup copied over it",
    replace: (file) => {
      for (const suffix of ["-wal", "-shm"]) rmSync(file + suffix, { force: true });
      copyFileSync(BACKUP, file);
    },
    before: [],
    isBackup: true,
  },
  {
    name: "a backup is copied over it and its log deleted",
    replace: (file) => {
      copyFileSync(BACKUP, file);
      for (const suffix of ["-wal", "-shm"]) rmSync(file + suffix, { force: true });
    },
    before: [],
    isBackup: true,
  },
  {
    name: "it is cut to no bytes",
    replace: (file) => truncateSync(file),
    before: [],
    isBackup: false,
  },
  {
    name: "it is deleted and a backup copied there",
    replace: (file) => {
      rmSync(file);
      copyFileSync(BACKUP, file);
    },
    before: [],
    isBackup: true,
  },
  {
    name: "it is deleted with its log and a backup copied there",
    replace: (file) => {
      for (const suffix of ["", "-wal", "-shm"]) rmSync(file + suffix, { force: true });
      copyFileSync(BACKUP, file);
    },
    before: [],
    isBackup: true,
  },
  {
    name: "it is moved away and a backup copied there",
    replace: (file) => {
      renameSync(file, `${file}.moved`);
      copyFileSync(BACKUP, file);
    },
    before: ["a.db", "a.db.moved"],
    isBackup: true,
  },
  {
    name: "it is moved away",
    replace: (file) => renameSync(file, `${file}.moved`),
    before: ["a.db", "a.db.moved"],
    isBackup: false,
  },
  {
    name: "it is moved away with its log",
    replace: (file) => {
      for (const suffix of ["", "-wal", "-shm"]) {
        try {
          renameSync(file + suffix, `${file}.moved${suffix}`);
        } catch (error) {
          // A recorder that finds the file gone may already have taken its log away.
          if (suffix === "") throw error;
        }
      }
    },
    before: ["a.db", "a.db.moved"],
    isBackup: false,
  },
  {
    name: "its log is deleted",
    replace: (file) => {
      for (const suffix of ["-wal", "-shm"]) rmSync(file + suffix, { force: true });
    },
    before: ["a.db"],
    isBackup: false,
  },
  {
    name: "a backup is renamed over a link to it",
    link: true,
    replace: (file) => {
      copyFileSync(BACKUP, `${file}.new`);
      renameSync(`${file}.new`, file);
    },
    before: ["a.db", "real.db"],
    isBackup: true,
  },
  {
    name: "a backup is renamed over what it links to",
    link: true,
    replace: (file) => {
      const real = file.replace("a.db", "real.db");
      copyFileSync(BACKUP, `${real}.new`);
      renameSync(`${real}.new`, real);
    },
    before: [],
    isBackup: true,
  },
  {
    name: "a link to it is changed to a backup",
    link: true,
    replace: (file) => {
      const other = file.replace("a.db", "other.db");
      copyFileSync(BACKUP, other);
      rmSync(file);
      symlinkSync(other, file);
    },
    before: ["a.db", "real.db"],
    isBackup: true,
  },
];

/** What is in a file: the numbers of the calls by recorder, those that are there twice, and whether it is sound. */
function look(file: string) {
  using client = new Database(file, { readwrite: true, create: false });
  const ids = client.query("select request_id from tool_calls").values().flat().map(String);
  const unique = new Set(ids);
  return {
    ids: unique,
    twice: ids.length - unique.size,
    kept: ids.filter((id) => id.startsWith("backup-")).length,
    integrity: client.query("pragma integrity_check").values(),
  };
}

function missing(
  ids: ReadonlySet<string>,
  name: string,
  from: number,
  to: number,
): readonly string[] {
  return Array.from(
    { length: Math.max(0, to - from) },
    (_, index) => `${name}-${from + index}`,
  ).filter((id) => !ids.has(id));
}

async function trial(
  { link, replace, before, isBackup }: Replacement,
  recorders: number,
): Promise<void> {
  using directory = temporaryDirectory();
  const file = directory.file("a.db");
  if (link) symlinkSync(directory.file("real.db"), file);
  createAnalyticsDb(file).close();
  const processes = new Recorders(file, recorders);
  await processes.until((next) => next > 100);
  await Bun.sleep(Math.random() * 200);
  const seenBefore = processes.next;
  replace(file);
  await processes.hear();
  const seenAfter = processes.next;
  await processes.until((next) => next > Math.max(...seenAfter.values()) + 200);
  const messages = await processes.end();
  const last = processes.next;
  // What a process could not write in time is in its journal.
  createAnalyticsDb(file).close();

  const { ids, twice, kept, integrity } = look(file);
  const lostAfter = [...seenAfter].flatMap(([name, from]) =>
    missing(ids, name, from, last.get(name) ?? 0),
  );
  const everywhere = new Set(before.flatMap((name) => [...look(directory.file(name)).ids]));
  const lostBefore =
    before.length === 0
      ? []
      : [...seenBefore].flatMap(([name, to]) => missing(everywhere, name, 0, to));
  expect({ lostAfter, lostBefore, twice, kept, integrity, messages: [] as string[] }).toEqual({
    lostAfter: [],
    lostBefore: [],
    twice: 0,
    kept: isBackup ? BACKUP_CALLS : 0,
    integrity: [["ok"]],
    messages: messages.filter((text) => text.includes(".damaged-")),
  });
}

describe("while processes record into a file,", () => {
  for (const recorders of RECORDERS) {
    test.each(REPLACEMENTS)(
      `$name: nothing is lost and nothing damaged (${recorders} recording)`,
      async (replacement) => {
        for (let round = 0; round < ROUNDS; round += 1) await trial(replacement, recorders);
      },
      600_000,
    );
  }
});

test("processes that record into a file that nobody else touches take no checkpoint of another for an overwrite", async () => {
  using directory = temporaryDirectory();
  const file = directory.file("a.db");
  createAnalyticsDb(file).close();
  const processes = new Recorders(file, 3);
  await processes.until((next) => next > 8_000 * ROUNDS);
  const messages = await processes.end();
  // On a busy machine one may wait longer than 300 ms for the lock, and says so.
  const others = messages
    .flatMap((text) => text.split("\n"))
    .filter((line) => !/^$|Expected to get the write lock|Writing works again/.test(line));
  expect(others).toEqual([]);
  // Of those that end at the same moment, none may be the last one.
  createAnalyticsDb(file).close();
  expect(readdirSync(directory.path).toSorted()).toEqual(["a.db", "a.db.journal"]);
  expect(readdirSync(`${file}.journal`)).toEqual([]);
}, 600_000);

const FOREIGN_REPLACEMENTS: readonly {
  readonly name: string;
  readonly replace: (file: string) => void;
}[] = [
  {
    name: "renamed over it",
    replace: (file) => {
      copyFileSync(FOREIGN, `${file}.new`);
      renameSync(`${file}.new`, file);
    },
  },
  { name: "copied over it", replace: (file) => copyFileSync(FOREIGN, file) },
];

describe("another program's database", () => {
  test.each(FOREIGN_REPLACEMENTS)(
    "$name is not touched, and the calls wait in the journal",
    async ({ replace }) => {
      for (let round = 0; round < ROUNDS; round += 1) {
        using directory = temporaryDirectory();
        const file = directory.file("a.db");
        createAnalyticsDb(file).close();
        const processes = new Recorders(file, 2, 300);
        await processes.until((next) => next > 100);
        await Bun.sleep(Math.random() * 200);
        replace(file);
        await processes.hear();
        const seenAfter = processes.next;
        await processes.until((next) => next > Math.max(...seenAfter.values()) + 200);
        await processes.end();
        expect(Buffer.compare(readFileSync(file), readFileSync(FOREIGN))).toBe(0);
        rmSync(file);
        createAnalyticsDb(file).close();
        const { ids } = look(file);
        const lost = [...seenAfter].flatMap(([name, from]) =>
          missing(ids, name, from, processes.next.get(name) ?? 0),
        );
        expect(lost).toEqual([]);
      }
    },
    600_000,
  );
});

describe("a process that has the file open", () => {
  const CALLS = "select count(*) from tool_calls";

  /** A database with a recorder, as a host has it, and one call in it. */
  async function host() {
    const directory = temporaryDirectory();
    const file = directory.file("a.db");
    const db = createAnalyticsDb(file);
    const telemetry = new TelemetryService(db, { logger: silentLogger });
    const record = async (requestId: string) => {
      telemetry.recordToolCall({ toolName: "echo", durationMs: 1, requestId });
      await until(async () => (await telemetry.flush()).outcome === "written");
    };
    await record("before");
    return {
      directory,
      file,
      client: db.$client,
      record,
      end: async () => {
        await telemetry.shutdown();
        db.close();
      },
      [Symbol.dispose]: () => directory[Symbol.dispose](),
    };
  }

  test("and made it, but never read from it, never takes the log of the next file for its own", () => {
    using directory = temporaryDirectory();
    const file = directory.file("a.db");
    using ours = createAnalyticsDb(file);
    for (const suffix of ["", "-wal", "-shm"]) renameSync(file + suffix, `${file}.moved${suffix}`);
    using next = createAnalyticsDb(file);
    const importer = new Importer(next);
    importer.toolCall({ id: "next", toolName: "echo", startedAt: 1, durationMs: 1 });
    importer.commit();
    expect(ours.$client.query(CALLS).values()).toEqual([[0]]);
    expect(next.$client.query(CALLS).values()).toEqual([[1]]);
  });

  test("finds that a backup was copied over it when its log was in the database whole", async () => {
    using ours = await host();
    ours.client.run("begin");
    ours.client.query(CALLS).values();
    // The reader keeps the log from starting over: it is all in the database, and not empty.
    await until(() => isCheckpointed(ours.file));
    ours.client.run("commit");
    expect(Bun.spawnSync(["cp", BACKUP, ours.file]).exitCode).toBe(0);
    await ours.record("after");
    await ours.end();
    const { kept, integrity, ids } = look(ours.file);
    expect({ kept, integrity, after: ids.has("after") }).toEqual({
      kept: BACKUP_CALLS,
      integrity: [["ok"]],
      after: true,
    });
  });

  test.each([
    ["", BACKUP],
    [" that VACUUM INTO made", COMPACT_BACKUP],
  ])("and has not written yet goes on in a backup%s that was copied over it", async (_, backup) => {
    using directory = temporaryDirectory();
    const file = directory.file("a.db");
    using db = createAnalyticsDb(file);
    await using telemetry = new TelemetryService(db, { logger: silentLogger });
    expect(Bun.spawnSync(["cp", backup, file]).exitCode).toBe(0);
    telemetry.recordToolCall({ toolName: "echo", durationMs: 1, requestId: "first" });
    expect((await telemetry.flush()).outcome).toBe("written");
    const { kept, integrity, ids } = look(file);
    expect({ kept, integrity, first: ids.has("first") }).toEqual({
      kept: BACKUP_CALLS,
      integrity: [["ok"]],
      first: true,
    });
  });

  test("writes nothing into a file of another kind that was copied over it", async () => {
    using ours = await host();
    const letter = "A letter, and no database at all.\n".repeat(4_000);
    const source = ours.directory.file("letter");
    writeFileSync(source, letter);
    expect(Bun.spawnSync(["cp", source, ours.file]).exitCode).toBe(0);
    await ours.record("after");
    await ours.end();
    expect(look(ours.file).ids).toEqual(new Set(["after"]));
    const contents = readdirSync(ours.directory.path)
      .filter((name) => /damaged-.*Z$/.test(name))
      .map((name) => readFileSync(ours.directory.file(name), "utf8"));
    expect(contents).toEqual([letter]);
  });

  test("goes on reading what is recorded after its log was removed", async () => {
    using ours = await host();
    for (const suffix of ["-wal", "-shm"]) rmSync(ours.file + suffix);
    await ours.record("after");
    expect(ours.client.query(CALLS).values()).toEqual([[2]]);
    await ours.end();
    expect(look(ours.file).ids).toEqual(new Set(["before", "after"]));
  });

  test("leaves only the copy of the old log beside the file", async () => {
    using ours = await host();
    for (const suffix of ["-wal", "-shm"]) rmSync(ours.file + suffix);
    expect(Bun.spawnSync(["cp", BACKUP, ours.file]).exitCode).toBe(0);
    await ours.record("after");
    await ours.end();
    expect(readdirSync(ours.directory.path).toSorted()).toEqual([
      "a.db",
      "a.db.journal",
      expect.stringMatching(/^a\.db\.replaced-.*-wal$/),
    ]);
    expect(readdirSync(`${ours.file}.journal`)).toEqual([]);
  });
});

describe("a log whose index has several pages", () => {
  /** Frames that two pages of the index tell of (https://sqlite.org/walformat.html#the_wal_index_file_format). */
  const INDEX_FRAMES = 4_062 + 4_096;
  const FRAME_BYTES = 24 + 4_096;

  test("is emptied under a recorder that goes on", async () => {
    using directory = temporaryDirectory();
    const file = directory.file("a.db");
    const { exitCode, stdout, stderr } = await run([
      process.execPath,
      "-e",
      `
      import { statSync } from "node:fs";
      import { Database } from "bun:sqlite";
      import { createAnalyticsDb } from ${specifier("database/database")};
      import { TelemetryService } from ${specifier("telemetry")};
      const [file, backup] = process.argv.slice(1);
      const db = createAnalyticsDb(file);
      const telemetry = new TelemetryService(db, { capturePayloads: true, maxPayloadLength: 1e6 });
      const record = async (requestId) => {
        telemetry.recordToolCall({ toolName: "echo", durationMs: 1, requestId, result: "x".repeat(900_000) });
        while ((await telemetry.flush()).outcome !== "written") await Bun.sleep(10);
      };
      await record("first");
      const read = () => {
        if (db.$client.inTransaction) db.$client.run("commit");
        db.$client.run("begin");
        db.$client.query("select count(*) from tool_calls").values();
      };
      read();
      while (statSync(file + "-wal").size < ${(INDEX_FRAMES + 500) * FRAME_BYTES}) await record("more");
      // The idle recorder moves the log into the database, and the reader keeps it from starting over.
      read();
      const isCheckpointed = ${isCheckpointed.toString()};
      while (!isCheckpointed(file)) await Bun.sleep(10);
      Bun.spawnSync(["cp", backup, file]);
      await record("after");
      db.$client.run("rollback");
      await telemetry.shutdown();
      console.log(db.$client.query("select count(*) from tool_calls").values().join());
      db.close();`,
      file,
      BACKUP,
    ]);
    expect({ exitCode, count: stdout.trim(), crash: stderr.includes("panic") }).toEqual({
      exitCode: 0,
      count: String(BACKUP_CALLS + 1),
      crash: false,
    });
  });
});

describe("a process that opens the file", () => {
  const KILLED = REPLACEMENTS.filter(({ link }) => !link).slice(0, ROUNDS > 1 ? undefined : 2);
  test.each(KILLED)(
    "after its recorders were killed and $name finds all of it",
    async ({ replace, before, isBackup }) => {
      for (let round = 0; round < ROUNDS; round += 1) {
        using directory = temporaryDirectory();
        const file = directory.file("a.db");
        createAnalyticsDb(file).close();
        const processes = new Recorders(file, 2);
        await processes.until((next) => next > 300);
        await processes.kill();
        replace(file);
        createAnalyticsDb(file, { logger: silentLogger }).close();
        const { twice, kept, integrity } = look(file);
        expect({ twice, kept, integrity }).toEqual({
          twice: 0,
          kept: isBackup ? BACKUP_CALLS : 0,
          integrity: [["ok"]],
        });
        if (before.includes("a.db.moved")) {
          // Nobody was left to finish the log of the moved file: it is beside it, for whoever puts the two together.
          expect(look(`${file}.moved`).integrity).toEqual([["ok"]]);
        }
      }
    },
    600_000,
  );

  test("that an idle recorder still has open, and that was replaced, sees the backup, and the recorder goes on in it", async () => {
    using directory = temporaryDirectory();
    const file = directory.file("a.db");
    using db = createAnalyticsDb(file);
    await using telemetry = new TelemetryService(db, { logger: silentLogger });
    telemetry.recordToolCall({ toolName: "before", durationMs: 1, requestId: "before" });
    await telemetry.flush();
    copyFileSync(BACKUP, `${file}.new`);
    renameSync(`${file}.new`, file);
    const other = await run([
      process.execPath,
      "-e",
      `
      import { createAnalyticsDb } from ${specifier("database/database")};
      using db = createAnalyticsDb(process.argv[1]);
      console.log(db.$client.query("select count(*) from tool_calls").values().join());`,
      file,
    ]);
    expect(other.stdout.trim()).toBe(String(BACKUP_CALLS));
    telemetry.recordToolCall({ toolName: "after", durationMs: 1, requestId: "after" });
    while ((await telemetry.flush()).outcome !== "written");
    const { kept, ids, integrity } = look(file);
    expect({ kept, integrity, after: ids.has("after"), before: ids.has("before") }).toEqual({
      kept: BACKUP_CALLS,
      integrity: [["ok"]],
      after: true,
      before: false,
    });
  });

  test("by its own name finds the journal of a process that was killed while it recorded by a link", async () => {
    using directory = temporaryDirectory();
    const [real, link] = [directory.file("real.db"), directory.file("a.db")];
    symlinkSync(real, link);
    const processes = new Recorders(link, 1);
    await processes.until((next) => next > 100);
    await processes.kill();
    createAnalyticsDb(real).close();
    expect(missing(look(real).ids, "r0", 0, processes.next.get("r0") ?? 0)).toEqual([]);
    expect(readdirSync(directory.path).toSorted()).toEqual(["a.db", "real.db", "real.db.journal"]);
  });
});
