import { randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Importer } from "@toolmeter/core";
import type { PrintOptions } from "../output/print.ts";
import { writeTraffic } from "./traffic.ts";
import { CommandError } from "../failures/command-error.ts";
import { openTarget } from "../transfer/open-target.ts";
import type { Terminal } from "../output/terminal.ts";
import { report } from "../answers/report.ts";

export interface DemoOptions extends PrintOptions {
  readonly tz?: string | undefined;
  readonly calls: number;
  readonly days: number;
  readonly seed: number;
  readonly output?: string | undefined;
}

const PROGRESS_CALLS = 100_000;

/** Creates a database of sample calls and reports on it. */
export async function demo(options: DemoOptions, terminal: Terminal): Promise<void> {
  const path = resolve(
    options.output ?? join(mkdtempSync(join(tmpdir(), "toolmeter-demo-")), "analytics.db"),
  );
  if (existsSync(path)) {
    throw new CommandError(
      `Expected a new file, but ${path} already exists. Name another one, or remove it.`,
    );
  }
  writeWhole(path, options, terminal);
  await report({ ...options, db: path }, terminal);
  if (options.quiet) return;
  terminal.err(
    `\nTo explore this file:\n  export TOOLMETER_DB=${Bun.$.escape(path)}\n  toolmeter confusion`,
  );
}

/** Creates the file under a temporary name, so that it appears only when complete. */
function writeWhole(path: string, options: DemoOptions, terminal: Terminal): void {
  const part = `${path}.${randomUUID()}.part`;
  try {
    {
      using db = openTarget(part);
      let reported = 0;
      writeTraffic(new Importer(db), {
        ...options,
        until: Date.now(),
        onProgress: (calls) => {
          if (calls - reported < PROGRESS_CALLS || options.quiet) return;
          reported = calls;
          terminal.err(`${calls} calls`);
        },
      });
      // Moves the log into the file, because only that is renamed.
      db.$client.run("pragma journal_mode = delete");
    }
    renameSync(part, path);
  } catch (error) {
    for (const suffix of ["", "-wal", "-shm", "-journal"])
      rmSync(`${part}${suffix}`, { force: true });
    throw error;
  }
}
