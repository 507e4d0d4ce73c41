/** The servers that the README quotes, started as a user starts them and called by the official client. */
import { describe, expect, test } from "bun:test";
import { mkdtempDisposableSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { createAnalyticsDb, toolCalls } from "@toolmeter/core";

const program = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));

async function callForecast(client: Client): Promise<void> {
  const forecast = (city: unknown) => client.callTool({ name: "forecast", arguments: { city } });
  expect(await forecast("Oslo")).toMatchObject({ content: [{ text: "Sunny in Oslo" }] });
  expect(await forecast("Atlantis")).toMatchObject({ isError: true });
  expect(await forecast(7)).toMatchObject({ isError: true });
  await client.close();
}

function recorded(path: string, clientName: string | null) {
  using db = createAnalyticsDb(path);
  const rows = db.select().from(toolCalls).orderBy(toolCalls.sequence).all();
  expect(rows.map(({ status, errorType }) => [status, errorType])).toEqual([
    ["success", null],
    ["error", "tool_error"],
    ["rejected", "invalid_arguments"],
  ]);
  for (const row of rows) {
    expect(row).toMatchObject({ toolName: "forecast", serverName: "weather", clientName });
  }
}

describe("examples", () => {
  test("stdio-server.ts", async () => {
    using directory = mkdtempDisposableSync(join(tmpdir(), "toolmeter-test-"));
    const path = join(directory.path, "a.db");
    const client = new Client({ name: "test-client", version: "1" });
    const env = { PATH: process.env["PATH"] ?? "", TOOLMETER_DB: path };
    const args = [program("stdio-server.ts")];
    await client.connect(new StdioClientTransport({ command: process.execPath, args, env }));
    await callForecast(client);
    recorded(path, "test-client");
  });

  test("http-server.ts", async () => {
    using directory = mkdtempDisposableSync(join(tmpdir(), "toolmeter-test-"));
    const path = join(directory.path, "a.db");
    const server = Bun.spawn([process.execPath, program("http-server.ts")], {
      env: { ...process.env, PORT: "0", TOOLMETER_DB: path },
      stdout: "pipe",
    });
    const said = new TextDecoder().decode((await server.stdout.getReader().read()).value);
    const client = new Client(
      { name: "test-client", version: "1" },
      { versionNegotiation: { mode: "auto" } },
    );
    await client.connect(new StreamableHTTPClientTransport(new URL(said.split(" ").at(-1) ?? "")));
    await callForecast(client);
    server.kill();
    await server.exited;
    recorded(path, "test-client");
  });
});
