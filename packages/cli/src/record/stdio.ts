import { constants } from "node:os";
import type { Direction, Instrumentation, StdioObserver } from "@toolmeter/mcp";
import type { Subprocess } from "bun";
import { CommandError } from "../failures/command-error.ts";
import { ownStreams, type Server, startServer } from "./ends.ts";
import { Flow } from "./flow.ts";
import type { RecordOptions } from "./options.ts";

/** What a client may tell its server; it is told on. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const;

/** Those that mean: end. */
const ENDING: ReadonlySet<string> = new Set(["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"]);

/**
 * How long a server that was told to end may take, in milliseconds. Clients kill whom they told after two seconds; a dead
 * recorder could not end its server any more.
 */
const GRACE_MS = 1_500;

/** How long a source may be silent after the server's end before it is left to others, in milliseconds. */
const SILENCE_MS = 500;

/** How often it is looked whether somebody still reads, in milliseconds. */
const CHECK_MS = 100;

/**
 * Runs a stdio server between this process's own streams, and records its calls.
 *
 * Every byte is passed on first and as it is, then looked at: a call is in the journal before its server can have
 * answered it. The end of a stream is passed on when it happens, in both directions. Signals are passed on; a server
 * that was told to end and does not is killed.
 *
 * Ends when the server has ended and its output has been delivered, however slow the client. If other processes still
 * hold the server's streams and are silent for 500 ms, the streams are left to `cat`, so they stay open as they would
 * without a recorder. After a signal to end, nothing is waited for longer than 1.5 s, and nothing is left.
 * @returns The server's exit code; 128 and the signal's number if a signal ended it.
 * @throws CommandError if the command cannot be run, or standard output took no more, as on a full disk, and the server
 * did not see it.
 */
export async function recordStdio(
  command: readonly string[],
  options: RecordOptions,
): Promise<number> {
  const server = start(command);
  const toldToEnd = passSignals(server.process);
  const client = ownStreams();
  const copies = new Copies();
  const input = new Flow(client.source, server.sink, (chunk) => copies.take("received", chunk));
  // Loaded while the server starts; its answers wait for it.
  await copies.attach(options);
  const output = new Flow(server.source, client.sink, (chunk) => copies.take("sent", chunk));
  setInterval(() => [input, output].forEach((flow) => flow.check()), CHECK_MS).unref();

  await server.process.exited;
  await Promise.race([output.silence(SILENCE_MS), toldToEnd.isOver]);
  if (!toldToEnd.isTold()) await Promise.all([input.handOver(), output.handOver()]);
  // It ended by itself, while its client was still there.
  const isServerEnd =
    !toldToEnd.isTold() && input.endedBy !== "source" && output.endedBy !== "sink";
  await copies.end(isServerEnd);
  const code = server.process.exitCode ?? 128 + numberOf(server.process.signalCode);
  // It did not see the error itself, or saw only a closed pipe.
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

/** Copies of what passed, kept until there is somebody to read them. */
class Copies {
  #instrumentation: Instrumentation | undefined;
  #observer: StdioObserver | undefined;
  #waiting: (readonly [Direction, Uint8Array])[] | undefined = [];

  take(direction: Direction, chunk: Uint8Array): void {
    if (this.#waiting) this.#waiting.push([direction, chunk]);
    else this.#observer?.observe(direction, chunk);
  }

  /** From now on an observer reads. If there can be none, nothing is recorded: the server matters more. */
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
   * The connection is over: writes what is recorded. Never rejects.
   * @param isServerEnd Whether the server ended while its client was still there: what it was working on has failed.
   */
  async end(isServerEnd: boolean): Promise<void> {
    this.#observer?.closed(isServerEnd ? "server_ended" : "closed");
    await this.#instrumentation?.shutdown();
  }
}

/** Whether the client has told the server to end, and when the time for it is over. */
interface ToldToEnd {
  isTold(): boolean;
  readonly isOver: Promise<void>;
}

/** Passes the client's signals on to the server, and kills it if it does not end in time. */
function passSignals(server: Subprocess): ToldToEnd {
  const { promise: isOver, resolve } = Promise.withResolvers<void>();
  let isTold = false;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      server.kill(signal);
      if (!ENDING.has(signal)) return;
      isTold = true;
      setTimeout(() => {
        server.kill("SIGKILL");
        resolve();
      }, GRACE_MS);
    });
  }
  // The last resort: whatever ends this process leaves nobody behind.
  process.on("exit", () => server.kill("SIGKILL"));
  return { isTold: () => isTold, isOver };
}

function notRunnable(program: string, error: unknown): CommandError {
  const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
  // As shells say it: https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_08_02
  return code === "ENOENT"
    ? new CommandError(
        `Expected the command of a server, but there is no ${program}. Name a program, or its path.`,
        127,
      )
    : new CommandError(
        `Expected to run ${program}, but the system refused (${code}). Is it executable?`,
        126,
      );
}

/** What the client should have got is lost, and the server ended without knowing it. */
function notDelivered(error: unknown): CommandError {
  return new CommandError(
    `Expected to write the server's output to standard output, but it took no more (${reasonOf(error)}).`,
    1,
  );
}

/** Not the core's `errorMessage`: the server starts before the core is loaded. */
function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
