/** The protocol's own suite gives a server the same marks with us and without. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { ledger } from "../support/ledger.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const SUITE = Bun.fileURLToPath(
  import.meta.resolve("@modelcontextprotocol/conformance/dist/index.js"),
);
const SERVER = join(import.meta.dir, "../programs/conformance-server.ts");

/** The marks of each scenario, as the suite prints them. */
async function marks(generation: string, how: string, directory: string, path: string) {
  const server = Bun.spawn([process.execPath, SERVER, generation, how], {
    env: { ...process.env, TOOLMETER_DB: path },
    stdout: "pipe",
  });
  try {
    const reader = server.stdout.getReader();
    const url = new TextDecoder().decode((await reader.read()).value).trim();
    const suite = Bun.spawn([process.execPath, SUITE, "server", "--url", url], {
      cwd: directory,
      stdout: "pipe",
      stderr: "ignore",
    });
    const lines = (await suite.stdout.text()).split("\n");
    return lines.filter((line) => /^[✓✗] [\w-]+: /.test(line));
  } finally {
    server.kill();
    await server.exited;
  }
}

test.each(["v1", "v2"])(
  "a server of SDK %s",
  async (generation) => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    const plain = await marks(generation, "plain", directory.path, path);
    const instrumented = await marks(generation, "instrumented", directory.path, path);
    expect(instrumented).toEqual(plain);
    // Most of what it lacks are prompts and resources; its tools must pass.
    expect(plain.filter((line) => line.startsWith("✓ tools-")).length).toBe(8);
    expect(ledger(path).lines.length).toBeGreaterThan(8);
  },
  30_000,
);
