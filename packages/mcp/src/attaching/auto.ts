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
import type { Direction } from "../protocol/message.ts";
import { onStandBack } from "./stand-back.ts";
import { StdioObserver } from "./stdio-observer.ts";
import { before, isTapped, markTapped } from "./tap.ts";

// A worker has no protocol to speak.
if (Bun.isMainThread && !isTapped(process.stdin)) observeStandardStreams();

function observeStandardStreams(): void {
  const { stdin, stdout } = process;
  markTapped(stdin);
  const made = new Instrumentation("process");
  register(process, made);
  const observer = new StdioObserver(made);
  let isActive = true;
  onStandBack(() => {
    isActive = false;
  });

  const listen = (direction: Direction) => (chunk: unknown) => {
    if (!isActive) return;
    if (typeof chunk === "string") observer.observe(direction, Buffer.from(chunk));
    else if (chunk instanceof Uint8Array) observer.observe(direction, chunk);
  };

  // Every way of reading the stream passes here: events, `read()`, pipes, iteration.
  before(stdin, "push", listen("received"));
  before(stdout, "write", listen("sent"));
}
