import type { ClientRequest, IncomingMessage, ServerResponse } from "node:http";
import { endToEnd } from "./headers.ts";

/** Observes a body before it is passed on. */
interface Watcher {
  part(chunk: Uint8Array): void;
  end(): void;
}

/**
 * Passes a body and its trailers on, with back-pressure. The caller handles errors of either side.
 *
 * Not `stream.pipeline`, which takes a quarter more processor time for a small message: it sends the end separately and
 * adds listeners for errors that the caller already handles.
 */
export function pump(
  source: IncomingMessage,
  sink: ClientRequest | ServerResponse,
  watcher: Watcher,
): void {
  const length = source.headers["content-length"];
  let missing = length === undefined ? Infinity : Number(length);
  source.on("data", (chunk: Uint8Array) => {
    watcher.part(chunk);
    if (sink.destroyed) return;
    missing -= chunk.length;
    if (missing === 0) sink.end(chunk);
    else if (!sink.write(chunk)) source.pause();
  });
  sink.on("drain", () => source.resume());
  source.on("end", () => {
    watcher.end();
    if (sink.writableEnded || sink.destroyed) return;
    if (source.rawTrailers.length > 0) sink.addTrailers(endToEnd(source.rawTrailers));
    sink.end();
  });
  setImmediate(() => {
    // Send the headers now if the body is not available yet; otherwise they are sent with the body in one packet.
    if (!sink.writableEnded && !sink.destroyed) sink.flushHeaders();
  });
}
