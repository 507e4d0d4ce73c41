import { localZone, parseDuration, parseZone } from "@toolmeter/present";
import { CommandError } from "../failures/command-error.ts";
import { EXIT } from "../failures/exit-codes.ts";
import { SQL_PROGRAM } from "../own-command.ts";
import { readStatement } from "./input.ts";
import type { SqlQuestion, SqlReply, ToSqlThread } from "../sql.worker.ts";
import type { PrintOptions } from "../output/print.ts";
import type { Terminal } from "../output/terminal.ts";

export interface SqlOptions extends PrintOptions {
  readonly db?: string | undefined;
  readonly tz?: string | undefined;
  readonly limit: number;
  readonly timeout: string;
}

/**
 * Resident memory that a query may add to the process at most, in bytes. The process starts with about 50 MB and must
 * stay below 300 MB, even if a check is late.
 */
const MAX_GROWTH = 180_000_000;

/**
 * Pause between two checks of the memory, in milliseconds. A check costs 15 µs; SQLite allocates at most about 5 MB
 * meanwhile.
 */
const WATCH_MS = 2;

const TOO_LARGE =
  "Expected a query that takes less than 300 MB of memory, but this one takes more. Select fewer or shorter rows, sort or group less (where started_at_ms > …), or use --format csv or json, which are streamed.";

/**
 * Runs an SQL query and returns the exit code.
 *
 * The query runs in a worker. The main thread enforces its limits on time and memory by ending the process, so the
 * query always ends with the process.
 */
export async function sql(query: string, options: SqlOptions, terminal: Terminal): Promise<number> {
  const { limit, format, json, color, db, quiet, tz } = options;
  const timeoutMs = parseDuration(options.timeout);
  const zone = tz === undefined ? localZone() : parseZone(tz);
  const text = query === "-" ? await readStatement(Bun.stdin.stream()) : query;
  await run(
    {
      text,
      options: { limit, format, json, color, db, quiet, zone },
      columns: terminal.columns,
      hasColor: terminal.hasColor,
    },
    timeoutMs,
    terminal,
  );
  return EXIT.ok;
}

async function run(question: SqlQuestion, timeoutMs: number, terminal: Terminal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const worker = new Worker(SQL_PROGRAM, { smol: true });
  let isWriting = false;
  const write = async (text: string) => {
    isWriting = true;
    await terminal.out(text);
    isWriting = false;
    worker.postMessage("taken" satisfies ToSqlThread);
  };
  worker.addEventListener("message", ({ data }: MessageEvent<SqlReply>) => {
    if (data.kind === "text") write(data.text).catch(reject);
    else if (data.kind === "failed") reject(toError(data));
    else resolve();
  });
  worker.addEventListener("error", ({ message }) => reject(new CommandError(message)));
  const maxMemory = process.memoryUsage.rss() + MAX_GROWTH;
  let last = performance.now();
  let usedMs = 0;
  const watch = setInterval(() => {
    const now = performance.now();
    // Time spent waiting for a slow reader does not count.
    if (!isWriting) usedMs += now - last;
    last = now;
    if (timeoutMs > 0 && usedMs > timeoutMs) reject(tooSlow(timeoutMs));
    if (process.memoryUsage.rss() > maxMemory) reject(new CommandError(TOO_LARGE));
  }, WATCH_MS);
  worker.postMessage(question);
  try {
    await promise;
  } finally {
    clearInterval(watch);
    worker.terminate();
  }
}

function toError({ name, message, code }: SqlReply & { readonly kind: "failed" }): Error {
  return name === "AnalyticsError"
    ? Object.assign(new Error(message), { name, code })
    : new CommandError(message);
}

function tooSlow(timeoutMs: number): CommandError {
  return new CommandError(
    `Expected a result within ${timeoutMs / 1_000} s, but the query is still running. Select less, or allow more time: --timeout 5m`,
  );
}
