import { expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { type InstrumentOptions, instrument, instrumentation } from "../../src/index.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";
import { descriptors } from "./descriptors.ts";
import { ledger } from "./ledger.ts";

/** How a server ends when its request is answered. */
type ServerEnd = "closed" | "dropped";

/** Serves one request with a server of its own, recorded as over a connection to another process. */
export async function serve(options: InstrumentOptions, end: ServerEnd): Promise<WeakRef<object>> {
  const server = new McpServer({ name: "test-server", version: "1" });
  server.registerTool("echo", {}, () => ({ content: [] }));
  instrument(server, options);
  const answered = Promise.withResolvers<void>();
  const transport: Transport = {
    start: async () => undefined,
    send: async () => answered.resolve(),
    close: async () => transport.onclose?.(),
  };
  await server.connect(transport);
  transport.onmessage?.({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "echo" } });
  await answered.promise;
  if (end === "closed") await server.close();
  const handle = instrumentation(server);
  if (!handle) throw new Error("Expected a handle");
  return new WeakRef(handle);
}

/** The files that journals write records to: each is named after the service that writes it. */
const SEGMENT = /^(.+)-\d+\.jsonl$/;

/** How many services keep a journal beside a file. */
function journals(path: string): number {
  const directory = `${path}.journal`;
  const names = existsSync(directory) ? readdirSync(directory) : [];
  return new Set(names.flatMap((name) => SEGMENT.exec(name)?.[1] ?? [])).size;
}

/** Serves `count` requests, and tells how many files and journals were open at most, and what is recorded in the end. */
async function serveMany(
  count: number,
  end: ServerEnd,
  path: string,
  optionsOf: () => InstrumentOptions,
) {
  const handles: WeakRef<object>[] = [];
  const before = descriptors();
  let [mostDescriptors, mostJournals] = [0, 0];
  for (let i = 0; i < count; i++) {
    handles.push(await serve(optionsOf(), end));
    // Other requests have their turn, and so has the writing thread.
    await new Promise((resolve) => setImmediate(resolve));
    if (i % 50 > 0) continue;
    mostDescriptors = Math.max(mostDescriptors, descriptors());
    mostJournals = Math.max(mostJournals, journals(path));
  }
  Bun.gc(true);
  const kept = handles.filter((handle) => handle.deref() !== undefined).length;
  // A further server shares the file, and closes it.
  const last = instrument(new McpServer({ name: "last", version: "1" }), optionsOf());
  await instrumentation(last)?.shutdown();
  return {
    furtherDescriptors: mostDescriptors - before,
    mostJournals,
    kept,
    calls: ledger(path).calls.length,
  };
}

/** Options as a host writes them where it creates a server, and how the server ends: functions are new each time. */
const INLINE: readonly [
  name: string,
  end: ServerEnd,
  optionsOf: (path: string) => InstrumentOptions,
][] = (["closed", "dropped"] as const).flatMap((end) => [
  ["logger", end, (path) => ({ path, logger: { debug() {}, info() {}, warn() {}, error() {} } })],
  ["redact", end, (path) => ({ path, capturePayloads: true, redact: (payload) => payload })],
]);

/** Tests that `count` servers, one per request, share one file and are not kept. */
export function testServers(count: number): void {
  test.each(INLINE)(
    "with its own %s, each %s, shares one file",
    async (_option, end, optionsOf) => {
      using directory = temporaryDirectory();
      const path = directory.file("a.db");
      const served = await serveMany(count, end, path, () => optionsOf(path));
      expect(served).toMatchObject({ mostJournals: 1, calls: count });
      expect(served.furtherDescriptors).toBeLessThan(16);
      expect(served.kept).toBeLessThan(100);
    },
    60_000,
  );
}
