/**
 * The public names of `@toolmeter/core`. Adding a line here makes API: name it in the README.
 */
export { createAnalyticsDb } from "./database.ts";
export { AnalyticsError, ANALYTICS_ERROR_CODES } from "./errors.ts";
export { Importer } from "./importer.ts";
export { containLogger, stderrLogger } from "./logger.ts";
export { mergeAnalyticsDb } from "./merge.ts";
export { sessionDetailsSchema, toolCallMetadataSchema } from "./metadata.ts";
export { pruneAnalyticsDb } from "./prune.ts";
export {
  failedCalls,
  recorderHealth,
  sessionDefinitions,
  sessions,
  sessionSummaries,
  toolCalls,
  toolDaily,
  toolDefinitions,
} from "./schema.ts";
export { CONTENT_TYPES, FAILED_STATUSES, SESSION_KINDS, TOOL_CALL_STATUSES } from "./vocabulary.ts";
export { DROP_REASONS } from "./stats.ts";
export { TelemetryService } from "./telemetry.ts";

export type { FlushResult, Rejection } from "./batcher.ts";
export type { TelemetryConfig } from "./config.ts";
export type { AnalyticsDb, AnalyticsDbOptions } from "./database.ts";
export type { AnalyticsErrorCode } from "./errors.ts";
export type { RecordedSession, RecordedToolCall } from "./importer.ts";
export type { ToolCallEnd, ToolCallHandle, ToolCallStart } from "./in-flight.ts";
export type { Logger } from "./logger.ts";
export type { MergeResult } from "./merge.ts";
export type { SessionDetails, ToolCallMetadata, ToolDefinition } from "./metadata.ts";
export type { ContentType, SessionKind, ToolCallStatus } from "./vocabulary.ts";
export type { NewSession, NewToolCall, RecorderHealth, Session, ToolCall } from "./schema.ts";
export type { Distribution } from "./meter.ts";
export type { TelemetryRecord } from "./record.ts";
export type { Recovery } from "./recovery.ts";
export type { RetentionPolicy } from "./retention.ts";
export type { DropReason, TelemetryStats } from "./stats.ts";
export type { RecordWriter } from "./writer.ts";
