import { describe, expect, test } from "bun:test";
import { FollowedCalls } from "../../../../src/analytics/journal/followed-calls.ts";

/** The lines that were written, up to a limit. */
function disk(room = Infinity) {
  const written: string[] = [];
  return {
    written,
    write: (line: string) => {
      if (written.length >= room) return false;
      written.push(line);
      return true;
    },
  };
}

describe("the calls in flight of a journal", () => {
  test("have one line each, the newest", () => {
    const followed = new FollowedCalls(100);
    followed.follow("a", "a1");
    followed.follow("b", "b1");
    followed.follow("a", "a2");
    expect(followed.lines).toEqual(["a2", "b1"]);
    followed.forget("a");
    followed.forget("unknown");
    expect(followed.lines).toEqual(["b1"]);
  });

  test("have a limit of all their lines together; a shorter line gives room back", () => {
    const followed = new FollowedCalls(10);
    expect(followed.follow("a", "12345678")).toBe(true);
    expect(followed.follow("b", "123")).toBe(false);
    expect(followed.lines).toEqual(["12345678"]);
    expect(followed.follow("a", "12345")).toBe(true);
    expect(followed.follow("b", "12345")).toBe(true);
    expect(followed.follow("c", "1")).toBe(false);
    followed.forget("a");
    expect(followed.follow("c", "12345")).toBe(true);
  });

  test("are written once, and each new line again", () => {
    const followed = new FollowedCalls(100);
    const { written, write } = disk();
    followed.follow("a", "a1");
    followed.follow("b", "b1");
    expect(followed.isUnwritten("a")).toBe(true);
    expect(followed.writeEach(write)).toBe(true);
    expect(followed.writeEach(write)).toBe(false);
    followed.follow("a", "a2");
    expect([followed.isUnwritten("a"), followed.isOnDisk("a")]).toEqual([true, true]);
    followed.writeEach(write);
    expect(written).toEqual(["a1", "b1", "a2"]);
  });

  test("that found no room are written later, in order", () => {
    const followed = new FollowedCalls(100);
    for (const id of ["a", "b", "c"]) followed.follow(id, id);
    const full = disk(1);
    expect(followed.writeEach(full.write)).toBe(true);
    expect(["a", "b", "c"].map((id) => followed.isOnDisk(id))).toEqual([true, false, false]);
    const { written, write } = disk();
    followed.writeEach(write);
    expect(written).toEqual(["b", "c"]);
  });

  test("are written again when the file is lost, unless a new file has all of them", () => {
    const followed = new FollowedCalls(100);
    followed.follow("a", "a");
    followed.follow("b", "b");
    followed.wroteAll();
    const { written, write } = disk();
    expect(followed.writeEach(write)).toBe(false);
    followed.lostAll();
    expect(followed.isOnDisk("a")).toBe(false);
    followed.writeEach(write);
    expect(written).toEqual(["a", "b"]);
  });
});
