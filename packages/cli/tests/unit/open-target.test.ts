import { afterEach, expect, test } from "bun:test";
import { openTarget } from "../../src/transfer/open-target.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const before = process.env["TOOLMETER_DISABLED"];

afterEach(() => {
  if (before === undefined) delete process.env["TOOLMETER_DISABLED"];
  else process.env["TOOLMETER_DISABLED"] = before;
});

test("a database to store calls in is a file, also while recording is switched off", () => {
  using directory = temporaryDirectory();
  const file = directory.file("a.db");
  process.env["TOOLMETER_DISABLED"] = "1";
  expect(() => openTarget(file)).toThrow("Expected a database file to store calls in");
  delete process.env["TOOLMETER_DISABLED"];
  openTarget(file).close();
  process.env["TOOLMETER_DISABLED"] = "1";
  using db = openTarget(file, 0);
  expect(db.path).toBe(file);
});
