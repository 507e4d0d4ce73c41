/** An exchange between a client and a server, as a script that both follow. */

/** What happens in between: bytes one way, the other way, or both at once. */
export type Step =
  | { readonly kind: "ask"; readonly bytes: number }
  | {
      readonly kind: "answer";
      readonly bytes: number;
      readonly writes: number;
      readonly pause: number;
    }
  | { readonly kind: "both"; readonly asked: number; readonly answered: number };

/** How it ends. Where a side leaves, the other writes until it gets the error of a broken pipe. */
export const ENDINGS = [
  /** The client ends its input; the server answers the rest and exits. */
  "client ends input",
  /** The server answers the rest and exits, while the client says nothing. */
  "server exits",
  /** The same, by a signal. */
  "server dies",
  /** The server closes its output and stays; the client sees that, and ends its input. */
  "server closes output",
  /** The client closes its input, but goes on to talk. */
  "client stops reading",
  /** The client closes both; the server ignores the end of its input. */
  "client leaves",
  /** The server closes its input and goes on to talk. */
  "server closes input",
] as const;

export interface Exchange {
  readonly steps: readonly Step[];
  readonly ending: (typeof ENDINGS)[number];
  /** What the server writes last, in bytes, where the client reads to the end. */
  readonly last: number;
  /** How long the client waits before it reads that, in milliseconds. */
  readonly delay: number;
  readonly code: number;
  readonly signal: "SIGKILL" | "SIGSEGV" | "SIGTERM";
  /** What the client reads from: a pipe, or a socket as Node and Bun make them; the latter read ahead. */
  readonly output: "pipe" | "socket";
}

/** The exit code of a server that got the error of a broken pipe: that of one that SIGPIPE ended. */
export const BROKEN = 141;

/** Calls and noise, so that a recorder has something to do. Its length is a prime: a lost chunk shows. */
const pattern = Buffer.alloc(
  100_003,
  `${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "a" } })}\n\u00ff\n{"jsonrpc"\n` +
    `${JSON.stringify({ jsonrpc: "2.0", id: 1, result: { content: [] } })}\r\n\0`,
);

/** The bytes that one side says, from an offset on. */
export function bytesAt(offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let done = 0; done < length;) {
    done += pattern.copy(bytes, done, (offset + done) % pattern.length);
  }
  return bytes;
}

/** Whether bytes are what a side says from an offset on. */
export function isAt(offset: number, bytes: Uint8Array): boolean {
  return bytesAt(offset, bytes.length).equals(bytes);
}
