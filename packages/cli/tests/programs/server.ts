/**
 * A server for the recorder's tests, in bytes: each line of input is answered as it asks for. `params` of a call:
 * `bytes` (the length of the answer), `noise` (what is printed before it), `exit`, `kill`, `hang`. Arguments: `stubborn`
 * ignores SIGTERM and the end of input; `pid <file>` writes its process id.
 */
import { writeFileSync, writeSync } from "node:fs";

const isStubborn = process.argv.includes("stubborn");
const pidFile = process.argv[process.argv.indexOf("pid") + 1];
if (process.argv.includes("pid") && pidFile) writeFileSync(pidFile, String(process.pid));
if (isStubborn) {
  process.on("SIGTERM", () => process.stderr.write("told to end\n"));
  setInterval(() => undefined, 1_000);
}
process.stderr.write("ready\n");

for await (const line of console) {
  // The end of the input is an empty line, too.
  if (line === "") continue;
  const message = JSON.parse(line);
  if (message.method === "initialize") {
    const serverInfo = { name: "test", version: "1" };
    answer(message.id, { protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo });
  }
  if (message.method !== "tools/call") continue;
  const { bytes = 10, noise, exit, kill, hang } = message.params.arguments;
  if (exit !== undefined) process.exit(exit);
  if (kill) process.kill(process.pid, kill);
  if (hang) for (;;);
  if (noise) write(noise);
  answer(message.id, { content: [{ type: "text", text: "ü".repeat(bytes / 2) }] });
}

function answer(id: unknown, result: object): void {
  write(`${JSON.stringify({ jsonrpc: "2.0", id, result })}\n`);
}

/** All of it, whatever the pipe takes at once. */
function write(text: string): void {
  const bytes = Buffer.from(text);
  for (let start = 0; start < bytes.length;) {
    try {
      start += writeSync(1, bytes, start);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Bun.sleepSync(1);
    }
  }
}
