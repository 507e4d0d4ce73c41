/** Hosts that make a server per request, or that record into many files. */
import { describe, expect, test } from "bun:test";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { instrument, instrumentation } from "../../src/index.ts";
import { LISTS_DESCRIPTORS, descriptors } from "../support/descriptors.ts";
import { ledger } from "../support/ledger.ts";
import { serve, testServers } from "../support/server-per-request.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";
import { until } from "@toolmeter/testing/until";

describe.skipIf(!LISTS_DESCRIPTORS)("a server per request", () => testServers(1_000));

describe.skipIf(!LISTS_DESCRIPTORS)("a file per server", () => {
  test("holds a bounded number of files open, and every call is in its file", async () => {
    using directory = temporaryDirectory();
    const paths = Array.from({ length: 20 }, (_, i) => directory.file(`${i}.db`));
    const before = descriptors();
    for (const round of [1, 2])
      for (const path of paths) {
        await serve({ path }, round === 1 ? "closed" : "dropped");
        await flushed(path);
        // Files are closed in the background.
        await until(() => descriptors() - before < 17 * 8);
      }
    for (const path of paths) {
      await instrumentation(
        instrument(new McpServer({ name: "last", version: "1" }), { path }),
      )?.shutdown();
      expect(ledger(path).lines).toEqual(["echo success - 1", "echo success - 1"]);
    }
  }, 60_000);
});

async function flushed(path: string): Promise<void> {
  const server = instrument(new McpServer({ name: "other", version: "1" }), { path });
  await instrumentation(server)?.flush();
}
