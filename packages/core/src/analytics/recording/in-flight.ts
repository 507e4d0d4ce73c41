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

/** What is known of a call when it starts. */
export type ToolCallStart = Omit<ToolCallMetadata, "durationMs" | "status">;

/** What is known when it ends; `durationMs` is measured. */
export type ToolCallEnd = Partial<ToolCallMetadata>;

/** A tool call in flight. */
export interface ToolCallHandle {
  /** The id of its row. */
  readonly id: string;
  /**
   * Records the call, with the time since its start as its duration. Returns at once and never throws.
   * The first end counts; others do nothing.
   * @param details Or a function that says them: it is asked 5 ms later, at the latest when the process
   * ends. Whoever waits for the tool does not wait for it; a process that is killed before
   * leaves the call as `abandoned`.
   * @param more What takes time to say, asked for in the same way, beside details that are safe from SIGKILL when
   * this returns: of these the status and the error.
   */
  end(details?: ToolCallEnd | (() => ToolCallEnd), more?: () => ToolCallEnd): void;
}

/** How long it may take to say what nobody waits for, in milliseconds. */
const LATER_MS = 5;

/** Calls that are followed at most: a host that never ends its calls must not fill memory. */
const MAX_IN_FLIGHT = 10_000;

interface InFlight {
  readonly call: StartedCall;
  readonly recordedAt: number;
  /** By the monotonic clock. */
  readonly since: number;
}

/** The calls that run: journalled at their start, accepted with their end, abandoned if that never comes. */
export class CallsInFlight {
  readonly #config: ResolvedConfig;
  readonly #pipeline: Pick<Pipeline, "accept" | "follow" | "settle">;
  readonly #tally: Pick<Tally, "invalid" | "took">;
  /** The calls that run and are in the journal. */
  readonly #calls = new Map<string, InFlight>();
  /** Starts and ends whose details are still to be asked for. */
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
        const say = isLater
          ? details
          : () => ({ ...knownFields(this.#ask(more)), ...knownFields(details) });
        const end = () => {
          call ??= this.#describe(metadata, recordedAt, since);
          if (call) this.#end(handle.id, call, durationMs, say);
        };
        if (more && call && !isLater) this.#keepOutcome(handle.id, call, durationMs, details);
        // What is postponed keeps its order.
        if (more || isLater || typeof metadata === "function") this.#later(end);
        else end();
      },
    };
    const begin = () => {
      if (isOver) return;
      call = this.#describe(metadata, recordedAt, since);
      // Nothing to end: it was refused.
      if (call) this.#follow(handle.id, call);
      else isOver = true;
    };
    if (typeof metadata === "function") this.#later(begin);
    else begin();
    return handle;
  }

  /** Says now what was postponed. */
  catchUp(): void {
    for (const work of this.#postponed.splice(0)) work();
  }

  /** The id and the line of each call that still runs, as abandoned; they are followed no more. */
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
      const said = typeof metadata === "function" ? metadata() : metadata;
      const call = toStartedCall(said, recordedAt, this.#config);
      if (call.start.sessionId) this.#hasSessions = true;
      return { call, recordedAt, since };
    } catch (error) {
      this.#tally.invalid("the start of a tool call", error);
      return undefined;
    }
  }

  /** Keeps a call that runs, in the journal too. */
  #follow(id: string, inFlight: InFlight): void {
    if (this.#calls.size >= MAX_IN_FLIGHT) return;
    this.#calls.set(id, inFlight);
    this.#pipeline.follow(id, encodeCall(id, inFlight.recordedAt, abandoned(inFlight.call, 0)));
  }

  /** Journals how a call ended, before all is said of it. */
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
      // It cannot be read: its end will be refused, and say why.
    }
  }

  /** What is said later may fail: then the rest stands. */
  #ask(more: (() => ToolCallEnd) | undefined): ToolCallEnd {
    try {
      return more?.() ?? {};
    } catch (error) {
      this.#tally.invalid("a part of a tool call", error);
      return {};
    }
  }

  /** Does a part of the work when nobody waits for it: the next call comes right after the answer of the last. */
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
