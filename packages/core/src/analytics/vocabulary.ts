/** The enumerated values in the file. Columns, validation, queries and types all use these lists. */

/** The outcomes of a tool call, from the client's view. */
export const TOOL_CALL_STATUSES = [
  /** The tool returned a result. */
  "success",
  /** The tool ran and failed: it threw, or its result has `isError`. */
  "error",
  /** The tool never ran: it is unknown or disabled, or the arguments or the request were invalid. */
  "rejected",
  /** The client cancelled the call. */
  "cancelled",
  /** A time limit of client, server or tool expired. */
  "timeout",
  /** The result requests input; the call continues with another request (MCP 2026-07-28). */
  "input_required",
  /** The result is a handle to a running task. */
  "task",
  /** The process died, or recording stopped, while the call was running. */
  "abandoned",
] as const;

export type ToolCallStatus = (typeof TOOL_CALL_STATUSES)[number];

/**
 * The statuses that reports count as failures. `cancelled` is the client's decision, and `input_required` and `task`
 * are steps of a call that continues, so they do not count.
 */
export const FAILED_STATUSES = [
  "error",
  "rejected",
  "timeout",
  "abandoned",
] as const satisfies readonly ToolCallStatus[];

/** The kinds of sessions: one with an id in the protocol, or only a connection (such as one stdio process). */
export const SESSION_KINDS = ["session", "connection"] as const;

export type SessionKind = (typeof SESSION_KINDS)[number];

/** The content types of a tool's result (MCP 2025-11-25); all others are `other`. */
export const CONTENT_TYPES = [
  "text",
  "image",
  "audio",
  "resource",
  "resource_link",
  "other",
] as const;

export type ContentType = (typeof CONTENT_TYPES)[number];

/** The reasons why a record was dropped for good. */
export const DROP_REASONS = [
  /** Its metadata did not pass validation. */
  "invalid",
  /** The queue was full. */
  "queue_full",
  /** The database refused its content. */
  "unwritable",
  /** It ended an unknown session. */
  "unknown_session",
  /** It came after `shutdown()`. */
  "shut_down",
  /** It could be neither written nor journalled before `shutdown()` timed out or the process ended. */
  "shutdown_timeout",
] as const;

export type DropReason = (typeof DROP_REASONS)[number];
