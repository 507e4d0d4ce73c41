/**
 * Records the tool calls of a stdio server without a change to it: `bun --preload @toolmeter/mcp/auto server.ts`,
 * or an import before all others.
 *
 * Observes what passes through `process.stdin` and `process.stdout`, and consumes nothing. A program that reads
 * `Bun.stdin` or writes with `Bun.write` or `console.log` goes past it. `instrumentation(process)` gives the
 * handle.
 */
import { register } from "./instrument.ts";
import { Instrumentation } from "./instrumentation.ts";
import type { Connection } from "../protocol/connection.ts";
import { LineSplitter } from "../protocol/lines.ts";
import type { Direction } from "../protocol/message.ts";
import { onStandBack } from "./stand-back.ts";
import { before, isTapped, markTapped } from "./tap.ts";

// A worker has no protocol to speak.
if (Bun.isMainThread && !isTapped(process.stdin)) observeStandardStreams();

function observeStandardStreams(): void {
  const { stdin, stdout } = process;
  markTapped(stdin);
  const made = new Instrumentation("process", {});
  register(process, made);
  let connection: Connection | undefined;
  let isActive = true;
  onStandBack(() => {
    isActive = false;
  });

  const listen = (direction: Direction) => {
    const lines = new LineSplitter((line) => {
      // Whatever is no message (a program that is no MCP server prints too) is passed over, and opens no file.
      if (!line.includes('"jsonrpc"')) return;
      const message: unknown = parse(line);
      connection ??= made.connect({ transport: "stdio" });
      connection.observe(direction, message);
    });
    return (chunk: unknown) => {
      if (!isActive) return;
      made.recorder.guard(() => {
        if (typeof chunk === "string") lines.push(Buffer.from(chunk));
        else if (chunk instanceof Uint8Array) lines.push(chunk);
      });
    };
  };

  // Every way of reading the stream passes here: events, `read()`, pipes, iteration.
  before(stdin, "push", listen("received"));
  before(stdout, "write", listen("sent"));
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
