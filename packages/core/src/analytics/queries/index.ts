/**
 * The public names of `@toolmeter/core/queries`: queries on an analytics database, one per file. They load neither
 * drizzle nor zod.
 */
export { databasePath } from "../environment.ts";
export { livingRecorders, openAnalyticsReader } from "../database/reader.ts";
export {
  CALL_RECORD_COLUMNS,
  callsAfter,
  countCalls,
  sessionCalls,
  streamCalls,
  topCalls,
} from "./calls.ts";
export { checkBudgets } from "./budget.ts";
export { clients } from "./clients.ts";
export { confusion } from "./confusion.ts";
export { contextTax } from "./context-tax.ts";
export { definitionVersions } from "./definition-versions.ts";
export { errorClasses } from "./error-classes.ts";
export { fileHealth, recordingHealth } from "./health.ts";
export { recordingLag } from "./lag.ts";
export { LiveCallFollower } from "./live-calls.ts";
export { matchesPatterns } from "./pattern.ts";
export { prunable } from "./prunable.ts";
export { report } from "./report.ts";
export { findSessions, latestSessions } from "./sessions.ts";
export { toolDetails } from "./tool.ts";
export { transitions } from "./transitions.ts";
export { usage, usageTotals } from "./usage.ts";
export { FAILED_STATUSES, TOOL_CALL_STATUSES } from "../vocabulary.ts";

export type { ToolCallStatus } from "../vocabulary.ts";
export type { AnalyticsReader, AnalyticsReaderOptions } from "../database/reader.ts";
export type { Budget, BudgetCheck, BudgetExcess, BudgetOptions, Measure } from "./budget.ts";
export type { CallOrder, CallRecord, CallSummary } from "./calls.ts";
export type { ClientUsage } from "./clients.ts";
export type { Confusion, Loops, Retries, Substitution } from "./confusion.ts";
export type { ContextTax } from "./context-tax.ts";
export type { DefinitionVersion } from "./definition-versions.ts";
export type { ErrorClass } from "./error-classes.ts";
export type { CallFilter } from "./filter.ts";
export type { FileHealth, RecordingHealth } from "./health.ts";
export type { RecordingLag } from "./lag.ts";
export type { LiveCall, LiveCalls } from "./live-calls.ts";
export type { Period, PeriodOptions } from "./period.ts";
export type { Prunable } from "./prunable.ts";
export type { Report } from "./report.ts";
export type { SessionSummary } from "./sessions.ts";
export type { QuerySource } from "./source.ts";
export type { ToolDetails } from "./tool.ts";
export type { Transition } from "./transitions.ts";
export type { Figures, ToolUsage, Usage, UsageBucket, UsageTotals } from "./usage.ts";
