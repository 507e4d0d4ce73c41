import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Importer, createAnalyticsDb } from "@toolmeter/core";
import type { AskOptions } from "../ask.ts";
import { writeTraffic } from "../demo/traffic.ts";
import { CommandError } from "../errors.ts";
import type { Terminal } from "../terminal.ts";
import { report } from "./report.ts";

export interface DemoOptions extends Pick<
  AskOptions,
  "color" | "format" | "json" | "quiet" | "tz"
> {
  readonly calls: number;
  readonly days: number;
  readonly seed: number;
  readonly output?: string | undefined;
}

const PROGRESS_CALLS = 100_000;

/** Makes a file of made-up traffic, and reports on it. */
export async function demo(options: DemoOptions, terminal: Terminal): Promise<void> {
  const path = resolve(
    options.output ?? join(mkdtempSync(join(tmpdir(), "toolmeter-demo-")), "analytics.db"),
  );
  if (existsSync(path)) {
    throw new CommandError(
      `Expected a new file, but ${path} exists. Name another one, or remove it.`,
    );
  }
  {
    using db = createAnalyticsDb(path);
    let told = 0;
    writeTraffic(new Importer(db), {
      ...options,
      until: Date.now(),
      onProgress: (calls) => {
        if (calls - told < PROGRESS_CALLS || options.quiet) return;
        told = calls;
        terminal.err(`${calls} calls`);
      },
    });
  }
  await report({ ...options, db: path }, terminal);
  if (options.quiet) return;
  terminal.err(
    `\nEverything works on this file:\n  export TOOLMETER_DB=${Bun.$.escape(path)}\n  toolmeter confusion`,
  );
}
