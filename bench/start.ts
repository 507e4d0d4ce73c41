import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAnalyticsDb } from "@toolmeter/core";
import { distribution, median } from "./statistics.ts";

/** Can name the server of another checkout, to compare two versions in one run. */
const AUTO =
  process.env["TOOLMETER_BENCH_AUTO"] ??
  join(import.meta.dir, "../packages/mcp/src/attaching/auto.ts");
const SERVER = join(import.meta.dir, "programs/start-server.ts");

const ROUNDS = 15;
const JOURNAL_BYTES = 60_000_000;
const SEGMENT_BYTES = 1_000_000;

const INITIALIZE = {
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "bench", version: "1" },
  },
};

/**
 * Measures the time of a loaded server from `initialize` to its answer, in turns: not recorded, recorded without
 * journals of dead processes beside the file, and with 60 MB of them.
 */
export async function start(): Promise<void> {
  const samples: Record<string, number[]> = {
    plain: [],
    "no journals": [],
    "60 MB of journals": [],
  };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, times] of Object.entries(samples)) {
      const directory = mkdtempSync(join(tmpdir(), "toolmeter-start-"));
      const path = join(directory, "a.db");
      createAnalyticsDb(path).close();
      if (name.startsWith("60")) leaveJournals(path);
      times.push(await initialize(path, name !== "plain"));
      rmSync(directory, { recursive: true });
    }
  }
  for (const [name, times] of Object.entries(samples)) {
    console.log(`  ${name.padEnd(18)} ${distribution(times, "ms")}`);
  }
  const { "no journals": none = [], "60 MB of journals": many = [] } = samples;
  console.log(`  with journals against without: ${(median(many) / median(none)).toFixed(2)} ×`);
}

async function initialize(path: string, isRecorded: boolean): Promise<number> {
  const preload = isRecorded ? ["--preload", AUTO] : [];
  const child = Bun.spawn([process.execPath, ...preload, SERVER], {
    env: { ...process.env, TOOLMETER_DB: path },
    stdio: ["pipe", "pipe", "ignore"],
  });
  const reader = child.stdout.getReader();
  const ask = async (message: object) => {
    const startedAt = performance.now();
    void child.stdin.write(`${JSON.stringify(message)}\n`);
    void child.stdin.flush();
    await reader.read();
    return performance.now() - startedAt;
  };
  // Not a protocol message, so it opens no file; its answer shows that everything is loaded.
  await ask({ id: 0 });
  const took = await ask(INITIALIZE);
  child.kill("SIGKILL");
  await child.exited;
  return took;
}

function leaveJournals(path: string): void {
  mkdirSync(`${path}.journal`);
  const recorderId = Bun.randomUUIDv7();
  for (let segment = 1; segment <= JOURNAL_BYTES / SEGMENT_BYTES; segment += 1) {
    const lines = [`{"format":"toolmeter-journal","version":1}\n`];
    for (let length = 0; length < SEGMENT_BYTES; length += lines.at(-1)?.length ?? 0) {
      const call = { toolName: "echo", durationMs: 1, startedAt: 1_000, requestId: `${length}` };
      const line = { kind: "tool_call", id: Bun.randomUUIDv7(), recordedAt: 1_000, call };
      lines.push(`${JSON.stringify(line)}\n`);
    }
    writeFileSync(`${path}.journal/${recorderId}-${segment}.jsonl`, lines.join(""));
  }
}
