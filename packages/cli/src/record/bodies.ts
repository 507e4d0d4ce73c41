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

/** A message that is longer than this, in bytes, is passed on and not looked at. */
const MAX_MESSAGE_BYTES = 64 * 1_048_576;

/** The first bytes of a JSON text that can be a message: white space, a byte order mark, an object, an array. */
const BEFORE_JSON: ReadonlySet<number> = new Set(Buffer.from("\uFEFF \t\r\n"));
const JSON_STARTS: ReadonlySet<number> = new Set(Buffer.from("{["));

/** Reads a copy of a body while it passes. */
export interface BodyReader {
  push(chunk: Uint8Array): void;
  /**
   * Nothing more comes. Resolves when everything that came has been read.
   * @param isWhole Whether the body came to its end.
   */
  end(isWhole: boolean): Promise<void> | void;
}

interface Codec {
  readonly whole: (bytes: Uint8Array, options: { maxOutputLength: number }) => Buffer;
  readonly stream: () => Transform;
}

const GZIP: Codec = { whole: gunzipSync, stream: createGunzip };

/** What servers compress with: https://www.iana.org/assignments/http-parameters */
const CODECS: Readonly<Record<string, Codec>> = {
  br: { whole: brotliDecompressSync, stream: createBrotliDecompress },
  deflate: { whole: inflateSync, stream: createInflate },
  gzip: GZIP,
  "x-gzip": GZIP,
  zstd: { whole: zstdDecompressSync, stream: createZstdDecompress },
};

/**
 * Reads the messages of a body.
 * @throws If it is compressed in an unknown way.
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
  // The first byte of what is compressed tells nothing.
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

/** Keeps a text until it is whole, if it can be a message. */
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
    if (isTooLong) throw new Error(`It is longer than ${MAX_MESSAGE_BYTES} bytes`);
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

/** Decompresses a stream on its way to another reader. */
class CompressedReader implements BodyReader {
  readonly #decoder: Transform;
  readonly #done: Promise<void>;

  constructor(codec: Codec, reader: BodyReader) {
    const decoder = codec.stream();
    const { promise, resolve } = Promise.withResolvers<void>();
    decoder.on("data", (chunk: Uint8Array) => reader.push(chunk));
    // What cannot be decompressed, a cut stream for one, has no further messages.
    decoder.on("error", () => resolve());
    decoder.on("end", () => resolve());
    this.#decoder = decoder;
    this.#done = promise;
  }

  push(chunk: Uint8Array): void {
    if (this.#decoder.destroyed) return;
    // The stream is not held up by its copy.
    if (this.#decoder.writableLength > MAX_MESSAGE_BYTES)
      this.#decoder.destroy(new Error("too far behind"));
    else this.#decoder.write(chunk);
  }

  end(): Promise<void> {
    this.#decoder.end();
    return this.#done;
  }
}
