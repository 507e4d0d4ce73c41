import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errorMessage } from "@toolmeter/core";
import { openAnalyticsReader, topCalls } from "@toolmeter/core/queries";
import { ownCommand } from "../own-command.ts";
import type { Finding } from "./finding.ts";

/** Longest time for the whole test, in milliseconds. */
const TIMEOUT_MS = 15_000;

const MESSAGES = [
  {
    jsonrpc: "2.0",
    id: 0,
    method: "initialize",
    params: {
      protocolVersion: "2025-11-25",
      capabilities: {},
      clientInfo: { name: "toolmeter-doctor", version: "1" },
    },
  },
  { jsonrpc: "2.0", method: "notifications/initialized" },
  { jsonrpc: "2.0", id: 1, method: "tools/list" },
  {
    jsonrpc: "2.0",
    id: 2,
    method: "tools/call",
    params: { name: "echo", arguments: { text: "hello" } },
  },
];

/**
 * Records a real call to a real server in a temporary file, and checks that it is there.
 * @param own The command that starts this program.
 */
export async function proveRecording(own: readonly string[] = ownCommand()): Promise<Finding> {
  const check = "a recorded call";
  await using directory = await mkdtempDisposable(join(tmpdir(), "toolmeter-doctor-"));
  const path = join(directory.path, "analytics.db");
  const recorder = Bun.spawn([...own, "record", "--db", path, "--", ...own, "echo-server"], {
    stdin: Buffer.from(MESSAGES.map((message) => `${JSON.stringify(message)}\n`).join("")),
    stdout: "pipe",
    stderr: "pipe",
    timeout: TIMEOUT_MS,
    env: { ...process.env, TOOLMETER_DISABLED: "" },
  });
  const [answers, messages] = await Promise.all([recorder.stdout.text(), recorder.stderr.text()]);
  const code = await recorder.exited;
  const fix = `Report this problem with the message: ${messages.trim() || "none"}`;
  if (code !== 0 || !answers.includes("hello")) {
    return {
      check,
      status: "fail",
      detail: `the recorded server exited with code ${code} after ${answers.length} characters of output`,
      fix,
    };
  }
  try {
    using source = await openAnalyticsReader(path);
    const [call] = topCalls(source, {}, "startedAt", 1);
    if (
      call?.toolName === "echo" &&
      call.status === "success" &&
      call.clientName === "toolmeter-doctor"
    ) {
      return {
        check,
        status: "ok",
        detail: `answered and found in a temporary file, ${call.durationMs.toFixed(1)} ms`,
      };
    }
    return { check, status: "fail", detail: "answered, but not found in the temporary file", fix };
  } catch (error) {
    const reason = errorMessage(error);
    return { check, status: "fail", detail: `the temporary file cannot be read (${reason})`, fix };
  }
}
