/** Where an export may go: a file is there only when it is whole, and nothing else is harmed. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { parquetReadObjects } from "hyparquet";
import { TOOLMETER, command } from "../support/command.ts";
import { smallDisk } from "@toolmeter/testing/small-disk";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";
import { toolmeter } from "../support/toolmeter.ts";
import { fileWith, trafficFile } from "../support/traffic.ts";
import { until } from "@toolmeter/testing/until";
import { unless } from "@toolmeter/testing/unless";

const CALLS = 1_000;
const FORMATS = ["jsonl", "csv", "parquet"] as const;

let source: ReturnType<typeof temporaryDirectory>;
let db: string;
let directory: ReturnType<typeof temporaryDirectory>;

beforeAll(() => {
  source = temporaryDirectory();
  db = trafficFile(source.file("a.db"), CALLS);
});
afterAll(() => source[Symbol.dispose]());
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory[Symbol.dispose]());

const exported = (format: string, output: string) =>
  toolmeter(["export", "--db", db, "--since", "all", "--format", format, "--output", output, "-q"]);

async function countIn(format: string, content: Uint8Array<ArrayBuffer>): Promise<number> {
  if (format === "parquet") return (await parquetReadObjects({ file: content.buffer })).length;
  const lines = new TextDecoder().decode(content).trimEnd().split("\n");
  return lines.length - (format === "csv" ? 1 : 0);
}

const contentOf = (path: string) => new Uint8Array(readFileSync(path));

describe.each(FORMATS)("%s", (format) => {
  test("goes into a new file that its owner alone may read", async () => {
    const file = directory.file("calls");
    expect(await exported(format, file)).toEqual({ code: 0, out: "", err: "" });
    expect(await countIn(format, contentOf(file))).toBe(CALLS);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory.path)).toEqual(["calls"]);
  });

  test("replaces a file, which keeps its mode", async () => {
    const file = directory.file("calls");
    writeFileSync(file, "old");
    chmodSync(file, 0o640);
    expect((await exported(format, file)).code).toBe(0);
    expect(await countIn(format, contentOf(file))).toBe(CALLS);
    expect(statSync(file).mode & 0o777).toBe(0o640);
  });

  test("goes where a symbolic link points, whether a file is there or not", async () => {
    for (const name of ["old", "new"]) {
      mkdirSync(directory.file(name));
      const target = join(directory.file(name), "calls");
      if (name === "old") writeFileSync(target, "old");
      const link = directory.file(`${name}-link`);
      symlinkSync(join(name, "calls"), link);
      expect((await exported(format, link)).code).toBe(0);
      expect(lstatSync(link).isSymbolicLink()).toBeTrue();
      expect(await countIn(format, contentOf(target))).toBe(CALLS);
      expect(readdirSync(directory.file(name))).toEqual(["calls"]);
    }
  });

  test("goes through a FIFO", async () => {
    const fifo = directory.file("fifo");
    expect(Bun.spawnSync(["mkfifo", fifo]).exitCode).toBe(0);
    const reader = Bun.spawn(["cat", fifo], { stdout: "pipe" });
    expect((await exported(format, fifo)).code).toBe(0);
    expect(await countIn(format, await reader.stdout.bytes())).toBe(CALLS);
    expect(lstatSync(fifo).isFIFO()).toBeTrue();
  });

  test("fails on a device that takes nothing, and leaves it as it is", async () => {
    expect(await exported(format, "/dev/full")).toEqual({
      code: 1,
      out: "",
      err: "error: Expected to write /dev/full, but the disk is full (ENOSPC). Free some space, or choose another disk.\n",
    });
    expect(lstatSync("/dev/full").isCharacterDevice()).toBeTrue();
    expect((await exported(format, "/dev/null")).code).toBe(0);
    expect(lstatSync("/dev/null").isCharacterDevice()).toBeTrue();
  });

  test.each([
    ["a directory", () => directory.path, "got the directory"],
    ["no directory", () => directory.file("none/calls"), "no such file or directory (ENOENT)"],
    ["a file as directory", () => join(db, "calls"), "not a directory (ENOTDIR)"],
    ["too long a name", () => directory.file("x".repeat(300)), "too long (ENAMETOOLONG)"],
    [
      "links in a circle",
      () => {
        symlinkSync("b", directory.file("a"));
        symlinkSync("a", directory.file("b"));
        return directory.file("a");
      },
      "form a loop (ELOOP)",
    ],
  ])("fails for %s", async (_name, target, reason) => {
    const output = target();
    const before = readdirSync(directory.path);
    const { code, err } = await exported(format, output);
    expect({ code, lines: err.trim().split("\n").length }).toEqual({ code: 1, lines: 1 });
    expect(err).toMatch(/^error: Expected (?:to write|a file)/);
    expect(err).toContain(reason);
    expect(readdirSync(directory.path)).toEqual(before);
  });

  test.each([
    ["", ""],
    ["-wal", ""],
    ["", "-link"],
  ])("does not replace the database it reads from: a.db%s%s", async (suffix, link) => {
    const own = fileWith(directory.file("own.db"), [{ toolName: "a" }]);
    writeFileSync(`${own}-wal`, "");
    if (link !== "") symlinkSync(own, `${own}${link}`);
    const output = `${own}${suffix}${link}`;
    const words = ["export", "--db", own, "--format", format, "--output", output];
    expect(await toolmeter(words)).toMatchObject({
      code: 2,
      err: expect.stringContaining("Expected an output file other than the database"),
    });
    expect((await toolmeter(["export", "--db", own])).err).toBe("1 calls\n");
  });
});

/** Root may write anywhere, but not without these rights. */
const BOUND = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"];
const isBound = process.getuid?.() !== 0;
const canBind = Bun.spawnSync([...BOUND, "true"], { stderr: "ignore" }).exitCode === 0;

describe.skipIf(
  unless(isBound || canBind, "exports where writing is not permitted, which need setpriv for root"),
)("where writing is not permitted, an export fails:", () => {
  test.each([
    ["a read-only file", 0o444, 0o700],
    ["a read-only directory", 0o600, 0o500],
  ])("%s", async (_name, fileMode, directoryMode) => {
    mkdirSync(directory.file("d"));
    const file = directory.file("d/calls");
    writeFileSync(file, "old");
    chmodSync(file, fileMode);
    chmodSync(directory.file("d"), directoryMode);
    const words = ["export", "--db", db, "--since", "all", "--output", file];
    const { code, err } = await command(words, { prefix: isBound ? [] : BOUND });
    expect(err).toContain("permission is denied (EACCES)");
    expect(err).not.toContain("    at ");
    expect(code).toBe(1);
    expect(readFileSync(file, "utf8")).toBe("old");
    expect(readdirSync(directory.file("d"))).toEqual(["calls"]);
    chmodSync(directory.file("d"), 0o700);
  });
});

const disk = smallDisk(1);
afterAll(() => disk[Symbol.dispose]());

describe.skipIf(!disk.isMounted).each(FORMATS)("on a full disk, %s", (format) => {
  test("fails and leaves nothing behind; an old file is unchanged", async () => {
    const file = disk.file("calls");
    const filler = disk.file("filler");
    // Some of it has room, so that the first writes succeed.
    writeFileSync(filler, Buffer.alloc(1_010_000));
    for (const before of [[], ["calls"]]) {
      const { code, err } = await exported(format, file);
      expect({ code, err }).toEqual({
        code: 1,
        err: `error: Expected to write ${file}, but the disk is full (ENOSPC). Free some space, or choose another disk.\n`,
      });
      expect(readdirSync(disk.path).toSorted()).toEqual([...before, "filler"]);
      writeFileSync(file, "old");
    }
    expect(readFileSync(file, "utf8")).toBe("old");
    rmSync(file);
    rmSync(filler);
  });

  test("standard output fails, too", async () => {
    const file = disk.file("calls");
    writeFileSync(disk.file("filler"), Buffer.alloc(1_010_000));
    if (format !== "parquet") {
      const words = ["export", "--db", db, "--since", "all", "--format", format, "-q"];
      const { code, err } = await command(words, { redirection: `>'${file}'` });
      expect({ code, err }).toEqual({
        code: 1,
        err: "error: Expected to write to standard output, but the disk is full (ENOSPC). Free some space, or choose another disk.\n",
      });
      rmSync(file);
    }
    rmSync(disk.file("filler"));
  });
});

/** Each is a signal at some moment of an export; `bun run soak` makes more of them. */
const ROUNDS = Number(process.env["TOOLMETER_ROUNDS"] ?? 1);
const SIGNALS = ["SIGTERM", "SIGKILL", "SIGINT", "SIGHUP"] as const;

test("a signal at any moment leaves the whole file or the old one, and no part but after SIGKILL", async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [index, signal] of SIGNALS.entries()) {
      using place = temporaryDirectory();
      const format = FORMATS[(round + index) % FORMATS.length] ?? "jsonl";
      const file = place.file("calls");
      writeFileSync(file, "old");
      const words = ["export", "--db", db, "--since", "all", "--format", format, "-o", file, "-q"];
      const child = Bun.spawn([...TOOLMETER, ...words], { stdout: "ignore", stderr: "ignore" });
      const parts = () => readdirSync(place.path).filter((name) => name.endsWith(".part"));
      await until(() => child.exitCode !== null || parts().length > 0);
      // The first at once, later ones further on.
      await Bun.sleep(Math.random() * 10 * round);
      child.kill(signal);
      await child.exited;
      const content = contentOf(file);
      if (Buffer.from(content).toString() !== "old") {
        expect(await countIn(format, content)).toBe(CALLS);
      }
      if (signal !== "SIGKILL") expect(parts()).toEqual([]);
    }
  }
}, 600_000);
