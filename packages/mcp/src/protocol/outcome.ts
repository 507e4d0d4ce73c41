import type { ToolCallStatus } from "@toolmeter/core";
import { type JsonObject, isObject, objectAt, shortTextAt, textAt } from "./message.ts";

/** How a call ended, in the terms of the core. */
export interface Outcome {
  readonly status: ToolCallStatus;
  readonly errorType?: string;
  readonly errorCode?: number | undefined;
  readonly errorMessage?: string;
}

/** Why a call was rejected: the `errorType` of a call whose tool never ran. */
export type RejectionReason =
  | "unknown_tool"
  | "disabled_tool"
  | "invalid_arguments"
  | "malformed_request"
  | "method_not_found";

/** The parts of a request that determine how its answer is read. */
export interface CalledTool {
  readonly toolName: string;
  /** Whether the request has no name, or arguments that are not an object. */
  readonly isMalformed: boolean;
}

/** JSON-RPC 2.0 §5.1, and the additions of MCP 2026-07-28. */
const REJECTIONS: ReadonlyMap<number, RejectionReason> = new Map([
  [-32_700, "malformed_request"],
  [-32_600, "malformed_request"],
  [-32_601, "method_not_found"],
  [-32_602, "invalid_arguments"],
  [-32_020, "malformed_request"],
  [-32_021, "malformed_request"],
  [-32_022, "malformed_request"],
]);

export function outcomeOfResult(result: JsonObject, tool: CalledTool): Outcome {
  const resultType = textAt(result, "resultType");
  if (resultType === "input_required") return { status: "input_required" };
  if (resultType === "task" || isObject(result["task"])) return { status: "task" };
  if (result["isError"] !== true) return { status: "success" };
  const { code, message } = withoutPrefix(firstText(result));
  const known = { ...(code !== undefined && { errorCode: code }), errorMessage: message };
  const reason = tool.isMalformed ? "malformed_request" : rejectionInWords(message, tool.toolName);
  if (reason) return { status: "rejected", errorType: reason, ...known };
  // OpenTelemetry's `error.type` for a result with `isError`.
  return { status: "error", errorType: "tool_error", ...known };
}

export function outcomeOfError(error: JsonObject, tool: CalledTool): Outcome {
  const code = typeof error["code"] === "number" ? error["code"] : undefined;
  const { message } = withoutPrefix(shortTextAt(error, "message") ?? "");
  const known = {
    ...(Number.isSafeInteger(code) && { errorCode: code }),
    ...(message && { errorMessage: message }),
  };
  const reason = tool.isMalformed ? "malformed_request" : rejection(code, message, tool.toolName);
  if (reason) return { status: "rejected", errorType: reason, ...known };
  return { status: "error", errorType: String(code ?? "_OTHER"), ...known };
}

/** The client cancelled the call. The clients of the SDKs also send this when their time limit passes. */
export function outcomeOfCancellation(params: JsonObject): Outcome {
  const reason = shortTextAt(params, "reason");
  const status = /time(?:d[\s_-]?|[\s_-])?out/i.test(reason ?? "") ? "timeout" : "cancelled";
  return { status, ...(reason && { errorMessage: reason }) };
}

/** The connection ended first. A stop by the user and a lost network look the same. */
export const DISCONNECTED: Outcome = { status: "cancelled", errorType: "disconnected" };

/** The server ended first, while its client was connected. */
export const SERVER_ENDED: Outcome = { status: "abandoned", errorType: "server_ended" };

function rejection(
  code: number | undefined,
  message: string,
  toolName: string,
): RejectionReason | undefined {
  // The tool ran, and its result was refused. The SDKs use the code of invalid parameters for this.
  if (/^(?:Output validation error|Invalid structured content|Invalid result)\b/i.test(message))
    return undefined;
  return (
    rejectionInWords(message, toolName) ?? (code === undefined ? undefined : REJECTIONS.get(code))
  );
}

/**
 * Recognises the messages with which SDKs reject a call before the tool runs. A result carries no code, so the message
 * must match from its start: a tool's own error may contain the same words.
 */
function rejectionInWords(message: string, toolName: string): RejectionReason | undefined {
  // TypeScript SDK 1 and 2; FastMCP and the Python SDK.
  if (message === `Tool ${toolName} not found` || message === `Unknown tool: ${toolName}`)
    return "unknown_tool";
  if (message === `Tool ${toolName} disabled`) return "disabled_tool";
  // SDK 1, for a tool that runs only as a task.
  if (message.startsWith(`Tool ${toolName} requires task augmentation`)) return "method_not_found";
  const isInvalid =
    message.startsWith("Input validation error: ") ||
    message.startsWith(`Invalid arguments for tool ${toolName}: `) ||
    message.startsWith(`Tool '${toolName}' parameter validation failed: `);
  return isInvalid ? "invalid_arguments" : undefined;
}

/** SDK 1 puts the code before the message of each error. */
function withoutPrefix(text: string): { readonly code?: number; readonly message: string } {
  const [prefix, code] = /^MCP error (-?\d{1,9}): /.exec(text) ?? [];
  return prefix && code
    ? { code: Number(code), message: text.slice(prefix.length) }
    : { message: text };
}

/** Maximum number of blocks of a result that are searched for its message. */
const MAX_BLOCKS = 1_000;

function firstText(result: JsonObject): string {
  const content = Array.isArray(result["content"]) ? result["content"].slice(0, MAX_BLOCKS) : [];
  const block: unknown = content.find((part) => textAt(part, "text"));
  return (
    shortTextAt(block, "text") ?? shortTextAt(objectAt(result, "structuredContent"), "error") ?? ""
  );
}
