import { describe, expect, test } from "bun:test";
import { homedir } from "node:os";
import { join } from "node:path";
import { databasePath, isDisabled } from "../../../src/analytics/environment.ts";
import { environment } from "../../support/environment.ts";

describe("databasePath()", () => {
  test("is what TOOLMETER_DB says", () => {
    using _ = environment({ TOOLMETER_DB: "/data/calls.db", XDG_DATA_HOME: "/xdg" });
    expect(databasePath()).toBe("/data/calls.db");
    expect(databasePath("/other.db")).toBe("/other.db");
    expect(databasePath(":memory:")).toBe(":memory:");
  });

  test.each([
    ["~", homedir()],
    ["~/calls.db", join(homedir(), "calls.db")],
    ["~other/calls.db", "~other/calls.db"],
    ["/data/~/calls.db", "/data/~/calls.db"],
  ])("%s is %s", (path, expected) => {
    using _ = environment({ TOOLMETER_DB: path });
    expect(databasePath()).toBe(expected);
    expect(databasePath(path)).toBe(expected);
  });

  test.each([
    ["linux", {}, join(homedir(), ".local/share/toolmeter/analytics.db")],
    ["linux", { XDG_DATA_HOME: "/xdg" }, "/xdg/toolmeter/analytics.db"],
    ["darwin", {}, join(homedir(), "Library/Application Support/toolmeter/analytics.db")],
    ["win32", {}, join(homedir(), "AppData/Local/toolmeter/analytics.db")],
    ["win32", { LOCALAPPDATA: "/local" }, "/local/toolmeter/analytics.db"],
  ] as const)("on %s with %o is in the user's data directory", (platform, variables, expected) => {
    const none = { TOOLMETER_DB: "", XDG_DATA_HOME: undefined, LOCALAPPDATA: undefined };
    using _ = environment({ ...none, ...variables });
    expect(databasePath(undefined, platform)).toBe(expected);
  });
});

describe("isDisabled()", () => {
  test.each([
    [undefined, false],
    ["", false],
    ["0", false],
    ["false", false],
    ["1", true],
    ["true", true],
    ["yes", true],
  ])("with TOOLMETER_DISABLED=%p is %p", (value, expected) => {
    using _ = environment({ TOOLMETER_DISABLED: value });
    expect(isDisabled()).toBe(expected);
  });
});
