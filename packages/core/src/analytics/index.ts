/**
 * The public names of `@toolmeter/core`. Each line here is API: document it in `docs`.
 */
export { createAnalyticsDb } from "./database/database.ts";
export { AnalyticsError, ANALYTICS_ERROR_CODES, errorMessage } from "./errors.ts";
export { Importer } from "./database/importer.ts";
export { containLogger, stderrLogger } from "./logger.ts";
export { mergeAnalyticsDb } from "./database/merge.ts";
export { sessionDetailsSchema, toolCallMetadataSchema } from "./records/metadata.ts";
export { pruneAnalyticsDb } from "./database/prune.ts";
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
export { DROP_REASONS } from "./vocabulary.ts";
export { TelemetryService } from "./telemetry.ts";

export type { FlushResult } from "./writing/batcher.ts";
export type { TelemetryConfig } from "./recording/config.ts";
export type { AnalyticsDb, AnalyticsDbOptions } from "./database/database.ts";
export type { AnalyticsErrorCode } from "./errors.ts";
export type { RecordedSession, RecordedToolCall } from "./database/importer.ts";
export type { ToolCallEnd, ToolCallHandle, ToolCallStart } from "./recording/in-flight.ts";
export type { Logger } from "./logger.ts";
export type { MergeResult } from "./database/merge.ts";
export type { SessionDetails, ToolCallMetadata, ToolDefinition } from "./records/metadata.ts";
export type { ContentType, SessionKind, ToolCallStatus } from "./vocabulary.ts";
export type { NewSession, NewToolCall, RecorderHealth, Session, ToolCall } from "./schema.ts";
export type { Distribution } from "./recording/meter.ts";
export type { TelemetryRecord } from "./records/record.ts";
export type { Recovery } from "./writing/recovery.ts";
export type { RetentionPolicy } from "./housekeeping/retention.ts";
export type { TelemetryStats } from "./recording/stats.ts";
export type { DropReason } from "./vocabulary.ts";
export type { Writer } from "./writing/writer.ts";
export type { Rejection } from "./writing/batcher.ts";
