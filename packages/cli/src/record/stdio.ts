import { constants } from "node:os";
import type { Direction, Instrumentation, StdioObserver } from "@toolmeter/mcp";
import type { Subprocess } from "bun";
import { CommandError } from "../failures/command-error.ts";
import { ownStreams, type Server, startServer } from "./ends.ts";
import { Flow } from "./flow.ts";
import type { RecordOptions } from "./options.ts";

/** Signals that are passed on from the client to the server. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const;

/** Signals that ask the server to end. */
const ENDING: ReadonlySet<string> = new Set(["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"]);

/**
 * Longest time that a server may take to end after a signal, in milliseconds. Clients kill the recorder after two
 * seconds, and a killed recorder can no longer end its server.
 */
const GRACE_MS = 1_500;

/** How long a source must be silent after the server's end before it is handed over, in milliseconds. */
const SILENCE_MS = 500;

/** Interval at which each sink is checked for a reader, in milliseconds. */
const CHECK_MS = 100;

/**
 * Runs a stdio server between this process's own streams and records its calls.
 *
 * Every byte is passed on unchanged and read afterwards; a call is in the journal before its server can answer it. The
 * end of a stream is passed on immediately, in both directions. Signals are passed on; a server that does not end after
 * a signal is killed.
 *
 * Ends when the server has ended and its output has been delivered, however slow the client. If other processes still
 * have the server's streams open and are silent for 500 ms, the streams are handed over to `cat`, so that they stay
 * open as they would without a recorder. After an ending signal it waits at most 1.5 s and leaves nothing running.
 * @returns The server's exit code; 128 plus the signal's number if a signal ended it.
 * @throws CommandError if the command cannot be run, or if writing to standard output failed, as on a full disk, and
 * the server did not notice it.
 */
export async function recordStdio(
  command: readonly string[],
  options: RecordOptions,
): Promise<number> {
  const server = start(command);
  const ending = passSignals(server.process);
  const client = ownStreams();
  const copies = new Copies();
  const input = new Flow(client.source, server.sink, (chunk) => copies.take("received", chunk));
  // Loaded while the server starts; its output waits until then.
  await copies.attach(options);
  const output = new Flow(server.source, client.sink, (chunk) => copies.take("sent", chunk));
  setInterval(() => [input, output].forEach((flow) => flow.check()), CHECK_MS).unref();

  await server.process.exited;
  await Promise.race([output.silence(SILENCE_MS), ending.expired]);
  if (!ending.isRequested()) await Promise.all([input.handOver(), output.handOver()]);
  // The server ended by itself, while its client was still connected.
  const isServerEnd =
    !ending.isRequested() && input.endedBy !== "source" && output.endedBy !== "sink";
  await copies.end(isServerEnd);
  const code = server.process.exitCode ?? 128 + numberOf(server.process.signalCode);
  // The server did not notice the error, or noticed only a closed pipe.
  const isUnseen = code === 0 || code === 128 + constants.signals.SIGPIPE;
  if (isUnseen && output.failure !== undefined) throw notDelivered(output.failure);
  return code;
}

function numberOf(signal: NodeJS.Signals | number | null): number {
  return typeof signal === "string" ? constants.signals[signal] : (signal ?? 0);
}

function start(command: readonly string[]): Server {
  try {
    return startServer(command);
  } catch (error) {
    throw notRunnable(command[0] ?? "", error);
  }
}

/** Copies of the passed chunks, kept until the observer is loaded. */
class Copies {
  #instrumentation: Instrumentation | undefined;
  #observer: StdioObserver | undefined;
  #waiting: (readonly [Direction, Uint8Array])[] | undefined = [];

  take(direction: Direction, chunk: Uint8Array): void {
    if (this.#waiting) this.#waiting.push([direction, chunk]);
    else this.#observer?.observe(direction, chunk);
  }

  /** Loads the observer. If that fails, nothing is recorded, but the server keeps running. */
  async attach(options: RecordOptions): Promise<void> {
    try {
      const mcp = await import("@toolmeter/mcp");
      this.#instrumentation = new mcp.Instrumentation("command", options);
      this.#observer = new mcp.StdioObserver(this.#instrumentation);
    } catch (error) {
      process.stderr.write(`toolmeter: Nothing is recorded (${reasonOf(error)}).\n`);
    }
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const [direction, chunk] of waiting) this.#observer?.observe(direction, chunk);
  }

  /**
   * Ends the connection and writes all records. Never rejects.
   * @param isServerEnd Whether the server ended while its client was still connected, so that its running calls failed.
   */
  async end(isServerEnd: boolean): Promise<void> {
    this.#observer?.closed(isServerEnd ? "server_ended" : "closed");
    await this.#instrumentation?.shutdown();
  }
}

/** Whether the client has sent an ending signal, and when the time to end runs out. */
interface Ending {
  isRequested(): boolean;
  readonly expired: Promise<void>;
}

/** Passes the client's signals on to the server, and kills it if it does not end in time. */
function passSignals(server: Subprocess): Ending {
  const { promise: expired, resolve } = Promise.withResolvers<void>();
  let isRequested = false;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      server.kill(signal);
      if (!ENDING.has(signal)) return;
      isRequested = true;
      setTimeout(() => {
        server.kill("SIGKILL");
        resolve();
      }, GRACE_MS);
    });
  }
  // Last resort: however this process ends, the server ends with it.
  process.on("exit", () => server.kill("SIGKILL"));
  return { isRequested: () => isRequested, expired };
}

function notRunnable(program: string, error: unknown): CommandError {
  const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
  // Exit codes as in shells: https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_08_02
  return code === "ENOENT"
    ? new CommandError(
        `Expected a server command, but the program ${program} was not found. Name a program or its path.`,
        127,
      )
    : new CommandError(
        `Expected to run ${program}, but the system refused (${code}). Is it executable?`,
        126,
      );
}

/** The error for output that was lost without the server noticing it. */
function notDelivered(error: unknown): CommandError {
  return new CommandError(
    `Expected to write the server's output to standard output, but the write failed (${reasonOf(error)}).`,
    1,
  );
}

/** Not the core's `errorMessage`: the server starts before the core is loaded. */
function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
