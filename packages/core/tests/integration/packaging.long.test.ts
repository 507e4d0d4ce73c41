import { expect, test } from "bun:test";
import {
  copyFileSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import { createAnalyticsDb } from "../../src/analytics/database/database.ts";
import { sessionSummaries } from "../../src/analytics/schema.ts";
import { REPOSITORY, run } from "../support/run.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const PACKAGE = join(REPOSITORY, "packages/core");
const PROGRAM = join(import.meta.dir, "programs/application.ts");
const PROGRAM_WITH_WORKER = join(import.meta.dir, "programs/application-with-worker.ts");
const WORKER = join(import.meta.dir, "programs/writer.worker.ts");
const BUN = process.execPath;

/** Runs a step that must succeed. */
async function step(command: readonly string[], cwd?: string): Promise<void> {
  const outcome = await run(command, cwd === undefined ? {} : { cwd });
  expect({ command, ...outcome }).toMatchObject({ exitCode: 0 });
}

/** Each way to ship the package: makes the program ready in a directory and returns the command that runs it. */
const ways: {
  name: string;
  /** Whether the worker's program is left out: batches are then written in the calling thread. */
  isAlone?: boolean;
  ship: (directory: string) => Promise<readonly string[]>;
}[] = [
  {
    name: "from source",
    ship: async () => [BUN, PROGRAM],
  },
  {
    name: "packed and installed",
    ship: async (directory) => {
      await step([BUN, "pm", "pack", "--quiet", "--destination", directory], PACKAGE);
      await step(["tar", "-xzf", join(directory, packedName())], directory);
      const modules = join(directory, "node_modules");
      mkdirSync(join(modules, "@toolmeter"), { recursive: true });
      renameSync(join(directory, "package"), join(modules, "@toolmeter/core"));
      for (const name of ["drizzle-orm", "zod"]) {
        symlinkSync(realpathSync(join(PACKAGE, "node_modules", name)), join(modules, name));
      }
      copyFileSync(PROGRAM, join(directory, "application.ts"));
      return [BUN, "application.ts"];
    },
  },
  {
    name: "bundled",
    isAlone: true,
    ship: async (directory) => {
      await build(directory, PROGRAM);
      expect(readFileSync(join(directory, "application.js"), "utf8")).not.toContain(REPOSITORY);
      return [BUN, "application.js"];
    },
  },
  {
    name: "bundled, with its worker",
    ship: async (directory) => {
      await build(directory, PROGRAM_WITH_WORKER, WORKER);
      return [BUN, "application-with-worker.js"];
    },
  },
  {
    name: "compiled",
    isAlone: true,
    ship: async (directory) => {
      await step([BUN, "build", "--compile", PROGRAM, "--outfile", join(directory, "application")]);
      return [join(directory, "application")];
    },
  },
  {
    name: "compiled, with its worker",
    ship: async (directory) => {
      const programs = [PROGRAM_WITH_WORKER, WORKER];
      await step([
        BUN,
        "build",
        "--compile",
        ...programs,
        "--outfile",
        join(directory, "application"),
      ]);
      return [join(directory, "application")];
    },
  },
];

function build(directory: string, ...programs: readonly string[]): Promise<void> {
  return step([BUN, "build", "--target=bun", ...programs, "--outdir", directory]);
}

test.each(ways)(
  "the package opens, migrates and records $name",
  async ({ ship, isAlone = false }) => {
    using directory = temporaryDirectory();
    const command = await ship(directory.path);
    const file = directory.file("data/analytics.db");
    const outcome = await run(command, { cwd: directory.path, env: { TOOLMETER_DB: file } });
    expect(outcome).toEqual({
      exitCode: 0,
      stdout: JSON.stringify({ path: file, journalMode: "wal", outcome: "written" }),
      stderr: isAlone
        ? expect.stringMatching(/^toolmeter: .*Expected to write in a worker thread.*\n$/)
        : "",
    });
    using db = createAnalyticsDb(file);
    expect(db.select().from(sessionSummaries).all()).toMatchObject([
      { id: "s", calls: 1, endReason: "shutdown" },
    ]);
  },
  60_000,
);

function packedName(): string {
  const { name, version } = JSON.parse(readFileSync(join(PACKAGE, "package.json"), "utf8"));
  return `${name.replace("@", "").replace("/", "-")}-${version}.tgz`;
}
