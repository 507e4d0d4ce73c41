/** The closed sets of words in the file: one list each for the column, the validation, the queries and the type. */

/** How a tool call ended, as its client saw it. */
export const TOOL_CALL_STATUSES = [
  /** The tool answered. */
  "success",
  /** The tool ran and failed: it threw, or its result says `isError`. */
  "error",
  /** The tool never ran: unknown or disabled, or its arguments or the request were refused. */
  "rejected",
  /** The client withdrew the call. */
  "cancelled",
  /** Somebody's time limit passed first. */
  "timeout",
  /** The answer asks for input; the call goes on as another request (MCP 2026-07-28). */
  "input_required",
  /** The answer is a handle to a task that goes on. */
  "task",
  /** The process died while the call ran. */
  "abandoned",
] as const;

export type ToolCallStatus = (typeof TOOL_CALL_STATUSES)[number];

/**
 * The statuses that reports count as failures. A cancelled call is the client's wish, and
 * `input_required` and `task` are steps of a call that goes on, so neither counts.
 */
export const FAILED_STATUSES = [
  "error",
  "rejected",
  "timeout",
  "abandoned",
] as const satisfies readonly ToolCallStatus[];

/** What a session is: a conversation that the protocol names, or no more than a connection (one stdio process). */
export const SESSION_KINDS = ["session", "connection"] as const;

export type SessionKind = (typeof SESSION_KINDS)[number];

/** The kinds of content in a tool's result (MCP 2025-11-25); what has none of these names is `other`. */
export const CONTENT_TYPES = [
  "text",
  "image",
  "audio",
  "resource",
  "resource_link",
  "other",
] as const;

export type ContentType = (typeof CONTENT_TYPES)[number];

/** Why a record is not in the database and never will be. */
export const DROP_REASONS = [
  /** Its metadata did not pass validation. */
  "invalid",
  /** The queue was full. */
  "queue_full",
  /** The database refused it for what it holds. */
  "unwritable",
  /** It ended a session that nobody started. */
  "unknown_session",
  /** It came after `shutdown()`. */
  "shut_down",
  /** It could not be written before `shutdown()` ran out of time or the process ended, nor journalled. */
  "shutdown_timeout",
] as const;

export type DropReason = (typeof DROP_REASONS)[number];
