import { describe, expect, test } from "bun:test";
import { readFileSync, readdirSync, rmSync } from "node:fs";
import { FollowedCalls } from "../../../../src/analytics/journal/followed-calls.ts";
import { SegmentFiles } from "../../../../src/analytics/journal/segment-files.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

/** Longer than a segment may become: the next line goes into a new one. */
const LONG = `${"x".repeat(1_100_000)}\n`;

function setUp() {
  const directory = temporaryDirectory();
  const followed = new FollowedCalls(10_000);
  let waiting: string[] = [];
  const files = new SegmentFiles(directory.path, "recorder", () => waiting, followed);
  return {
    directory,
    files,
    followed,
    append(line: string) {
      files.append(line, 1);
      waiting.push(line);
    },
    release(count: number) {
      waiting = waiting.slice(count);
      const left = files.release(count);
      files.removeReleased();
      return left;
    },
    /** The lines of each file, without its header, in the order of writing. */
    contents: () =>
      readdirSync(directory.path)
        .toSorted((a, b) => Number(/-(\d+)\./.exec(a)?.[1]) - Number(/-(\d+)\./.exec(b)?.[1]))
        .map((name) => readFileSync(directory.file(name), "utf8").split("\n").slice(1, -1)),
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  };
}

describe("the files of a journal", () => {
  test("each line is in the newest, behind a header with the version of the format", () => {
    using journal = setUp();
    journal.files.replaceAll();
    journal.append("a\n");
    journal.append("b\n");
    expect(journal.contents()).toEqual([["a", "b"]]);
    const [name = ""] = readdirSync(journal.directory.path);
    expect(readFileSync(journal.directory.file(name), "utf8").split("\n", 1)).toEqual([
      '{"format":"toolmeter-journal","version":1}',
    ]);
  });

  test("a file is removed when its lines are released and there is a newer one", () => {
    using journal = setUp();
    journal.files.replaceAll();
    journal.append(LONG);
    journal.append("next\n");
    expect(journal.contents()).toHaveLength(2);
    expect(journal.release(1)).toBe(0);
    expect(journal.contents()).toEqual([["next"]]);
    expect(journal.release(1)).toBe(0);
    expect(journal.contents()).toEqual([["next"]]);
    journal.files.close(false);
    expect(journal.contents()).toEqual([]);
  });

  test("more than ten files have names of their own", () => {
    using journal = setUp();
    journal.files.replaceAll();
    for (let i = 0; i < 12; i++) journal.append(LONG);
    expect(journal.contents()).toHaveLength(12);
  });

  test("a new file has the calls in flight, too", () => {
    using journal = setUp();
    journal.files.replaceAll();
    journal.followed.follow("call", "in flight\n");
    journal.append(LONG);
    journal.append("next\n");
    expect(journal.contents()[1]).toEqual(["in flight", "next"]);
    expect(journal.followed.isOnDisk("call")).toBe(true);
  });

  test("the rest of a file that is mostly released moves to the next one", () => {
    using journal = setUp();
    const rest = "y".repeat(500_000);
    journal.files.replaceAll();
    journal.append(`${"x".repeat(600_000)}\n`);
    journal.append(`${rest}\n`);
    journal.release(1);
    journal.append("next\n");
    expect(journal.contents()).toEqual([[rest, "next"]]);
  });

  test("removed files are noticed, and all lines that wait are written again", () => {
    using journal = setUp();
    journal.files.replaceAll();
    journal.append("a\n");
    expect(journal.files.allExist()).toBe(true);
    for (const name of readdirSync(journal.directory.path)) rmSync(journal.directory.file(name));
    expect(journal.files.allExist()).toBe(false);
    expect([journal.files.gone, journal.files.isNewestGone]).toEqual([1, true]);
    expect(() => journal.append("b\n")).toThrow("no file could be created");
    journal.files.replaceAll();
    expect(journal.contents()).toEqual([["a"]]);
    expect(journal.files.gone).toBe(0);
  });

  test("more lines than the files hold cannot be released", () => {
    using journal = setUp();
    journal.files.replaceAll();
    journal.append("a\n");
    expect(journal.release(3)).toBe(2);
  });

  test("closed with the newest kept, an empty file stays", () => {
    using journal = setUp();
    journal.files.replaceAll();
    journal.followed.follow("call", "in flight\n");
    journal.files.close(true);
    expect(journal.contents()).toHaveLength(1);
  });
});
