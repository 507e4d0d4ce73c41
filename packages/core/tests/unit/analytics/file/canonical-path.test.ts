import { expect, test } from "bun:test";
import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { canonicalPath } from "../../../../src/analytics/file/canonical-path.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

test("every name of a file has one canonical path, whether the file exists or not", () => {
  using directory = temporaryDirectory();
  const real = realpathSync(directory.path);
  mkdirSync(directory.file("d"));
  writeFileSync(directory.file("d/a.db"), "");
  symlinkSync(directory.file("d"), directory.file("e"));
  symlinkSync("d/a.db", directory.file("link.db"));
  symlinkSync("e/new.db", directory.file("dangling.db"));
  symlinkSync("dangling.db", directory.file("twice.db"));
  const paths = [
    "d/a.db",
    "e/a.db",
    "link.db",
    "dangling.db",
    "twice.db",
    "e/x/y.db",
    "d/../e/a.db",
  ];
  expect(paths.map((path) => canonicalPath(directory.file(path)))).toEqual(
    ["d/a.db", "d/a.db", "d/a.db", "d/new.db", "d/new.db", "d/x/y.db", "d/a.db"].map(
      (path) => `${real}/${path}`,
    ),
  );
});

test("a loop of links, or a path through a file, stays as it is", () => {
  using directory = temporaryDirectory();
  symlinkSync("b", directory.file("a"));
  symlinkSync("a", directory.file("b"));
  writeFileSync(directory.file("file"), "");
  for (const path of ["a", "file/a.db"])
    expect(canonicalPath(directory.file(path))).toBe(directory.file(path));
});
