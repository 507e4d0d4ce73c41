import type { FileSink } from "bun";
import type { Sink, Source } from "./ends.ts";

/** The used part of `ReadableStreamDefaultReader`, because the types of Bun and of the web differ. */
interface Reader {
  read(): Promise<{ value?: Uint8Array | undefined }>;
  cancel(): Promise<void>;
}

/**
 * Passes bytes on in one direction, each chunk completely before reading the next, and passes each chunk to an
 * observer.
 *
 * When one side ends, the other is closed at once: an end of file closes the sink, and a sink without a reader closes
 * the source. Never rejects.
 */
export class Flow {
  /** Resolves when both sides are closed. */
  readonly ended: Promise<void>;
  readonly #source: Source;
  readonly #sink: Sink;
  readonly #reader: Reader;
  #endedBy: "sink" | "source" | undefined;
  #failure: unknown;
  /** The time since which it waits for the source; undefined while it writes. */
  #waitsSince: number | undefined;
  #isHandedOver = false;

  constructor(source: Source, sink: Sink, observe: (chunk: Uint8Array) => void) {
    this.#source = source;
    this.#sink = sink;
    this.#reader = source.stream.getReader();
    this.ended = this.#run(observe);
  }

  /** The side that ended first; undefined while the flow runs. */
  get endedBy(): "sink" | "source" | undefined {
    return this.#endedBy;
  }

  /** The error of a failed write, for example on a full disk; undefined if the reader has closed. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Closes the source if the sink no longer has a reader, without waiting for a write to fail. */
  check(): void {
    if (this.#endedBy !== undefined || !this.#sink.isBroken()) return;
    this.#endedBy = "sink";
    void this.#reader.cancel();
  }

  /**
   * Resolves when the flow has ended, or when its source has been silent for this long from now on, in milliseconds.
   */
  async silence(milliseconds: number): Promise<void> {
    const begun = performance.now();
    while (this.#endedBy === undefined) {
      const now = performance.now();
      const silent = this.#waitsSince === undefined ? 0 : now - Math.max(begun, this.#waitsSince);
      // A busy process may be late to read available data.
      if (silent >= milliseconds && !this.#source.isReadable()) return;
      const rest = Math.max(milliseconds - silent, 1);
      await Promise.race([this.ended, Bun.sleep(rest)]);
    }
    await this.ended;
  }

  /**
   * Hands the rest of the flow over to a separate process that outlives this one. Does nothing while a chunk is being
   * written, and for files and terminals.
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
      // Without `cat`, the pipe is closed when this process ends.
    }
  }

  async #run(observe: (chunk: Uint8Array) => void): Promise<void> {
    try {
      for (let chunk = await this.#read(); chunk; chunk = await this.#read()) {
        const taken = write(this.#sink.writer, chunk);
        observe(chunk);
        // Only a full sink returns a promise.
        if (taken instanceof Promise) await taken;
      }
    } catch (error) {
      this.#endedBy = "sink";
      if (!isReaderGone(error)) this.#failure = error;
    }
    if (!this.#isHandedOver) await this.#close();
  }

  /** Reads the next chunk; returns undefined at the end, or if the source cannot be read. */
  async #read(): Promise<Uint8Array | undefined> {
    this.#waitsSince = performance.now();
    let value: Uint8Array | undefined;
    try {
      ({ value } = await this.#reader.read());
    } catch {
      // Treated as the end.
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
      // There is no reader, so nothing to end.
    }
  }
}

/** Writes a chunk and flushes it. Returns a promise only if the writer has to wait. */
function write(writer: FileSink, chunk: Uint8Array): number | Promise<number> {
  const written = writer.write(chunk);
  return written instanceof Promise ? written.then(() => writer.flush()) : writer.flush();
}

function isReaderGone(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "EPIPE" || code === "ECONNRESET";
}
