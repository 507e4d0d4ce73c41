import { describe, expect, test } from "bun:test";
import { ownCommand } from "../../src/own-command.ts";
import { isRecordedByAncestor } from "../../src/record/ancestors.ts";
import { findRecorder, startsRecorder } from "../../src/clients/recorder-command.ts";

const words = (line: string) => line.split(" ");

describe("findRecorder()", () => {
  test.each([
    ["toolmeter record | npx -y server", true],
    ["toolmeter record -- | npx -y server", true],
    ["toolmeter record --db x.db --server-name=y | npx server --db z -- --port 80", true],
    ["toolmeter record --payloads --redact a,b | uvx server", true],
    ["/usr/local/bin/toolmeter record | server", true],
    ["node_modules/.bin/toolmeter record | server", true],
    ["C:\\bin\\toolmeter.exe record -- | server", true],
    ["toolmeter.cmd record | server", true],
    ["bun /a/toolmeter.ts record | server", true],
    ["/x/bun.exe run --smol /a/toolmeter.ts record | server", true],
    ["bun --config x.toml /a/toolmeter.ts record | server", true],
    ["npx toolmeter record | server", false],
    ["npx -y @toolmeter/cli record | server", false],
    ["npx.cmd --yes @toolmeter/cli@1.2.3 record -- | server", false],
    ["npx -y -p @toolmeter/cli toolmeter record | server", false],
    ["npm exec -- toolmeter record | server", false],
    ["npm --prefix /repo run toolmeter -- record | server", false],
    ["bunx toolmeter@latest record | server", false],
    ["bun x toolmeter record | server", false],
    ["pnpm dlx toolmeter record | server", false],
  ])("finds where %p begins and ends", (line, isItself) => {
    const [before = ""] = line.split(" | ");
    expect(findRecorder(words(line.replace(" | ", " ")))).toEqual({
      start: 0,
      end: words(before).length,
      isItself,
    });
  });

  test.each([
    ["env A=1 -u B", "toolmeter record", "server"],
    ["cmd /c", "npx toolmeter record", "server"],
    ["nice -n 5 env A=1", "bun /a/toolmeter.ts record --", "server"],
  ])("passes over %p", (prefix, recorder, server) => {
    const start = words(prefix).length;
    expect(findRecorder(words(`${prefix} ${recorder} ${server}`))).toEqual({
      start,
      end: start + words(recorder).length,
      isItself: false,
    });
  });

  test("knows its own command, and a recorder of a URL", () => {
    const own = ownCommand();
    expect(findRecorder([...own, "record", "--", "x"])).toMatchObject({ end: own.length + 2 });
    expect(findRecorder(words("toolmeter record --http http://localhost/mcp"))).toMatchObject({
      end: 4,
    });
  });

  test.each([
    [["sh", "-c", "toolmeter record npx server"]],
    [["/bin/bash", "-lc", "cd /x && exec A=1 '/opt/my tools/toolmeter' record -- npx server"]],
    [["cmd.exe", "/c", "toolmeter.exe record server"]],
    [["npx", "-c", "toolmeter record server"]],
    [words("toolmeter record --of-a-later-version npx server")],
  ])("says of %p that it is hidden", (command) => {
    expect(findRecorder(command)).toBe("hidden");
  });

  test.each([
    [[]],
    [["npx", "-y", "server"]],
    [words("toolmeter echo-server")],
    [words("toolmeter --record")],
    [words("server toolmeter record")],
    [words("npx server-filesystem /home/me/toolmeter record")],
    [words("npx server-filesystem toolmeter record")],
    [words("npx toolmeter-record record")],
    [["sh", "-c", "toolmeter report"]],
    [["sh", "-c", "my-toolmeter record"]],
    [["echo", "toolmeter record x"]],
  ])("finds none in %p", (command) => {
    expect(findRecorder(command)).toBeUndefined();
  });
});

test("a command that shows a recorder starts one", () => {
  expect(startsRecorder(["sh", "-c", "toolmeter record x"])).toBe(true);
  expect(startsRecorder(["npx", "x"])).toBe(false);
});

// Processes that have one are in `integration/nesting.test.ts`.
test("this process has no recorder among its ancestors", () => {
  expect(isRecordedByAncestor()).toBe(false);
});
