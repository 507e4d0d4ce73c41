/**
 * Records the tool calls of a stdio server without changing it: `bun --preload @toolmeter/mcp/auto server.ts`, or
 * import it before all other modules.
 *
 * Observes `process.stdin` and `process.stdout` and consumes nothing. It does not see what a program reads from
 * `Bun.stdin` or writes with `Bun.write` or `console.log`. `instrumentation(process)` returns the handle.
 */
import { register } from "./instrument.ts";
import { Instrumentation } from "./instrumentation.ts";
import type { Direction } from "../protocol/message.ts";
import { onStandBack } from "./stand-back.ts";
import { StdioObserver } from "./stdio-observer.ts";
import { before, isTapped, markTapped } from "./tap.ts";

// A worker does not serve standard input.
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

  // All ways to read the stream end here: events, `read()`, pipes, iteration.
  before(stdin, "push", listen("received"));
  before(stdout, "write", listen("sent"));
}
