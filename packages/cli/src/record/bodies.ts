import type { IncomingHttpHeaders } from "node:http";
import type { Transform } from "node:stream";
import {
  brotliDecompressSync,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createZstdDecompress,
  gunzipSync,
  inflateSync,
  zstdDecompressSync,
} from "node:zlib";
import { EventReader, type StreamEvent } from "./events.ts";

/** Longer messages are passed on without being read, in bytes. */
const MAX_MESSAGE_BYTES = 64 * 1_048_576;

/** Possible first bytes of a message: white space, a byte order mark, and the start of an object or array. */
const BEFORE_JSON: ReadonlySet<number> = new Set(Buffer.from("\uFEFF \t\r\n"));
const JSON_STARTS: ReadonlySet<number> = new Set(Buffer.from("{["));

/** Reads a copy of a body while it is passed on. */
export interface BodyReader {
  push(chunk: Uint8Array): void;
  /**
   * Ends the body. Resolves when all of it has been read.
   * @param isWhole Whether the body is complete.
   */
  end(isWhole: boolean): Promise<void> | void;
}

interface Codec {
  readonly whole: (bytes: Uint8Array, options: { maxOutputLength: number }) => Buffer;
  readonly stream: () => Transform;
}

const GZIP: Codec = { whole: gunzipSync, stream: createGunzip };

/** The supported content encodings: https://www.iana.org/assignments/http-parameters */
const CODECS: Readonly<Record<string, Codec>> = {
  br: { whole: brotliDecompressSync, stream: createBrotliDecompress },
  deflate: { whole: inflateSync, stream: createInflate },
  gzip: GZIP,
  "x-gzip": GZIP,
  zstd: { whole: zstdDecompressSync, stream: createZstdDecompress },
};

/**
 * Creates a reader for the messages of a body.
 * @throws If the content encoding is unknown.
 */
export function readerOf(
  { "content-type": type = "", "content-encoding": encoding }: IncomingHttpHeaders,
  onText: (text: string) => void,
  onEvent: (event: StreamEvent) => void,
): BodyReader {
  const codec = codecOf(encoding);
  if (/^\s*text\/event-stream\s*(?:;|$)/i.test(type)) {
    const events = new EventReader(onEvent);
    return codec ? new CompressedReader(codec, events) : events;
  }
  // The first byte of compressed data does not show whether it is a message.
  if (codec && !/json/i.test(type)) return UNREAD;
  return new TextReader(codec, onText);
}

const UNREAD: BodyReader = { push: () => undefined, end: () => undefined };

function codecOf(encoding = "identity"): Codec | undefined {
  const name = encoding.trim().toLowerCase();
  if (name === "identity" || name === "") return undefined;
  const codec = CODECS[name];
  if (!codec) throw new Error(`The content encoding ${JSON.stringify(name)} cannot be read`);
  return codec;
}

/** Collects a body that can be a message until it is complete. */
class TextReader implements BodyReader {
  readonly #codec: Codec | undefined;
  readonly #onText: (text: string) => void;
  #parts: Uint8Array[] = [];
  #length = 0;
  #isUnwanted = false;
  #hasBegun = false;

  constructor(codec: Codec | undefined, onText: (text: string) => void) {
    this.#codec = codec;
    this.#onText = onText;
  }

  push(chunk: Uint8Array): void {
    if (this.#isUnwanted) return;
    this.#length += chunk.length;
    const isTooLong = this.#length > MAX_MESSAGE_BYTES;
    this.#isUnwanted = isTooLong || !this.#mayBeMessage(chunk);
    if (this.#isUnwanted) this.#parts = [];
    else this.#parts.push(chunk);
    if (isTooLong) throw new Error(`The message is longer than ${MAX_MESSAGE_BYTES} bytes`);
  }

  end(isWhole: boolean): void {
    if (!isWhole || this.#isUnwanted || this.#length === 0) return;
    const bytes = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#onText(
      (this.#codec?.whole(bytes, { maxOutputLength: MAX_MESSAGE_BYTES }) ?? bytes).toString(),
    );
  }

  #mayBeMessage(chunk: Uint8Array): boolean {
    if (this.#codec || this.#hasBegun) return true;
    const first = chunk.find((byte) => !BEFORE_JSON.has(byte));
    this.#hasBegun = first !== undefined;
    return first === undefined || JSON_STARTS.has(first);
  }
}

/** Decompresses a stream for another reader. */
class CompressedReader implements BodyReader {
  readonly #decoder: Transform;
  readonly #done: Promise<void>;

  constructor(codec: Codec, reader: BodyReader) {
    const decoder = codec.stream();
    const { promise, resolve } = Promise.withResolvers<void>();
    decoder.on("data", (chunk: Uint8Array) => reader.push(chunk));
    // A stream that cannot be decompressed, for example a truncated one, has no further messages.
    decoder.on("error", () => resolve());
    decoder.on("end", () => resolve());
    this.#decoder = decoder;
    this.#done = promise;
  }

  push(chunk: Uint8Array): void {
    if (this.#decoder.destroyed) return;
    // Reading the copy must not slow down the stream.
    if (this.#decoder.writableLength > MAX_MESSAGE_BYTES)
      this.#decoder.destroy(new Error("too far behind"));
    else this.#decoder.write(chunk);
  }

  end(): Promise<void> {
    this.#decoder.end();
    return this.#done;
  }
}
