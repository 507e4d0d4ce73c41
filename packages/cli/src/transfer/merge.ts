import { mergeAnalyticsDb } from "@toolmeter/core";
import { CommandError } from "../failures/command-error.ts";
import { identityOf } from "./identity-of.ts";
import { openTarget } from "./open-target.ts";
import type { Terminal } from "../output/terminal.ts";

export interface MergeOptions {
  readonly db?: string | undefined;
  readonly quiet?: true | undefined;
}

/** Imports everything from other analytics databases. */
export async function merge(
  files: readonly string[],
  options: MergeOptions,
  terminal: Terminal,
): Promise<void> {
  using db = openTarget(options.db);
  const target = identityOf(db.path);
  if (files.some((file) => identityOf(file) === target)) {
    throw new CommandError(
      `Expected files other than the target ${db.path}. Name another target with --db.`,
    );
  }
  for (const file of files) {
    const { toolCalls, sessions } = await mergeAnalyticsDb(db, file);
    if (!options.quiet)
      terminal.err(`${file}: ${toolCalls} calls and ${sessions} sessions imported (${db.path}).`);
  }
}
