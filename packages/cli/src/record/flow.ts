import type { FileSink } from "bun";
import type { Sink, Source } from "./ends.ts";

/** What is used of a `ReadableStreamDefaultReader`: the types of Bun and of the web differ. */
interface Reader {
  read(): Promise<{ value?: Uint8Array | undefined }>;
  cancel(): Promise<void>;
}

/**
 * Passes bytes on in one direction, each chunk whole before the next is read, and shows a copy of each.
 *
 * The end of one side becomes the end of the other at once: an end of file closes the sink, a sink that nobody reads
 * from closes the source. Never rejects.
 */
export class Flow {
  /** Resolves when nothing more can pass, and both sides are closed. */
  readonly ended: Promise<void>;
  readonly #source: Source;
  readonly #sink: Sink;
  readonly #reader: Reader;
  #endedBy: "sink" | "source" | undefined;
  #failure: unknown;
  /** When it began to wait for the source; undefined while it writes. */
  #waitsSince: number | undefined;
  #isHandedOver = false;

  constructor(source: Source, sink: Sink, look: (chunk: Uint8Array) => void) {
    this.#source = source;
    this.#sink = sink;
    this.#reader = source.stream.getReader();
    this.ended = this.#run(look);
  }

  /** Which side ended first; undefined while it flows. */
  get endedBy(): "sink" | "source" | undefined {
    return this.#endedBy;
  }

  /** The error of a sink that took no more, such as a full disk's; undefined if its reader left. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Closes the source if nobody reads from the sink any more, as a write would find out. */
  check(): void {
    if (this.#endedBy !== undefined || !this.#sink.isBroken()) return;
    this.#endedBy = "sink";
    void this.#reader.cancel();
  }

  /** Resolves when the flow has ended, or its source has been silent for so long, in milliseconds, from now on. */
  async silence(milliseconds: number): Promise<void> {
    const begun = performance.now();
    while (this.#endedBy === undefined) {
      const now = performance.now();
      const silent = this.#waitsSince === undefined ? 0 : now - Math.max(begun, this.#waitsSince);
      // A busy process may be late to read what is there.
      if (silent >= milliseconds && !this.#source.isReadable()) return;
      const rest = Math.max(milliseconds - silent, 1);
      await Promise.race([this.ended, Bun.sleep(rest)]);
    }
    await this.ended;
  }

  /**
   * Leaves what may still come to a process of its own, which outlives this one.
   * A chunk that the sink has not taken yet, and files and terminals, are not handed over.
   */
  async handOver(): Promise<void> {
    const { fd: from } = this.#source;
    const { fd: to } = this.#sink;
    if (this.#waitsSince === undefined || from === undefined || to === undefined) return;
    this.#isHandedOver = true;
    await this.#reader.cancel();
    await this.ended;
    try {
      Bun.spawn(["cat"], { stdin: from, stdout: to, stderr: "ignore" }).unref();
    } catch {
      // There is no `cat`: the pipe is closed when this process ends.
    }
  }

  async #run(look: (chunk: Uint8Array) => void): Promise<void> {
    try {
      for (let chunk = await this.#read(); chunk; chunk = await this.#read()) {
        const taken = write(this.#sink.writer, chunk);
        look(chunk);
        // Only a full sink makes it wait.
        if (taken instanceof Promise) await taken;
      }
    } catch (error) {
      this.#endedBy = "sink";
      if (!isReaderGone(error)) this.#failure = error;
    }
    if (!this.#isHandedOver) await this.#close();
  }

  /** The next chunk; undefined at the end. A source that cannot be read has ended. */
  async #read(): Promise<Uint8Array | undefined> {
    this.#waitsSince = performance.now();
    let value: Uint8Array | undefined;
    try {
      ({ value } = await this.#reader.read());
    } catch {
      // As an end.
    }
    this.#waitsSince = undefined;
    if (value === undefined && !this.#isHandedOver) this.#endedBy ??= "source";
    return value;
  }

  async #close(): Promise<void> {
    await this.#reader.cancel().catch(() => undefined);
    this.#source.close();
    this.#sink.close();
    try {
      await this.#sink.writer.end();
    } catch {
      // Nobody reads from it: there is nothing to end.
    }
  }
}

/** Resolves, or returns, when the writer has passed the chunk on. */
function write(writer: FileSink, chunk: Uint8Array): number | Promise<number> {
  const written = writer.write(chunk);
  return written instanceof Promise ? written.then(() => writer.flush()) : writer.flush();
}

function isReaderGone(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "EPIPE" || code === "ECONNRESET";
}
