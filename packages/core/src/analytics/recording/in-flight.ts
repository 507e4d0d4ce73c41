import type { ResolvedConfig } from "./config.ts";
import type { ToolCallMetadata } from "../records/metadata.ts";
import type { LastLine, Pipeline } from "./pipeline.ts";
import { encodeCall } from "../records/record.ts";
import {
  type StartedCall,
  abandoned,
  ended,
  knownFields,
  toStartedCall,
  withOutcome,
} from "../records/started-call.ts";
import type { Tally } from "./tally.ts";

/** The metadata of a call that starts. */
export type ToolCallStart = Omit<ToolCallMetadata, "durationMs" | "status">;

/** The metadata of a call that ends; `durationMs` is measured if it is not given. */
export type ToolCallEnd = Partial<ToolCallMetadata>;

/** A tool call in flight. */
export interface ToolCallHandle {
  /** The id of the call's row. */
  readonly id: string;
  /**
   * Records the call, with the time since its start as its duration. Returns at once and never throws. Only the first
   * end counts; later ones do nothing.
   * @param details The metadata, or a function that returns it. The function is called 5 ms later, or when the process
   * ends, so that the tool's caller does not wait for it; if the process is killed before, the call stays `abandoned`.
   * @param more Returns further metadata that takes time to collect; called later, like `details`. The status and error
   * in `details` are then safe from SIGKILL as soon as this method returns.
   */
  end(details?: ToolCallEnd | (() => ToolCallEnd), more?: () => ToolCallEnd): void;
}

/** Delay before deferred metadata is collected, in milliseconds. */
const LATER_MS = 5;

/** Maximum number of calls tracked at once, so that a host that never ends its calls does not fill memory. */
const MAX_IN_FLIGHT = 10_000;

interface InFlight {
  readonly call: StartedCall;
  readonly recordedAt: number;
  /** Start time on the monotonic clock. */
  readonly since: number;
}

/**
 * The running calls. They are journalled when they start and recorded when they end, or as abandoned if they never end.
 */
export class CallsInFlight {
  readonly #config: ResolvedConfig;
  readonly #pipeline: Pick<Pipeline, "accept" | "follow" | "settle">;
  readonly #tally: Pick<Tally, "invalid" | "took">;
  /** The running calls that are journalled. */
  readonly #calls = new Map<string, InFlight>();
  /** Starts and ends whose metadata is still to be collected, in order. */
  readonly #postponed: (() => void)[] = [];
  #hasSessions = false;

  constructor(
    config: ResolvedConfig,
    pipeline: Pick<Pipeline, "accept" | "follow" | "settle">,
    tally: Pick<Tally, "invalid" | "took">,
  ) {
    this.#config = config;
    this.#pipeline = pipeline;
    this.#tally = tally;
  }

  get size(): number {
    return this.#calls.size;
  }

  /** Whether any call named a session. */
  get hasSessions(): boolean {
    return this.#hasSessions;
  }

  /** See `TelemetryService.startToolCall`. */
  start(metadata: ToolCallStart | (() => ToolCallStart)): ToolCallHandle {
    const recordedAt = Date.now();
    const since = performance.now();
    let id: string | undefined;
    let call: InFlight | undefined;
    let isOver = !this.#config.enabled;
    const handle = {
      get id() {
        return (id ??= Bun.randomUUIDv7("hex", recordedAt));
      },
      end: (details: ToolCallEnd | (() => ToolCallEnd) = {}, more?: () => ToolCallEnd) => {
        if (isOver) return;
        isOver = true;
        if (call) this.#calls.delete(handle.id);
        const durationMs = performance.now() - since;
        const isLater = typeof details === "function";
        const collect = isLater
          ? details
          : () => ({ ...knownFields(this.#collect(more)), ...knownFields(details) });
        const end = () => {
          call ??= this.#describe(metadata, recordedAt, since);
          if (call) this.#end(handle.id, call, durationMs, collect);
        };
        if (more && call && !isLater) this.#keepOutcome(handle.id, call, durationMs, details);
        // A deferred start must run before its end.
        if (more || isLater || typeof metadata === "function") this.#later(end);
        else end();
      },
    };
    const begin = () => {
      if (isOver) return;
      call = this.#describe(metadata, recordedAt, since);
      // A refused call has nothing to end.
      if (call) this.#follow(handle.id, call);
      else isOver = true;
    };
    if (typeof metadata === "function") this.#later(begin);
    else begin();
    return handle;
  }

  /** Collects all deferred metadata now. */
  catchUp(): void {
    for (const work of this.#postponed.splice(0)) work();
  }

  /** Returns the line of each running call as abandoned, and stops tracking them. */
  abandon(): readonly LastLine[] {
    this.catchUp();
    const now = performance.now();
    const lines = [...this.#calls].map(([id, { call, recordedAt, since }]) => ({
      line: encodeCall(id, recordedAt, abandoned(call, now - since)),
      callId: id,
    }));
    this.#calls.clear();
    return lines;
  }

  #describe(
    metadata: ToolCallStart | (() => ToolCallStart),
    recordedAt: number,
    since: number,
  ): InFlight | undefined {
    try {
      const start = typeof metadata === "function" ? metadata() : metadata;
      const call = toStartedCall(start, recordedAt, this.#config);
      if (call.start.sessionId) this.#hasSessions = true;
      return { call, recordedAt, since };
    } catch (error) {
      this.#tally.invalid("the start of a tool call", error);
      return undefined;
    }
  }

  /** Tracks a running call, in memory and in the journal. */
  #follow(id: string, inFlight: InFlight): void {
    if (this.#calls.size >= MAX_IN_FLIGHT) return;
    this.#calls.set(id, inFlight);
    this.#pipeline.follow(id, encodeCall(id, inFlight.recordedAt, abandoned(inFlight.call, 0)));
  }

  /** Journals the outcome of a call before its other metadata is collected. */
  #keepOutcome(
    id: string,
    { call, recordedAt }: InFlight,
    durationMs: number,
    end: ToolCallEnd,
  ): void {
    try {
      const details = withOutcome(call, end, durationMs);
      this.#pipeline.follow(id, encodeCall(id, recordedAt, details));
    } catch {
      // The outcome is invalid: recording the end will be refused with the reason.
    }
  }

  /** Collects deferred metadata. If that throws, the call is recorded without it. */
  #collect(more: (() => ToolCallEnd) | undefined): ToolCallEnd {
    try {
      return more?.() ?? {};
    } catch (error) {
      this.#tally.invalid("a part of a tool call", error);
      return {};
    }
  }

  /** Defers work until nobody waits for it: a client often sends the next call right after an answer. */
  #later(work: () => void): void {
    this.#postponed.push(work);
    if (this.#postponed.length === 1) setTimeout(() => this.catchUp(), LATER_MS).unref();
  }

  #end(
    id: string,
    { call, recordedAt }: InFlight,
    durationMs: number,
    end: () => ToolCallEnd,
  ): void {
    const begunAt = Bun.nanoseconds();
    try {
      const details = ended(call, { durationMs, ...knownFields(end()) }, this.#config);
      this.#pipeline.accept(encodeCall(id, recordedAt, details), id);
    } catch (error) {
      this.#pipeline.settle(id);
      this.#tally.invalid("the end of a tool call", error);
    }
    this.#tally.took(Bun.nanoseconds() - begunAt);
  }
}
