CREATE TABLE `recorder_health` (
	`recorder_id` text NOT NULL,
	`hour_started_at_ms` integer NOT NULL,
	`process_id` integer NOT NULL,
	`accepted` integer NOT NULL,
	`written` integer NOT NULL,
	`dropped_invalid` integer NOT NULL,
	`dropped_queue_full` integer NOT NULL,
	`dropped_unwritable` integer NOT NULL,
	`dropped_unknown_session` integer NOT NULL,
	`dropped_shut_down` integer NOT NULL,
	`failed_flushes` integer NOT NULL,
	`retries` integer NOT NULL,
	`unjournaled` integer NOT NULL,
	`recovered` integer NOT NULL,
	`recording_ms` real NOT NULL,
	`queue_peak` integer NOT NULL,
	`commit_p50_ms` real,
	`commit_p99_ms` real,
	`commit_max_ms` real,
	`lock_wait_max_ms` real,
	`wal_bytes` integer,
	`journal_bytes` integer NOT NULL,
	`last_error` text,
	`last_error_at_ms` integer,
	PRIMARY KEY(`recorder_id`, `hour_started_at_ms`)
);
--> statement-breakpoint
CREATE TABLE `session_definitions` (
	`session_id` text NOT NULL,
	`definition_hash` text NOT NULL,
	PRIMARY KEY(`session_id`, `definition_hash`),
	FOREIGN KEY (`session_id`) REFERENCES `sessions`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `session_definitions_by_definition` ON `session_definitions` (`definition_hash`);--> statement-breakpoint
CREATE TABLE `sessions` (
	`id` text PRIMARY KEY NOT NULL,
	`kind` text,
	`started_at_ms` integer NOT NULL,
	`ended_at_ms` integer,
	`end_reason` text,
	`recorder_id` text NOT NULL,
	`client_name` text,
	`client_version` text,
	`server_name` text,
	`server_version` text,
	`protocol_version` text,
	`transport` text,
	`attributes` text
);
--> statement-breakpoint
CREATE INDEX `sessions_by_start` ON `sessions` (`started_at_ms`);--> statement-breakpoint
CREATE INDEX `sessions_open` ON `sessions` (`recorder_id`) WHERE "sessions"."ended_at_ms" is null;--> statement-breakpoint
CREATE TABLE `tool_calls` (
	`sequence` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`tool_name` text NOT NULL,
	`session_id` text,
	`started_at_ms` integer NOT NULL,
	`duration_ms` real NOT NULL,
	`status` text NOT NULL,
	`error_type` text,
	`error_code` integer,
	`error_message` text,
	`input_bytes` integer,
	`output_bytes` integer,
	`input_tokens` integer,
	`output_tokens` integer,
	`token_method` text,
	`output_content_types` text,
	`cache_hit` integer,
	`argument_hash` text,
	`argument_shape_hash` text,
	`definition_hash` text,
	`continued_from` text,
	`request_id` text,
	`trace_id` text,
	`parent_span_id` text,
	`client_name` text,
	`client_version` text,
	`server_name` text,
	`server_version` text,
	`protocol_version` text,
	`transport` text,
	`arguments` text,
	`result` text,
	`attributes` text,
	FOREIGN KEY (`session_id`) REFERENCES `sessions`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `tool_calls_id_unique` ON `tool_calls` (`id`);--> statement-breakpoint
CREATE INDEX `tool_calls_by_time` ON `tool_calls` (`started_at_ms`,`tool_name`,`duration_ms`,`status`,`output_tokens`);--> statement-breakpoint
CREATE INDEX `tool_calls_by_session` ON `tool_calls` (`session_id`,`started_at_ms`,`status`);--> statement-breakpoint
CREATE TABLE `tool_definitions` (
	`hash` text PRIMARY KEY NOT NULL,
	`tool_name` text NOT NULL,
	`definition` text NOT NULL,
	`bytes` integer NOT NULL,
	`tokens` integer NOT NULL,
	`token_method` text NOT NULL,
	`first_seen_at_ms` integer NOT NULL,
	`last_seen_at_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE VIEW `v_errors` AS 
  select sequence, call.id,
         strftime('%Y-%m-%dT%H:%M:%fZ', call.started_at_ms / 1000.0, 'unixepoch') as started_at_utc,
         call.started_at_ms, tool_name, status, error_type, error_code, error_message, duration_ms,
         request_id, session_id, coalesce(call.client_name, session.client_name) as client_name,
         coalesce(call.server_name, session.server_name) as server_name
  from tool_calls as call left join sessions as session on session.id = call.session_id
  where status in ('error', 'rejected', 'timeout', 'abandoned');--> statement-breakpoint
CREATE VIEW `v_sessions` AS 
  select id, kind, started_at_ms, ended_at_ms, ended_at_ms - started_at_ms as duration_ms, end_reason,
         client_name, client_version, server_name, server_version, protocol_version, transport,
         (select count(*) from tool_calls where session_id = sessions.id) as calls,
         (select count(*) from tool_calls where session_id = sessions.id and status in ('error', 'rejected', 'timeout', 'abandoned')) as failures,
         (select max(started_at_ms) from tool_calls where session_id = sessions.id) as last_call_at_ms
  from sessions;--> statement-breakpoint
CREATE VIEW `v_tool_daily` AS 
  select date(started_at_ms / 1000, 'unixepoch') as day,
         tool_name,
         count(*) as calls,
         sum(status in ('error', 'rejected', 'timeout', 'abandoned')) as failures,
         round(avg(status in ('error', 'rejected', 'timeout', 'abandoned')), 4) as failure_rate,
         round(avg(duration_ms), 3) as mean_duration_ms,
         round(max(duration_ms), 3) as max_duration_ms
  from tool_calls
  group by day, tool_name;