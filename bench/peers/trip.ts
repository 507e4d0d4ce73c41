/**
 * Measures round trips of a tool that does nothing, over an in-memory transport: `trip.ts <product> <sink> <calls>`.
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { makeServer } from "./products.ts";

const [product = "bare", sink = "", count = "300"] = process.argv.slice(2);
const GAP_MS = 5;
const large = "x".repeat(100_000);

const server = await makeServer(product, sink, {
  small: () => ({ content: [{ type: "text", text: "ok" }] }),
  large: () => ({ content: [{ type: "text", text: large }] }),
});
const client = new Client({ name: "bench", version: "1" });
const [near, far] = InMemoryTransport.createLinkedPair();
await server.connect(far);
await client.connect(near);

async function measure(name: string, calls: number): Promise<number[]> {
  const times: number[] = [];
  for (let call = 0; call < calls; call++) {
    const start = Bun.nanoseconds();
    await client.callTool({ name });
    times.push((Bun.nanoseconds() - start) / 1e3);
    await Bun.sleep(GAP_MS);
  }
  return times.toSorted((a, b) => a - b);
}

// Warm-up.
await measure("small", Number(count));
const figures: Record<string, unknown> = {};
for (const name of ["small", "large"]) {
  const times = await measure(name, Number(count));
  const at = (share: number) => times[Math.floor(times.length * share)];
  figures[name] = { p50: at(0.5), p99: at(0.99) };
}
process.stdout.write(`${JSON.stringify(figures)}\n`);
process.exit(0);
