/**
 * Measures how much `toolmeter record` adds to calls of real servers: round trips of an official client, direct and
 * recorded in turns. Also checks that every call is in the file.
 *
 *   bun bench/recorder.ts [servers.json]
 *
 * The file adds servers: `{ "name": { "command": ["…"], "tool": "…", "arguments": {} } }`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { countCalls, openAnalyticsReader } from "@toolmeter/core/queries";
import { median, percentile } from "./statistics.ts";

const TOOLMETER = join(import.meta.dir, "../packages/cli/src/toolmeter.ts");
const WARM_UP = 200;
const CALLS = 1_500;

interface Measured {
  readonly command: readonly string[];
  readonly tool: string;
  readonly arguments: Record<string, unknown>;
  readonly era?: string;
}

const directory = mkdtempSync(join(tmpdir(), "toolmeter-recorder-"));
const published = (name: string, ...words: readonly string[]) => [
  process.execPath,
  Bun.resolveSync(`${name}/dist/index.js`, import.meta.dir),
  ...words,
];
const thought = { thought: "a", nextThoughtNeeded: false, thoughtNumber: 1, totalThoughts: 1 };

const servers: Record<string, Measured> = {
  everything: {
    command: published("@modelcontextprotocol/server-everything"),
    tool: "echo",
    arguments: { message: "hi" },
  },
  filesystem: {
    command: published("@modelcontextprotocol/server-filesystem", directory),
    tool: "list_directory",
    arguments: { path: directory },
  },
  memory: {
    command: published("@modelcontextprotocol/server-memory"),
    tool: "read_graph",
    arguments: {},
  },
  "sequential-thinking": {
    command: published("@modelcontextprotocol/server-sequential-thinking"),
    tool: "sequentialthinking",
    arguments: thought,
  },
  ...(process.argv[2] ? await Bun.file(process.argv[2]).json() : {}),
};

async function connect(words: readonly string[], db: string, era?: string): Promise<Client> {
  const [command = "", ...args] = words;
  const client = new Client(
    { name: "bench", version: "1" },
    era ? { versionNegotiation: { mode: { pin: era } } } : {},
  );
  const env = {
    ...(process.env as Record<string, string>),
    TOOLMETER_DB: db,
    MEMORY_FILE_PATH: join(directory, "memory.jsonl"),
  };
  await client.connect(new StdioClientTransport({ command, args, env, stderr: "ignore" }));
  return client;
}

for (const [name, { command, tool, arguments: given, era }] of Object.entries(servers)) {
  const db = join(directory, `${name}.db`);
  const clients = {
    direct: await connect(command, db, era),
    recorded: await connect([process.execPath, TOOLMETER, "record", ...command], db, era),
  };
  const times = { direct: [] as number[], recorded: [] as number[] };
  for (let round = 0; round < WARM_UP + CALLS; round += 1) {
    for (const way of round % 2 === 0
      ? (["direct", "recorded"] as const)
      : (["recorded", "direct"] as const)) {
      const begun = performance.now();
      // A refused call is also a round trip.
      await clients[way].callTool({ name: tool, arguments: given }).catch(() => undefined);
      if (round >= WARM_UP) times[way].push(performance.now() - begun);
    }
  }
  await Promise.all([clients.direct.close(), clients.recorded.close()]);
  using source = await openAnalyticsReader(db);
  const ratio = (share: number) =>
    (percentile(times.recorded, share) / percentile(times.direct, share)).toFixed(2);
  const added = (median(times.recorded) - median(times.direct)) * 1_000;
  console.log(
    `${name.padEnd(22)}p50 ${ratio(0.5)} ×  p99 ${ratio(0.99)} ×  p50 +${added.toFixed(0)} µs on ${(median(times.direct) * 1_000).toFixed(0)}  ${countCalls(source, {})} of ${WARM_UP + CALLS} calls recorded`,
  );
}
rmSync(directory, { recursive: true, force: true });
