import { closeSync, constants, fstatSync, openSync, read } from "node:fs";
import { promisify } from "node:util";
import type { FileSink, Subprocess } from "bun";
import { isBroken, isReadable, makePipe, takeOver } from "./descriptors.ts";

/** Where the bytes of one direction come from. */
export interface Source {
  readonly stream: ReadableStream<Uint8Array>;
  /** The descriptor, if another process can go on reading from it. */
  readonly fd?: number;
  /** Whether there is something to read now; the end counts. */
  isReadable(): boolean;
  close(): void;
}

/** Where the bytes of one direction go to. */
export interface Sink {
  readonly writer: FileSink;
  /** The descriptor, if another process can go on writing to it. */
  readonly fd?: number;
  /** Whether nobody can read any more. */
  isBroken(): boolean;
  /** Closes it without waiting for what is not written yet. */
  close(): void;
}

const readFile = promisify(read);
const CHUNK_BYTES = 65_536;

/** A running server, and our ends of its standard input and output. */
export interface Server {
  readonly process: Subprocess;
  readonly source: Source;
  readonly sink: Sink;
}

/** On Windows there are no descriptors to pass around: Bun's own streams have to do. */
const isWindows = process.platform === "win32";

/** Starts a program with pipes of its own and this process's standard error. Throws if it cannot be run. */
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

/** This process's standard input and output, which nothing else can use afterwards. */
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
 * Files and terminals are read in a thread, from where they stand: `Bun.file(fd)` reads files from their start and
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
    // Nothing is read before it is wanted.
    { highWaterMark: 0 },
  );
}

/**
 * A writer that does not block. `O_NONBLOCK` belongs to the open file, which other processes may share: the server's
 * stderr can be the same terminal or pipe, and its writes must go on to block. So a pipe or terminal is opened anew
 * where the system can (Linux), with a flag of our own.
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
    // It belongs to another user, or nobody reads from it any more.
    return Bun.file(fd).writer();
  }
  // The writer has its own copy of the descriptor.
  const writer = Bun.file(own).writer();
  closeSync(own);
  return writer;
}
