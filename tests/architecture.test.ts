/** The walls of the house, read from its source: who may import whom. */
import { describe, expect, test } from "bun:test";
import { dirname, join } from "node:path";
import manifest from "../packages/core/package.json" with { type: "json" };

const root = join(import.meta.dir, "..");
const core = join(root, "packages/core");
const transpiler = new Bun.Transpiler({ loader: "ts" });

/**
 * What each file of the core imports when it runs; types cost nothing and are not counted. Whoever adds a
 * line here adds a door: `telemetry → pipeline → batcher, journal, writers → schema`, never back.
 */
const ROOMS: Record<string, readonly string[]> = {
  "background-recovery.ts": ["./errors.ts", "./file-writer.ts", "./lock.ts", "./recovery.ts"],
  "batcher.ts": [],
  "beginning.ts": ["bun:jsc"],
  "bounded-copy.ts": ["./beginning.ts", "bun:jsc", "node:util/types"],
  "busy.ts": ["./errors.ts"],
  "canonical-path.ts": ["node:fs", "node:path"],
  "config.ts": ["./environment.ts", "./logger.ts"],
  "connection.ts": [
    "./busy.ts",
    "./canonical-path.ts",
    "./errors.ts",
    "./log-lock.ts",
    "./log-owner.ts",
    "./migrations.ts",
    "./write-ahead-log.ts",
    "bun:sqlite",
    "node:fs",
    "node:path",
    "node:url",
  ],
  "database.ts": [
    "./busy.ts",
    "./connection.ts",
    "./environment.ts",
    "./errors.ts",
    "./log-lock.ts",
    "./log-owner.ts",
    "./logger.ts",
    "./recovery.ts",
    "./repair.ts",
    "./schema.ts",
    "./settle.ts",
    "./write-ahead-log.ts",
    "drizzle-orm/bun-sqlite",
    "node:fs",
    "node:path",
  ],
  "destination.ts": ["./connection.ts", "./database.ts"],
  "environment.ts": ["node:os", "node:path"],
  "errors.ts": ["bun:sqlite", "node:fs", "node:path"],
  "exit.ts": [],
  "file-header.ts": ["./file-identity.ts", "./migrations.ts", "node:fs"],
  "file-identity.ts": ["node:fs"],
  "file-watch.ts": [
    "./file-identity.ts",
    "./log-lock.ts",
    "./log-owner.ts",
    "./write-ahead-log.ts",
  ],
  "file-writer.ts": [
    "./busy.ts",
    "./connection.ts",
    "./errors.ts",
    "./file-identity.ts",
    "./file-watch.ts",
    "./log-lock.ts",
    "./log-owner.ts",
    "./repair.ts",
    "./settle.ts",
    "./write-ahead-log.ts",
    "./writer.ts",
  ],
  "health.ts": [],
  "importer.ts": [
    "./busy.ts",
    "./errors.ts",
    "./json.ts",
    "./metadata.ts",
    "./row.ts",
    "./writer.ts",
  ],
  "in-flight.ts": ["./metadata.ts", "./record.ts"],
  "index.ts": [
    "./database.ts",
    "./errors.ts",
    "./importer.ts",
    "./logger.ts",
    "./merge.ts",
    "./metadata.ts",
    "./prune.ts",
    "./schema.ts",
    "./stats.ts",
    "./telemetry.ts",
    "./vocabulary.ts",
  ],
  "journal-follower.ts": ["./record.ts", "./segments.ts", "node:fs"],
  "journal.ts": [
    "./canonical-path.ts",
    "./line-file.ts",
    "./lock.ts",
    "./token-bucket.ts",
    "node:fs",
    "node:path",
  ],
  "json.ts": ["./bounded-copy.ts", "./errors.ts"],
  "line-file.ts": ["node:fs"],
  "line-writer.ts": ["./record.ts"],
  "lock.ts": ["./errors.ts", "./write-ahead-log.ts", "bun:sqlite", "node:fs"],
  "log-lock.ts": ["./errors.ts", "./journal.ts", "./lock.ts", "node:path"],
  "log-owner.ts": [
    "./canonical-path.ts",
    "./file-identity.ts",
    "./journal.ts",
    "./lock.ts",
    "./migrations.ts",
    "./settle.ts",
    "./write-ahead-log.ts",
    "node:fs",
    "node:path",
  ],
  "logger.ts": [],
  "merge.ts": ["./busy.ts", "./errors.ts", "./reader.ts", "./schema.ts", "drizzle-orm"],
  "metadata.ts": [
    "./bounded-copy.ts",
    "./errors.ts",
    "./json.ts",
    "./row.ts",
    "./vocabulary.ts",
    "node:util/types",
    "zod",
  ],
  "meter.ts": ["node:perf_hooks"],
  "migrations.ts": ["./errors.ts", "./migrations.gen.ts"],
  "pipeline.ts": [
    "./background-recovery.ts",
    "./batcher.ts",
    "./canonical-path.ts",
    "./connection.ts",
    "./errors.ts",
    "./exit.ts",
    "./file-writer.ts",
    "./journal.ts",
    "./line-writer.ts",
    "./log-owner.ts",
    "./segments.ts",
    "./worker-writer.ts",
    "./writer.ts",
    "node:fs",
  ],
  "prune.ts": ["./busy.ts", "./errors.ts", "./retention.ts"],
  "read-only.ts": ["./errors.ts", "./migrations.ts", "bun:sqlite", "node:fs", "node:url"],
  "reader.ts": [
    "./connection.ts",
    "./database.ts",
    "./environment.ts",
    "./errors.ts",
    "./journal.ts",
    "./lock.ts",
    "./read-only.ts",
    "./segments.ts",
    "node:fs",
    "node:path",
  ],
  "record.ts": ["./row.ts"],
  "recovery.ts": [
    "./busy.ts",
    "./errors.ts",
    "./journal.ts",
    "./lock.ts",
    "./log-owner.ts",
    "./segments.ts",
    "./writer.ts",
    "node:fs",
    "node:path",
  ],
  "repair.ts": [
    "./canonical-path.ts",
    "./errors.ts",
    "./file-header.ts",
    "./journal.ts",
    "./lock.ts",
    "./log-lock.ts",
    "./log-owner.ts",
    "bun:sqlite",
    "node:fs",
    "node:path",
  ],
  "reporter.ts": ["./errors.ts"],
  "retention.ts": [],
  "row.ts": ["./beginning.ts"],
  "schema.ts": ["./vocabulary.ts", "drizzle-orm", "drizzle-orm/sqlite-core"],
  "segments.ts": ["./journal.ts", "./record.ts", "node:fs", "node:path"],
  "settle.ts": ["./file-header.ts", "./file-identity.ts"],
  "shape.ts": [],
  "stats.ts": [],
  "telemetry.ts": [
    "./config.ts",
    "./destination.ts",
    "./errors.ts",
    "./health.ts",
    "./in-flight.ts",
    "./metadata.ts",
    "./meter.ts",
    "./pipeline.ts",
    "./record.ts",
    "./reporter.ts",
  ],
  "tidying.ts": ["./errors.ts"],
  "token-bucket.ts": [],
  "vocabulary.ts": [],
  "worker-writer.ts": [
    "./background-recovery.ts",
    "./errors.ts",
    "./file-writer.ts",
    "./line-writer.ts",
  ],
  "write-ahead-log.ts": [
    "./errors.ts",
    "./file-header.ts",
    "./file-identity.ts",
    "bun:sqlite",
    "node:fs",
    "node:url",
  ],
  "writer.ts": [
    "./busy.ts",
    "./errors.ts",
    "./migrations.ts",
    "./schema.ts",
    "./shape.ts",
    "drizzle-orm",
  ],
  "writer.worker.ts": [
    "./background-recovery.ts",
    "./errors.ts",
    "./file-writer.ts",
    "./line-writer.ts",
    "./retention.ts",
    "./tidying.ts",
  ],
};

/** Likewise of `packages/mcp/src`: `instrument, auto → instrumentation → connection → what reads messages`. */
const MCP_ROOMS: Record<string, readonly string[]> = {
  "auto.ts": [
    "./instrument.ts",
    "./instrumentation.ts",
    "./lines.ts",
    "./stand-back.ts",
    "./tap.ts",
  ],
  "connection.ts": [
    "./fingerprint.ts",
    "./identity.ts",
    "./message.ts",
    "./outcome.ts",
    "./readable.ts",
    "./size.ts",
  ],
  "definition.ts": ["./fingerprint.ts", "./message.ts", "./readable.ts", "./size.ts"],
  "fingerprint.ts": ["./message.ts"],
  "identity.ts": ["./message.ts"],
  "index.ts": ["./connection.ts", "./instrument.ts", "./instrumentation.ts", "./lines.ts"],
  "instrument.ts": [
    "./instrumentation.ts",
    "./service.ts",
    "./stand-back.ts",
    "./tap.ts",
    "./target.ts",
    "@toolmeter/core",
  ],
  "instrumentation.ts": ["./connection.ts", "./recorder.ts", "./service.ts", "@toolmeter/core"],
  "lines.ts": [],
  "message.ts": ["@toolmeter/core/beginning"],
  "outcome.ts": ["./message.ts"],
  "payload.ts": ["./message.ts", "./readable.ts"],
  "readable.ts": ["@toolmeter/core/bounded-copy"],
  "recorder.ts": ["./definition.ts", "./message.ts", "./payload.ts"],
  "service.ts": ["@toolmeter/core"],
  "size.ts": ["./message.ts", "./readable.ts", "@toolmeter/core", "@toolmeter/core/beginning"],
  "stand-back.ts": [],
  "tap.ts": [],
  "target.ts": ["./identity.ts", "./message.ts"],
};

interface Source {
  readonly path: string;
  readonly text: string;
}

async function sources(pattern: string, cwd: string): Promise<readonly Source[]> {
  const paths = [...new Bun.Glob(pattern).scanSync({ cwd })]
    .filter((path) => !path.includes("node_modules") && !path.endsWith(".d.ts"))
    .toSorted();
  return Promise.all(
    paths.map(async (path) => ({ path, text: await Bun.file(join(cwd, path)).text() })),
  );
}

/** What is imported when the file runs. */
function runtimeImports({ text }: Source): readonly string[] {
  return [...new Set(transpiler.scanImports(text).map(({ path }) => path))].toSorted();
}

/** Those of them that are loaded with it: not what it imports when it is needed. */
function staticImports({ text }: Source): readonly string[] {
  return transpiler
    .scanImports(text)
    .filter(({ kind }) => kind === "import-statement")
    .map(({ path }) => path);
}

/** Everything that an import or export statement names, types too. */
function namedModules({ text }: Source): readonly string[] {
  return [...text.matchAll(/\b(?:from|import|import\() ?"([^"]+)"/g)].map(([, name]) => name ?? "");
}

function doors(rooms: readonly Source[]): Record<string, readonly string[]> {
  return Object.fromEntries(rooms.map((source) => [source.path, runtimeImports(source)]));
}

const isOurs = (name: string) => name.startsWith(".");
const analytics = await sources("**/*.ts", join(core, "src/analytics"));
const queries = await sources("*.ts", join(core, "src/analytics/queries"));
const cli = await sources("**/*.ts", join(root, "packages/cli/src"));
const mcp = await sources("**/*.ts", join(root, "packages/mcp/src"));

describe("packages/core", () => {
  test("has the rooms and the doors that are listed here, no more and no fewer", () => {
    const rooms = analytics.filter(
      ({ path }) => !path.endsWith(".gen.ts") && !path.startsWith("queries/"),
    );
    expect(doors(rooms)).toEqual(ROOMS);
  });

  test("asks its questions without drizzle and zod", () => {
    const outside = queries.flatMap(runtimeImports).filter((path) => !path.startsWith("./"));
    expect([...new Set(outside)].toSorted()).toEqual([
      "../environment.ts",
      "../journal-follower.ts",
      "../reader.ts",
      "../vocabulary.ts",
    ]);
    const loaded = new Set<string>();
    const follow = (path: string) => {
      if (loaded.has(path)) return;
      loaded.add(path);
      const source = analytics.find((candidate) => candidate.path === path);
      for (const name of source ? staticImports(source) : []) {
        follow(isOurs(name) ? join(dirname(path), name) : name);
      }
    };
    follow("queries/index.ts");
    expect([...loaded].filter((path) => !/\.(?:ts|sql)$/.test(path)).toSorted()).toEqual([
      "bun:jsc",
      "bun:sqlite",
      "node:fs",
      "node:os",
      "node:path",
      "node:url",
    ]);
  });

  test.each(["batcher.ts", "vocabulary.ts"])(
    "%s needs nothing of ours, not even a type",
    (path) => {
      const source = analytics.find((candidate) => candidate.path === path);
      expect(source && namedModules(source).filter(isOurs)).toEqual([]);
    },
  );

  test.each([
    ["telemetry.ts", ["index.ts"]],
    ["index.ts", []],
    [
      "bun:sqlite",
      ["connection.ts", "errors.ts", "lock.ts", "read-only.ts", "repair.ts", "write-ahead-log.ts"],
    ],
    ["migrations.gen.ts", ["migrations.ts"]],
  ])("%s is imported by %p only", (name, importers) => {
    const found = analytics.filter((source) =>
      runtimeImports(source).some((path) => path === name || path.endsWith(`/${name}`)),
    );
    expect(found.map(({ path }) => path)).toEqual(importers);
  });
});

describe("packages/mcp", () => {
  test("has the rooms and the doors that are listed here, no more and no fewer", () => {
    expect(doors(mcp)).toEqual(MCP_ROOMS);
  });

  test("imports no SDK, not even a type: targets are known by their shape", () => {
    const named = mcp.flatMap(namedModules).filter((name) => !isOurs(name));
    expect([...new Set(named)].toSorted()).toEqual([
      "@toolmeter/core",
      "@toolmeter/core/beginning",
      "@toolmeter/core/bounded-copy",
    ]);
  });
});

test("the command line loads what a command does when it is called", () => {
  // `toolmeter.ts` begins with its interpreter, which the scanner does not know; its start is measured.
  const entry = cli.filter(({ path }) => ["main.ts", "run.ts", "program.ts"].includes(path));
  expect(
    Object.fromEntries(entry.map((source) => [source.path, staticImports(source).toSorted()])),
  ).toEqual({
    "main.ts": ["./errors.ts", "./run.ts", "./terminal.ts"],
    "program.ts": [
      "../package.json",
      "./clients/locations.ts",
      "./output/render.ts",
      "@commander-js/extra-typings",
    ],
    "run.ts": ["./errors.ts", "./program.ts", "./system-error.ts", "./terminal.ts", "commander"],
  });
});

test("neither core nor mcp knows that there is a network", () => {
  const words =
    /\b(?:fetch|WebSocket|EventSource|XMLHttpRequest)\b|\bBun\s*\.\s*(?:connect|dns|fetch|listen|redis|RedisClient|s3|S3Client|serve|sql|SQL|udpSocket)\b/;
  // What is left is code: comments and types are gone.
  const code = [...analytics, ...mcp].map(({ path, text }) => ({
    path,
    found: words.exec(transpiler.transformSync(text))?.[0],
  }));
  expect(code.filter(({ found }) => found !== undefined)).toEqual([]);
});

/** What the core's `exports` offer. */
const DOORS = new Set(Object.keys(manifest.exports).map((path) => join("@toolmeter/core", path)));

test("siblings import the core by the name of its package", async () => {
  const siblings = await sources("{packages,examples,bench}/**/*.ts", root);
  const throughTheWall = siblings
    // Outside the workspace: it knows packages by their path alone.
    .filter(({ path }) => !/^(?:packages\/core|bench\/peers)\//.test(path))
    .flatMap((source) =>
      namedModules(source)
        .map((name) => (isOurs(name) ? join(root, dirname(source.path), name) : name))
        .filter(
          (name) =>
            name.startsWith(core) || (name.startsWith("@toolmeter/core/") && !DOORS.has(name)),
        )
        .map((name) => `${source.path} → ${name}`),
    );
  expect(siblings.length).toBeGreaterThan(analytics.length);
  expect(throughTheWall).toEqual([]);
});
