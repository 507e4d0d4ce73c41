import { describe, expect, test } from "bun:test";
import {
  type CalledTool,
  outcomeOfCancellation,
  outcomeOfError,
  outcomeOfResult,
} from "../../../src/protocol/outcome.ts";

const TOOL: CalledTool = { toolName: "echo", isMalformed: false };
const failed = (text: string) => ({ isError: true, content: [{ type: "text", text }] });

describe("outcomeOfResult()", () => {
  test.each([
    ["a result", { content: [] }, { status: "success" }],
    ["one that says it is complete", { resultType: "complete" }, { status: "success" }],
    ["a question", { resultType: "input_required" }, { status: "input_required" }],
    ["a task of 2026-07-28", { resultType: "task", taskId: "1" }, { status: "task" }],
    ["a task of 2025-11-25", { task: { taskId: "1" } }, { status: "task" }],
    [
      "a failure of the tool",
      failed("No such file"),
      { status: "error", errorType: "tool_error", errorMessage: "No such file" },
    ],
    [
      "a failure without words",
      { isError: true, content: [{ type: "image", data: "" }] },
      { status: "error", errorType: "tool_error", errorMessage: "" },
    ],
    [
      "a failure that throws the SDK's error",
      failed("MCP error -32603: broken"),
      { status: "error", errorType: "tool_error", errorCode: -32_603, errorMessage: "broken" },
    ],
    [
      "SDK 1: no such tool",
      failed("MCP error -32602: Tool echo not found"),
      { status: "rejected", errorType: "unknown_tool", errorCode: -32_602 },
    ],
    [
      "SDK 1: a disabled tool",
      failed("MCP error -32602: Tool echo disabled"),
      { status: "rejected", errorType: "disabled_tool" },
    ],
    [
      "SDK 1: arguments that are refused",
      failed("MCP error -32602: Input validation error: Invalid arguments for tool echo: x"),
      { status: "rejected", errorType: "invalid_arguments" },
    ],
    [
      "SDK 2: arguments that are refused",
      failed("Input validation error: Invalid arguments for tool echo: x"),
      { status: "rejected", errorType: "invalid_arguments" },
    ],
    [
      "FastMCP: arguments that are refused",
      failed("Tool 'echo' parameter validation failed: x"),
      { status: "rejected", errorType: "invalid_arguments" },
    ],
    [
      "SDK 1: a result that is refused",
      failed("MCP error -32602: Output validation error: Invalid structured content for tool echo"),
      { status: "error", errorType: "tool_error", errorCode: -32_602 },
    ],
    [
      "SDK 1: a tool that runs as a task alone",
      failed("MCP error -32601: Tool echo requires task augmentation (taskSupport: 'required')"),
      { status: "rejected", errorType: "method_not_found", errorCode: -32_601 },
    ],
    [
      "a tool that speaks of another one",
      failed("Tool hammer not found"),
      { status: "error", errorType: "tool_error" },
    ],
  ])("%s", (_name, result, expected) => {
    expect(outcomeOfResult(result, TOOL)).toMatchObject(expected);
  });
});

describe("outcomeOfError()", () => {
  test.each([
    [-32_602, "Tool echo not found", "rejected", "unknown_tool"],
    [-32_602, "Unknown tool: echo", "rejected", "unknown_tool"],
    [-32_602, "Tool echo disabled", "rejected", "disabled_tool"],
    [-32_602, "text must be a string", "rejected", "invalid_arguments"],
    [-32_602, "Output validation error: no", "error", "-32602"],
    [-32_602, "Invalid result for tools/call: no", "error", "-32602"],
    [-32_601, "Unknown tool: echo", "rejected", "unknown_tool"],
    [-32_601, "Method not found", "rejected", "method_not_found"],
    [-32_600, "Invalid Request", "rejected", "malformed_request"],
    [-32_700, "Parse error", "rejected", "malformed_request"],
    [-32_022, "Unsupported protocol version", "rejected", "malformed_request"],
    [-32_603, "boom", "error", "-32603"],
    [-32_042, "URL elicitation required", "error", "-32042"],
    [1, "own code", "error", "1"],
  ] as const)("%d %s is %s: %s", (code, message, status, errorType) => {
    expect(outcomeOfError({ code, message }, TOOL)).toEqual({
      status,
      errorType,
      errorCode: code,
      errorMessage: message,
    });
  });

  test("reads an error of no shape", () => {
    expect(outcomeOfError({}, TOOL)).toEqual({ status: "error", errorType: "_OTHER" });
    expect(outcomeOfError({ code: 1.5, message: 7 }, TOOL)).toEqual({
      status: "error",
      errorType: "1.5",
    });
  });

  test("of a request that was none is its fault, whatever the code", () => {
    const malformed = { toolName: "(none)", isMalformed: true };
    const expected = { status: "rejected", errorType: "malformed_request" };
    expect(outcomeOfError({ code: -32_603, message: "x" }, malformed)).toMatchObject(expected);
    expect(outcomeOfResult(failed("x"), malformed)).toMatchObject(expected);
  });
});

describe("outcomeOfCancellation()", () => {
  test.each([
    ["the user pressed stop", "cancelled"],
    ["McpError: MCP error -32001: Request timed out", "timeout"],
    ["Request timed-out", "timeout"],
    ["Timeout of 5 s", "timeout"],
    ["time out", "timeout"],
    ["I timed it and it was outrageous", "cancelled"],
  ])("%s: %s", (reason, status) => {
    expect(outcomeOfCancellation({ reason })).toMatchObject({ status, errorMessage: reason });
  });

  test("without a reason", () => {
    expect(outcomeOfCancellation({ requestId: 1 })).toEqual({ status: "cancelled" });
  });
});
