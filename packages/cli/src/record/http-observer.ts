import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { Instrumentation, parseMessage } from "@toolmeter/mcp";
import { type BodyReader, readerOf } from "./bodies.ts";
import { type Exchange, type ExchangeEnd, Exchanges } from "./exchanges.ts";
import type { StreamEvent } from "./events.ts";
import type { RecordOptions } from "./options.ts";

/** Runs a step of observation, whose failure must not affect the exchange. */
type Guard = (step: () => void) => void;

/** Reads copies of the requests and answers of a proxy. Skips what it cannot read. Never throws. */
export class HttpObserver {
  readonly #instrumentation: Instrumentation;
  readonly #exchanges: Exchanges;
  /** Ended exchanges that are not completely read yet. */
  readonly #unread = new Set<Promise<void>>();

  constructor(options: RecordOptions) {
    this.#instrumentation = new Instrumentation("url", options);
    this.#exchanges = new Exchanges(this.#instrumentation);
  }

  /** @param path Path and query of the request. */
  begin(request: IncomingMessage, path: string): ExchangeObserver {
    const { method = "GET", headers } = request;
    const exchange = this.#exchanges.begin(method, path, (name) => textOf(headers, name));
    const guard: Guard = (step) => this.#instrumentation.guard(step);
    const keepUntil = (read: Promise<void>) => {
      this.#unread.add(read);
      void read.finally(() => this.#unread.delete(read));
    };
    return new ExchangeObserver(exchange, headers, guard, keepUntil);
  }

  /** Writes all records. Call it after every exchange has ended. Never rejects. */
  async end(): Promise<void> {
    await Promise.all(this.#unread);
    this.#instrumentation.guard(() => this.#exchanges.close());
    await this.#instrumentation.shutdown();
  }
}

/** Reads one request and its answer. */
export class ExchangeObserver {
  readonly #exchange: Exchange;
  readonly #guard: Guard;
  readonly #keepUntil: (read: Promise<void>) => void;
  readonly #request: BodyCopy;
  #answer: BodyCopy | undefined;
  #isOver = false;

  constructor(
    exchange: Exchange,
    headers: IncomingHttpHeaders,
    guard: Guard,
    keepUntil: (read: Promise<void>) => void,
  ) {
    this.#exchange = exchange;
    this.#guard = guard;
    this.#keepUntil = keepUntil;
    const onText = (text: string) => exchange.received(parseMessage(text));
    this.#request = new BodyCopy(headers, guard, onText, () => undefined);
  }

  /** Call this before a part of the request's body is passed on. */
  received(chunk: Uint8Array): void {
    this.#request.push(chunk);
  }

  receivedAll(): void {
    void this.#request.end(true);
  }

  answered(status: number, headers: IncomingHttpHeaders): void {
    this.#guard(() => this.#exchange.answered(status, (name) => textOf(headers, name)));
    this.#answer = new BodyCopy(
      headers,
      this.#guard,
      (text) => this.#exchange.sent(parseMessage(text)),
      ({ name, data }) => this.#exchange.sentEvent(name, data),
    );
  }

  /** Call this before a part of the answer's body is passed on. */
  sent(chunk: Uint8Array): void {
    this.#answer?.push(chunk);
  }

  sentAll(): void {
    void this.#answer?.end(true);
  }

  /** The exchange is over. Only the first call counts. */
  ended(end: ExchangeEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const settle = () => this.#guard(() => this.#exchange.ended(end));
    const reading = this.#answer?.end(false);
    if (reading) this.#keepUntil(reading.then(settle));
    else settle();
  }
}

/**
 * A copy of a body. If its length is known, it is read as soon as it is complete, before the last part is passed on.
 */
class BodyCopy {
  readonly #guard: Guard;
  #reader: BodyReader | undefined;
  #missing: number | undefined;
  #read: Promise<void> | void = undefined;

  constructor(
    headers: IncomingHttpHeaders,
    guard: Guard,
    onText: (text: string) => void,
    onEvent: (event: StreamEvent) => void,
  ) {
    this.#guard = guard;
    const length = headers["content-length"];
    if (length !== undefined) this.#missing = Number(length);
    // Events may be read after the call that delivered them, outside its guard.
    const onGuardedEvent = (event: StreamEvent) => guard(() => onEvent(event));
    guard(() => (this.#reader = readerOf(headers, onText, onGuardedEvent)));
  }

  push(chunk: Uint8Array): void {
    this.#guard(() => this.#reader?.push(chunk));
    if (this.#missing === undefined) return;
    this.#missing -= chunk.length;
    if (this.#missing === 0) void this.end(true);
  }

  /** Resolves when the whole copy has been read. Later calls change nothing. */
  end(isWhole: boolean): Promise<void> | void {
    const reader = this.#reader;
    this.#reader = undefined;
    this.#guard(() => {
      this.#read ??= reader?.end(isWhole);
    });
    return this.#read;
  }
}

function textOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(", ") : value;
}
