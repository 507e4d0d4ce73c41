/** The walls of the house, read from its source: who may import whom. */
import { describe, expect, test } from "bun:test";
import { dirname, join } from "node:path";
import manifest from "../packages/core/package.json" with { type: "json" };

const root = join(import.meta.dir, "..");
const core = join(root, "packages/core");
const transpiler = new Bun.Transpiler({ loader: "ts" });

/**
 * The folders of a package, from the ground up: a file imports from its own folder and from those before it, types
 * included. `.` holds the files beside the folders, unless they are listed by name.
 */
const CORE_FLOORS = [
  ["errors.ts", "logger.ts", "environment.ts", "vocabulary.ts", "schema.ts"],
  ["records"],
  ["file"],
  ["journal"],
  ["housekeeping"],
  ["writing"],
  ["database"],
  ["queries"],
  ["recording"],
  ["telemetry.ts"],
  ["index.ts"],
];

const MCP_FLOORS = [["protocol"], ["attaching"], ["index.ts"]];

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

/** Every module that is loaded together with a file. */
function loadedWith(path: string, files: readonly Source[], seen = new Set<string>()) {
  seen.add(path);
  const source = files.find((candidate) => candidate.path === path);
  for (const name of source ? staticImports(source) : []) {
    const next = isOurs(name) ? join(dirname(path), name) : name;
    if (!seen.has(next)) loadedWith(next, files, seen);
  }
  return [...seen].toSorted();
}

/** Everything that an import or export statement names, types too. */
function namedModules({ text }: Source): readonly string[] {
  return [...text.matchAll(/\b(?:from|import|import\() ?"([^"]+)"/g)].map(([, name]) => name ?? "");
}

/** What a file imports of its own package, by the path within it. */
function neighbours(source: Source): readonly string[] {
  return namedModules(source)
    .filter((name) => isOurs(name) && name.endsWith(".ts"))
    .map((name) => join(dirname(source.path), name));
}

/** Each import that leads to a floor above, or to a file on no floor. */
function upwardImports(files: readonly Source[], floors: readonly (readonly string[])[]) {
  const floorOf = (path: string) =>
    floors.findIndex((names) => names.includes(path.split("/", 1)[0] ?? path));
  return files.flatMap((source) =>
    neighbours(source)
      .filter((path) => floorOf(path) === -1 || floorOf(path) > floorOf(source.path))
      .map((path) => `${source.path} → ${path}`),
  );
}

/** The files that import each other in a circle, by way of others or at once. */
function circles(files: readonly Source[]): readonly string[] {
  const byPath = new Map(files.map((source) => [source.path, neighbours(source)]));
  const reaches = (from: string, to: string, seen: Set<string>): boolean =>
    (byPath.get(from) ?? []).some((next) => {
      if (next === to) return true;
      if (seen.has(next)) return false;
      seen.add(next);
      return reaches(next, to, seen);
    });
  return [...byPath.keys()].filter((path) => reaches(path, path, new Set()));
}

const isOurs = (name: string) => name.startsWith(".");
const analytics = await sources("**/*.ts", join(core, "src/analytics"));
const queries = await sources("*.ts", join(core, "src/analytics/queries"));
const cli = await sources("**/*.ts", join(root, "packages/cli/src"));
const mcp = await sources("**/*.ts", join(root, "packages/mcp/src"));

test.each([
  ["core", analytics, CORE_FLOORS],
  ["mcp", mcp, MCP_FLOORS],
] as const)("packages/%s: no import leads upward, and none in a circle", (_, files, floors) => {
  expect(upwardImports(files, floors)).toEqual([]);
  expect(circles(files)).toEqual([]);
});

describe("packages/core", () => {
  test("asks its questions without drizzle and zod", () => {
    const outside = queries.flatMap(runtimeImports).filter((path) => !path.startsWith("./"));
    expect([...new Set(outside)].toSorted()).toEqual([
      "../database/reader.ts",
      "../environment.ts",
      "../journal/follower.ts",
      "../vocabulary.ts",
    ]);
    const loaded = loadedWith("queries/index.ts", analytics);
    expect(loaded.filter((path) => !/\.(?:ts|sql)$/.test(path))).toEqual([
      "bun:jsc",
      "bun:sqlite",
      "node:fs",
      "node:os",
      "node:path",
      "node:url",
    ]);
  });

  test.each([
    ["writing/batcher.ts", ["backoff.ts", "queue.ts", "waiters.ts"]],
    ["writing/queue.ts", []],
    ["writing/backoff.ts", []],
    ["writing/waiters.ts", []],
    ["vocabulary.ts", []],
  ])("%s needs nothing of ours but %p, not even a type", (path, allowed) => {
    const source = analytics.find((candidate) => candidate.path === path);
    const ours = source && namedModules(source).filter(isOurs);
    expect(ours?.map((name) => name.replace("./", ""))).toEqual(allowed);
  });

  test.each([
    ["telemetry.ts", ["index.ts"]],
    ["index.ts", []],
    [
      "bun:sqlite",
      [
        "errors.ts",
        "file/connection.ts",
        "file/lock.ts",
        "file/read-only.ts",
        "file/repair.ts",
        "file/write-ahead-log.ts",
      ],
    ],
    ["migrations.gen.ts", ["file/migrations.ts"]],
  ])("%s is imported by %p only", (name, importers) => {
    const found = analytics.filter((source) =>
      runtimeImports(source).some((path) => path === name || path.endsWith(`/${name}`)),
    );
    expect(found.map(({ path }) => path)).toEqual(importers);
  });
});

describe("packages/mcp", () => {
  test("imports no SDK, not even a type: targets are known by their shape", () => {
    const named = mcp
      .flatMap(namedModules)
      .filter((name) => !isOurs(name) && !name.startsWith("node:"));
    expect([...new Set(named)].toSorted()).toEqual([
      "@toolmeter/core",
      "@toolmeter/core/beginning",
      "@toolmeter/core/bounded-copy",
    ]);
  });
});

test("the command line loads what a command does when it is called", () => {
  const loaded = loadedWith("main.ts", cli);
  expect(loaded.filter((path) => path.startsWith("commands/")).length).toBeGreaterThan(20);
  expect(loaded.filter((path) => !path.startsWith("commands/"))).toEqual([
    "../package.json",
    "@commander-js/extra-typings",
    "@toolmeter/present",
    "clients/locations.ts",
    "commander",
    "failures/command-error.ts",
    "failures/exit-codes.ts",
    "failures/system-error.ts",
    "main.ts",
    "node:os",
    "node:path",
    "node:tty",
    "node:util",
    "output/page.ts",
    "output/render.ts",
    "output/standard-output.ts",
    "output/table.ts",
    "output/terminal.ts",
    "program.ts",
    "run.ts",
  ]);
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
