/** The walls of the house, read from its source: who may import whom. */
import { describe, expect, test } from "bun:test";
import { dirname, join } from "node:path";

const root = join(import.meta.dir, "..");
const core = join(root, "packages/core");
const transpiler = new Bun.Transpiler({ loader: "ts" });

/**
 * What each file of the core imports when it runs; types cost nothing and are not counted. Whoever adds a
 * line here adds a door: `telemetry → pipeline → batcher, journal, writers → schema`, never back.
 */
const ROOMS: Record<string, readonly string[]> = {
  "batcher.ts": [],
  "busy.ts": ["./errors.ts"],
  "config.ts": ["./environment.ts", "./logger.ts"],
  "connection.ts": [
    "./busy.ts",
    "./errors.ts",
    "./migrations.ts",
    "bun:sqlite",
    "node:fs",
    "node:path",
  ],
  "database.ts": [
    "./connection.ts",
    "./environment.ts",
    "./errors.ts",
    "./logger.ts",
    "./recovery.ts",
    "./repair.ts",
    "./schema.ts",
    "drizzle-orm/bun-sqlite",
    "node:fs",
    "node:path",
  ],
  "environment.ts": ["node:os", "node:path"],
  "errors.ts": ["bun:sqlite"],
  "exit.ts": [],
  "file-writer.ts": [
    "./busy.ts",
    "./connection.ts",
    "./errors.ts",
    "./repair.ts",
    "./writer.ts",
    "bun:sqlite",
    "node:fs",
  ],
  "health.ts": [],
  "in-flight.ts": ["./metadata.ts", "./record.ts"],
  "index.ts": [
    "./database.ts",
    "./errors.ts",
    "./logger.ts",
    "./metadata.ts",
    "./schema.ts",
    "./stats.ts",
    "./telemetry.ts",
  ],
  "journal.ts": ["./lock.ts", "node:fs", "node:path"],
  "json.ts": ["./errors.ts"],
  "line-writer.ts": ["./record.ts"],
  "lock.ts": ["./errors.ts", "bun:sqlite", "node:fs"],
  "logger.ts": [],
  "metadata.ts": ["./json.ts", "./row.ts", "./schema.ts", "zod"],
  "meter.ts": ["node:perf_hooks"],
  "migrations.ts": ["./errors.ts", "./migrations.gen.ts"],
  "pipeline.ts": [
    "./batcher.ts",
    "./connection.ts",
    "./errors.ts",
    "./exit.ts",
    "./file-writer.ts",
    "./journal.ts",
    "./line-writer.ts",
    "./worker-writer.ts",
    "./writer.ts",
  ],
  "record.ts": ["./row.ts"],
  "recovery.ts": [
    "./busy.ts",
    "./errors.ts",
    "./journal.ts",
    "./lock.ts",
    "./record.ts",
    "./writer.ts",
    "node:fs",
    "node:path",
  ],
  "repair.ts": ["./errors.ts", "./journal.ts", "./lock.ts", "bun:sqlite", "node:fs", "node:path"],
  "reporter.ts": ["./errors.ts"],
  "retention.ts": [],
  "row.ts": [],
  "schema.ts": ["drizzle-orm", "drizzle-orm/sqlite-core"],
  "stats.ts": [],
  "telemetry.ts": [
    "./config.ts",
    "./errors.ts",
    "./health.ts",
    "./in-flight.ts",
    "./metadata.ts",
    "./meter.ts",
    "./pipeline.ts",
    "./record.ts",
    "./reporter.ts",
  ],
  "worker-writer.ts": ["./errors.ts", "./file-writer.ts", "./line-writer.ts"],
  "writer.ts": ["./busy.ts", "./errors.ts", "./migrations.ts", "./schema.ts", "drizzle-orm"],
  "writer.worker.ts": ["./errors.ts", "./file-writer.ts", "./line-writer.ts", "./retention.ts"],
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
    "./size.ts",
  ],
  "definition.ts": ["./fingerprint.ts", "./message.ts", "./size.ts"],
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
  "message.ts": [],
  "outcome.ts": ["./message.ts"],
  "payload.ts": ["./message.ts"],
  "recorder.ts": ["./definition.ts", "./message.ts", "./payload.ts"],
  "service.ts": ["@toolmeter/core"],
  "size.ts": ["./message.ts", "@toolmeter/core"],
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

/** Everything that an import or export statement names, types too. */
function namedModules({ text }: Source): readonly string[] {
  return [...text.matchAll(/\b(?:from|import|import\() ?"([^"]+)"/g)].map(([, name]) => name ?? "");
}

function doors(rooms: readonly Source[]): Record<string, readonly string[]> {
  return Object.fromEntries(rooms.map((source) => [source.path, runtimeImports(source)]));
}

const isOurs = (name: string) => name.startsWith(".");
const analytics = await sources("**/*.ts", join(core, "src/analytics"));
const mcp = await sources("**/*.ts", join(root, "packages/mcp/src"));

describe("packages/core", () => {
  test("has the rooms and the doors that are listed here, no more and no fewer", () => {
    expect(doors(analytics.filter(({ path }) => !path.endsWith(".gen.ts")))).toEqual(ROOMS);
  });

  test.each(["batcher.ts", "schema.ts"])("%s needs nothing of ours, not even a type", (path) => {
    const source = analytics.find((candidate) => candidate.path === path);
    expect(source && namedModules(source).filter(isOurs)).toEqual([]);
  });

  test.each([
    ["telemetry.ts", ["index.ts"]],
    ["index.ts", []],
    ["bun:sqlite", ["connection.ts", "errors.ts", "file-writer.ts", "lock.ts", "repair.ts"]],
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
    expect([...new Set(named)]).toEqual(["@toolmeter/core"]);
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

test("siblings import the core by the name of its package", async () => {
  const siblings = await sources("{packages,examples,bench}/**/*.ts", root);
  const throughTheWall = siblings
    // Outside the workspace: it knows packages by their path alone.
    .filter(({ path }) => !/^(?:packages\/core|bench\/peers)\//.test(path))
    .flatMap((source) =>
      namedModules(source)
        .map((name) => (isOurs(name) ? join(root, dirname(source.path), name) : name))
        .filter((name) => name.startsWith(core) || name.startsWith("@toolmeter/core/"))
        .map((name) => `${source.path} → ${name}`),
    );
  expect(siblings.length).toBeGreaterThan(analytics.length);
  expect(throughTheWall).toEqual([]);
});
