import { constants } from "node:os";
import type { Direction } from "@toolmeter/mcp";
import type { FileSink, Subprocess } from "bun";
import { CommandError } from "../errors.ts";
import type { StdioObserver } from "./observer.ts";
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

/** How long others that inherited the server's output may still write after its end, in milliseconds. */
const DRAIN_MS = 500;

/**
 * Runs a stdio server between this process's own streams, and records its calls.
 *
 * Every byte is passed on first and as it is, then looked at: a call is in the journal before its server can have
 * answered it. Signals are told on; a server that was told to end and does not is killed.
 * @returns The server's exit code; 128 and the signal's number if a signal ended it.
 * @throws CommandError if the command cannot be run.
 */
export async function recordStdio(
  command: readonly string[],
  options: RecordOptions,
): Promise<number> {
  const server = start(command);
  passSignals(server);
  const copies = new Copies();
  void forward(Bun.stdin.stream(), server.stdin, (chunk) => copies.take("received", chunk))
    // The server reads no more: its own affair, as it is without us.
    .catch(() => undefined)
    .finally(() => void endInput(server.stdin));
  // Loaded while the server starts; its answers wait for it.
  await copies.attach(options);
  const output = forward(server.stdout, Bun.stdout.writer(), (chunk) => copies.take("sent", chunk))
    // Nobody reads the answers: the server learns it by its closed output, as it does without us.
    .catch(() => server.stdout.cancel().catch(() => undefined));
  await server.exited;
  await Promise.race([output, Bun.sleep(DRAIN_MS)]);
  await copies.end();
  return server.exitCode ?? 128 + numberOf(server.signalCode);
}

function numberOf(signal: NodeJS.Signals | number | null): number {
  return typeof signal === "string" ? constants.signals[signal] : (signal ?? 0);
}

type Server = Subprocess<"pipe", "pipe", "inherit">;

function start(command: readonly string[]): Server {
  try {
    return Bun.spawn([...command], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  } catch (error) {
    throw notRunnable(command[0] ?? "", error);
  }
}

/** Passes chunks on, each whole before the next one is read, and shows each when it is on its way. */
async function forward(
  source: ReadableStream<Uint8Array>,
  sink: FileSink,
  look: (chunk: Uint8Array) => void,
): Promise<void> {
  for await (const chunk of source) {
    void sink.write(chunk);
    const flushed = sink.flush();
    look(chunk);
    // Only a full pipe makes it wait.
    if (flushed instanceof Promise) await flushed;
  }
}

async function endInput(stdin: FileSink): Promise<void> {
  try {
    await stdin.end();
  } catch {
    // It was closed already.
  }
}

/** Copies of what passed, kept until there is somebody to read them. */
class Copies {
  #observer: StdioObserver | undefined;
  #waiting: (readonly [Direction, Uint8Array])[] | undefined = [];

  take(direction: Direction, chunk: Uint8Array): void {
    if (this.#waiting) this.#waiting.push([direction, chunk]);
    else this.#observer?.observe(direction, chunk);
  }

  /** From now on an observer reads. If there can be none, nothing is recorded: the server matters more. */
  async attach(options: RecordOptions): Promise<void> {
    try {
      const { StdioObserver } = await import("./observer.ts");
      this.#observer = new StdioObserver(options);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      process.stderr.write(`toolmeter: Nothing is recorded (${reason}).\n`);
    }
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const [direction, chunk] of waiting) this.#observer?.observe(direction, chunk);
  }

  async end(): Promise<void> {
    await this.#observer?.end();
  }
}

function passSignals(server: Server): void {
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      server.kill(signal);
      if (ENDING.has(signal)) setTimeout(() => server.kill("SIGKILL"), GRACE_MS).unref();
    });
  }
  // The last resort: whatever ends this process leaves nobody behind.
  process.on("exit", () => server.kill("SIGKILL"));
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
