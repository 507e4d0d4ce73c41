/** The thread that writes: opens, writes, acknowledges; tidies when idle. `worker-writer.ts` is the other side. */
import { errorMessage, toAnalyticsError } from "./errors.ts";
import { FileWriter } from "./file-writer.ts";
import { writeLines } from "./line-writer.ts";
import { Retention } from "./retention.ts";
import type { FromWorker, ToWorker } from "./worker-writer.ts";

declare const self: Worker;

/** How long after the last write the thread tidies, in milliseconds. */
const IDLE_MS = 1_000;
/** Pause between two slices of tidying, in which others write, in milliseconds. */
const PAUSE_MS = 20;

let path = "";
let writer: FileWriter | undefined;
let retention = new Retention({});
let timer: ReturnType<typeof setTimeout> | undefined;

self.addEventListener("message", ({ data }: MessageEvent<ToWorker>) => void answer(data));

async function answer(message: ToWorker): Promise<void> {
  switch (message.kind) {
    case "open":
      path = message.path;
      writer = new FileWriter(path, message.recorderId, warn);
      retention = new Retention(message.retention);
      return;
    case "write":
      clearTimeout(timer);
      // Each line has its end, also the last.
      post(await write(message.lines.split("\n").slice(0, -1)));
      timer = setTimeout(tidy, IDLE_MS);
      return;
    case "close":
      clearTimeout(timer);
      writer?.close();
      post({ kind: "closed" });
  }
}

async function write(lines: readonly string[]): Promise<FromWorker> {
  if (!writer) throw new Error("Expected to be opened first");
  try {
    const rejections = await writeLines(writer, lines);
    return {
      kind: "written",
      rejections: rejections.map(({ item, error }) => [lines.indexOf(item), describe(error)]),
      cost: writer.cost,
    };
  } catch (error) {
    return { kind: "failed", ...describe(error) };
  }
}

function tidy(): void {
  const client = writer?.client;
  if (!client) return;
  try {
    if (retention.slice(client, Date.now())) timer = setTimeout(tidy, PAUSE_MS);
    else writer?.checkpoint("truncate");
  } catch (error) {
    warn(`Old calls could not be removed from ${path}: ${errorMessage(error)}.`);
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
