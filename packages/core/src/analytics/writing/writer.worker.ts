/**
 * The writer thread: writes batches, applies retention and imports journals. Its counterpart is
 * `worker-line-writer.ts`.
 */
import { BackgroundRecovery } from "./background-recovery.ts";
import { toAnalyticsError } from "../errors.ts";
import { FileWriter } from "./file-writer.ts";
import { writeLines } from "./line-writer.ts";
import { Retention, type RetentionPolicy } from "../housekeeping/retention.ts";
import { Tidying } from "../housekeeping/tidying.ts";
import type { FromWorker, ToWorker } from "./worker-line-writer.ts";

declare const self: Worker;

let path = "";
let writer: FileWriter | undefined;
let tidying: Tidying | undefined;
let recovery: BackgroundRecovery | undefined;

self.addEventListener("message", ({ data }: MessageEvent<ToWorker>) => void answer(data));

async function answer(message: ToWorker): Promise<void> {
  switch (message.kind) {
    case "open":
      open(message.path, message.recorderId, message.retention);
      return;
    case "recover":
      recovery?.start();
      return;
    case "write":
      tidying?.stop();
      // Every line ends with a newline, including the last.
      post(await write(message.lines.split("\n").slice(0, -1)));
      tidying?.start();
      return;
    case "close":
      tidying?.stop();
      recovery?.stop();
      writer?.close();
      post({ kind: "closed" });
  }
}

function open(file: string, recorderId: string, policy: RetentionPolicy): void {
  path = file;
  const opened = new FileWriter(file, recorderId, warn);
  writer = opened;
  tidying = new Tidying({
    path,
    client: () => opened.client,
    retention: new Retention(policy),
    done: () => opened.checkpoint("truncate"),
    warn,
  });
  recovery = new BackgroundRecovery({
    path,
    warn,
    imported: (records) => post({ kind: "recovered", records }),
  });
}

async function write(lines: readonly string[]): Promise<FromWorker> {
  if (!writer) throw new Error("Expected an `open` message first");
  try {
    const rejections = await writeLines(writer, lines);
    return {
      kind: "written",
      rejections: rejections.map(({ index, error }) => ({ index, ...describe(error) })),
      cost: writer.cost,
    };
  } catch (error) {
    return { kind: "failed", ...describe(error) };
  }
}

function describe(error: unknown) {
  const { code, message } = toAnalyticsError(error, path);
  return { code, message };
}

function warn(message: string): void {
  post({ kind: "warning", message });
}

function post(message: FromWorker): void {
  self.postMessage(message);
}
