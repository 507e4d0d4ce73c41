import { closeSync, constants, fstatSync, openSync, read } from "node:fs";
import { promisify } from "node:util";
import type { FileSink, Subprocess } from "bun";
import { isBroken, isReadable, makePipe, takeOver } from "./descriptors.ts";

/** The origin of the bytes in one direction. */
export interface Source {
  readonly stream: ReadableStream<Uint8Array>;
  /** The descriptor, if another process can continue reading from it. */
  readonly fd?: number;
  /** Whether a read would return at once, with data or the end. */
  isReadable(): boolean;
  close(): void;
}

/** The destination of the bytes in one direction. */
export interface Sink {
  readonly writer: FileSink;
  /** The descriptor, if another process can continue writing to it. */
  readonly fd?: number;
  /** Whether there is no longer a reader. */
  isBroken(): boolean;
  /** Closes the descriptor without waiting for unwritten data. */
  close(): void;
}

const readFile = promisify(read);
const CHUNK_BYTES = 65_536;

/** A running server and our ends of its standard input and output. */
export interface Server {
  readonly process: Subprocess;
  readonly source: Source;
  readonly sink: Sink;
}

/** Windows has no descriptors that can be passed between processes, so Bun's streams are used there. */
const isWindows = process.platform === "win32";

/** Starts a program with new pipes and with this process's standard error. Throws if it cannot be run. */
export function startServer(command: readonly string[]): Server {
  if (isWindows) {
    const process = Bun.spawn([...command], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
    return { process, source: plainSource(process.stdout), sink: plainSink(process.stdin) };
  }
  const [input, toServer] = makePipe();
  const [fromServer, output] = makePipe();
  const process = Bun.spawn([...command], { stdin: input, stdout: output, stderr: "inherit" });
  closeSync(input);
  closeSync(output);
  return { process, source: sourceOf(fromServer), sink: sinkOf(toServer) };
}

/** Takes over this process's standard input and output. No other code can use them afterwards. */
export function ownStreams(): { readonly source: Source; readonly sink: Sink } {
  return isWindows
    ? { source: plainSource(Bun.stdin.stream()), sink: plainSink(Bun.stdout.writer()) }
    : { source: sourceOf(takeOver(0)), sink: sinkOf(takeOver(1)) };
}

function plainSource(stream: ReadableStream<Uint8Array>): Source {
  return { stream, isReadable: () => false, close: () => undefined };
}

function plainSink(writer: FileSink): Sink {
  return { writer, isBroken: () => false, close: () => undefined };
}

/** Reads from a descriptor and owns it. */
function sourceOf(fd: number): Source {
  const stats = fstatSync(fd);
  const isPipe = stats.isFIFO() || stats.isSocket();
  return {
    stream: isPipe ? Bun.file(fd).stream() : streamOfFile(fd),
    ...(isPipe && { fd }),
    isReadable: () => isReadable(fd),
    close: () => closeSync(fd),
  };
}

/** Writes to a descriptor and owns it. */
function sinkOf(fd: number): Sink {
  return {
    writer: writerOf(fd),
    fd,
    isBroken: () => isBroken(fd),
    close: () => closeSync(fd),
  };
}

/**
 * Reads files and terminals in a thread, from their current position. `Bun.file(fd)` reads files from the start and
 * cannot read terminals.
 */
function streamOfFile(fd: number): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const chunk = new Uint8Array(CHUNK_BYTES);
        const { bytesRead } = await readFile(fd, chunk, 0, CHUNK_BYTES, null);
        if (bytesRead === 0) controller.close();
        else controller.enqueue(chunk.subarray(0, bytesRead));
      },
    },
    // Do not read ahead.
    { highWaterMark: 0 },
  );
}

/**
 * Creates a non-blocking writer. `O_NONBLOCK` belongs to the open file, which other processes may share: the server's
 * stderr can be the same terminal or pipe, and its writes must keep blocking. On Linux, a pipe or terminal is therefore
 * reopened with a separate flag.
 */
function writerOf(fd: number): FileSink {
  const stats = fstatSync(fd);
  if (process.platform !== "linux" || !(stats.isFIFO() || stats.isCharacterDevice()))
    return Bun.file(fd).writer();
  let own: number;
  try {
    own = openSync(
      `/proc/self/fd/${fd}`,
      constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY,
    );
  } catch {
    // The file belongs to another user, or no longer has a reader.
    return Bun.file(fd).writer();
  }
  // The writer has its own copy of the descriptor.
  const writer = Bun.file(own).writer();
  closeSync(own);
  return writer;
}
