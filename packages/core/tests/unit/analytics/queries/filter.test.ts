import { describe, expect, test } from "bun:test";
import type { CallFilter } from "../../../../src/analytics/queries/filter.ts";
import { usage, usageTotals } from "../../../../src/analytics/queries/usage.ts";
import { T0, ledger } from "../../../support/ledger.ts";

const CALLS = [
  { toolName: "read_file", sessionId: "one", status: "success" },
  { toolName: "read_dir", sessionId: "one", status: "error" },
  { toolName: "write[1]", sessionId: "two", status: "timeout", clientName: "other" },
  { toolName: "list", status: "success", serverName: "github" },
] as const;

const SESSIONS = {
  one: { clientName: "claude-code", serverName: "filesystem" },
  two: { clientName: "cursor", serverName: "filesystem" },
};

describe("a filter", () => {
  test.each<[string, CallFilter, readonly string[]]>([
    ["nothing", {}, ["list", "read_dir", "read_file", "write[1]"]],
    [
      "empty lists, which say nothing",
      { tools: [], clients: [] },
      ["list", "read_dir", "read_file", "write[1]"],
    ],
    ["a tool", { tools: ["list"] }, ["list"]],
    ["several tools", { tools: ["list", "read_dir"] }, ["list", "read_dir"]],
    ["a pattern", { tools: ["read_*"] }, ["read_dir", "read_file"]],
    ["a pattern with one letter open", { tools: ["lis?"] }, ["list"]],
    ["a name with a bracket, as it is", { tools: ["write[1]"] }, ["write[1]"]],
    ["a pattern with a bracket, as it is", { tools: ["write[1*"] }, ["write[1]"]],
    [
      "the server of the session",
      { servers: ["filesystem"] },
      ["read_dir", "read_file", "write[1]"],
    ],
    ["the server of the call", { servers: ["github"] }, ["list"]],
    ["the call's own client before the session's", { clients: ["cursor"] }, []],
    ["a client", { clients: ["other"] }, ["write[1]"]],
    ["a session", { sessionId: "one" }, ["read_dir", "read_file"]],
    ["statuses", { statuses: ["error", "timeout"] }, ["read_dir", "write[1]"]],
    [
      "all together",
      { tools: ["read_*"], clients: ["claude-*"], statuses: ["error"] },
      ["read_dir"],
    ],
    ["what is no SQL", { tools: ["'; drop table tool_calls; --"] }, []],
    [
      "a time: its end does not count",
      { since: T0 + 1_000, until: T0 + 3_000 },
      ["read_dir", "write[1]"],
    ],
  ])("by %s", (_name, filter, expected) => {
    using db = ledger({ calls: CALLS, sessions: SESSIONS });
    const { tools, totals } = usage(db, filter);
    expect(tools.map(({ toolName }) => toolName).toSorted()).toEqual([...expected]);
    const { calls, failures, sessions } = totals;
    expect(usageTotals(db, filter)).toMatchObject({ calls, failures, sessions });
  });

  test.each<[string, CallFilter, number]>([
    ["nothing", {}, 2],
    ["a client", { clients: ["claude-*"] }, 1],
    ["a server", { servers: ["github"] }, 0],
    ["a tool that was called in them", { tools: ["write[1]"] }, 1],
    ["a status of their calls", { statuses: ["success"] }, 1],
    ["themselves", { sessionId: "two" }, 1],
    ["when they began", { since: T0 + 1 }, 0],
  ])("counts sessions by %s", (_name, filter, expected) => {
    using db = ledger({ calls: CALLS, sessions: SESSIONS });
    expect(usageTotals(db, filter).sessions).toBe(expected);
  });
});
