import { join } from "node:path";
import type { RecordedBy, ServerName } from "./servers.ts";

/** A call to make, and when its client gives up. */
export interface PlannedCall {
  readonly name: string;
  readonly arguments?: Record<string, unknown>;
  readonly cancelAfterMs?: number;
  readonly timeoutMs?: number;
}

/** A server to start, and the calls to make. */
export interface PlannedServer {
  readonly name: ServerName;
  readonly args: readonly string[];
  readonly recordedBy: RecordedBy;
  readonly calls: readonly PlannedCall[];
}

/** Returns the calls to two servers. Most of them succeed. The servers may write into `directory`. */
export function plan(directory: string): readonly PlannedServer[] {
  return [
    { name: "everything", args: ["stdio"], recordedBy: "auto", calls: EVERYTHING_CALLS },
    {
      name: "filesystem",
      args: [directory],
      recordedBy: "client",
      calls: filesystemCalls(directory),
    },
  ];
}

const MULTIBYTE = "Příliš žluťoučký kůň · 你好，世界 · مرحبا · 🐎";

const EVERYTHING_CALLS: readonly PlannedCall[] = [
  { name: "echo", arguments: { message: "hello" } },
  { name: "echo", arguments: { message: MULTIBYTE } },
  { name: "echo", arguments: { message: "x".repeat(100_000) } },
  { name: "echo", arguments: {} },
  { name: "get-sum", arguments: { a: 3, b: 4 } },
  { name: "get-sum", arguments: { a: -0.5, b: 1e9 } },
  { name: "get-sum", arguments: { a: 3, b: "four" } },
  { name: "get-structured-content", arguments: { location: "Chicago" } },
  { name: "get-structured-content", arguments: { location: "New York" } },
  { name: "get-structured-content", arguments: { location: "Atlantis" } },
  { name: "get-annotated-message", arguments: { messageType: "debug" } },
  { name: "get-annotated-message", arguments: { messageType: "success", includeImage: true } },
  { name: "get-tiny-image" },
  { name: "get-env" },
  { name: "get-resource-links", arguments: { count: 10 } },
  { name: "get-resource-reference", arguments: { resourceType: "Text", resourceId: 1 } },
  { name: "get-resource-reference", arguments: { resourceType: "Text", resourceId: -1 } },
  { name: "gzip-file-as-resource", arguments: { name: "hello.gz", data: "data:text/plain,hello" } },
  { name: "gzip-file-as-resource", arguments: { name: "hello.gz", data: "ftp://localhost/" } },
  { name: "trigger-long-running-operation", arguments: { duration: 0.2, steps: 2 } },
  { name: "trigger-long-running-operation", arguments: { duration: 0.6, steps: 4 } },
  {
    name: "trigger-long-running-operation",
    arguments: { duration: 0.5, steps: 2 },
    cancelAfterMs: 100,
  },
  {
    name: "trigger-long-running-operation",
    arguments: { duration: 0.5, steps: 1 },
    timeoutMs: 150,
  },
  // Runs only as a task, which this client does not request.
  { name: "simulate-research-query", arguments: { topic: "telemetry" } },
  { name: "no-such-tool" },
];

/** Calls with files that exist, files that do not exist, and a file outside the directory. */
function filesystemCalls(directory: string): readonly PlannedCall[] {
  const at = (...parts: string[]) => join(directory, ...parts);
  const notes = at("notes", "today.txt");
  const large = at("notes", "large.txt");
  return [
    { name: "list_allowed_directories" },
    { name: "create_directory", arguments: { path: at("notes") } },
    { name: "write_file", arguments: { path: notes, content: `one\ntwo\n${MULTIBYTE}\n` } },
    {
      name: "write_file",
      arguments: { path: large, content: "All work and no play.\n".repeat(50_000) },
    },
    { name: "write_file", arguments: { path: notes } },
    { name: "read_text_file", arguments: { path: notes } },
    { name: "read_text_file", arguments: { path: notes, tail: 1 } },
    { name: "read_text_file", arguments: { path: large } },
    { name: "read_text_file", arguments: { path: at("missing.txt") } },
    { name: "read_text_file", arguments: { path: at("..", "outside.txt") } },
    { name: "read_media_file", arguments: { path: notes } },
    { name: "read_multiple_files", arguments: { paths: [notes, at("missing.txt")] } },
    { name: "edit_file", arguments: { path: notes, edits: [{ oldText: "two", newText: "2" }] } },
    { name: "edit_file", arguments: { path: notes, edits: [{ oldText: "six", newText: "6" }] } },
    { name: "list_directory", arguments: { path: at("notes") } },
    { name: "list_directory", arguments: { path: at("nowhere") } },
    { name: "list_directory_with_sizes", arguments: { path: at("notes"), sortBy: "size" } },
    { name: "directory_tree", arguments: { path: directory } },
    { name: "search_files", arguments: { path: directory, pattern: "**/*.txt" } },
    { name: "get_file_info", arguments: { path: large } },
    { name: "move_file", arguments: { source: notes, destination: at("moved.txt") } },
    { name: "move_file", arguments: { source: notes, destination: at("again.txt") } },
    { name: "delete_file", arguments: { path: large } },
  ];
}
