import type { ResolvedConfig } from "./config.ts";
import type { ToolCallMetadata } from "../records/metadata.ts";
import { knownFields, toEndedCall, toOutcome, toStartDetails } from "../records/details.ts";
import { encodeCall } from "../records/record.ts";
import type { CallDetails } from "../records/metadata.ts";

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
  /** What was said of it but its payloads, which are in `details`. */
  readonly metadata: Partial<ToolCallMetadata>;
  readonly details: CallDetails;
  readonly recordedAt: number;
  /** By the monotonic clock. */
  readonly since: number;
}

/** A line that is recorded at the very end. */
export interface LastLine {
  readonly line: string;
  /** The call in flight that it ends. */
  readonly callId?: string;
}

/** What becomes of calls, told to the service. */
export interface InFlightObserver {
  /** This line stands for the call until it is settled. */
  follow(id: string, line: string): void;
  /** The call is over, with its line; without one it was refused. */
  accept(id: string, line: string | undefined): void;
  refuse(what: string, error: unknown): void;
  sawSession(): void;
  /** Time that the host gave, in nanoseconds. */
  took(nanoseconds: number): void;
}

/** The calls that run, from their start to their end, and what is still to be said of them. */
export class CallsInFlight {
  readonly #config: ResolvedConfig;
  readonly #observer: InFlightObserver;
  readonly #calls = new Map<string, InFlight>();
  /** Starts and ends whose details are still to be asked for. */
  readonly #postponed: (() => void)[] = [];

  constructor(config: ResolvedConfig, observer: InFlightObserver) {
    this.#config = config;
    this.#observer = observer;
  }

  get size(): number {
    return this.#calls.size;
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
    const lines = [...this.#calls].map(([id, { details, recordedAt, since }]) => ({
      line: encodeCall(id, recordedAt, { ...details, durationMs: now - since }),
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
      const said = knownFields(typeof metadata === "function" ? metadata() : metadata);
      const details = toStartDetails(said, recordedAt, this.#config);
      if (details.sessionId) this.#observer.sawSession();
      const { arguments: _input, result: _result, attributes: _attributes, ...others } = said;
      return { metadata: others, details, recordedAt, since };
    } catch (error) {
      this.#observer.refuse("the start of a tool call", error);
      return undefined;
    }
  }

  /** Keeps a call that runs, in the journal too. */
  #follow(id: string, call: InFlight): void {
    if (this.#calls.size >= MAX_IN_FLIGHT) return;
    this.#calls.set(id, call);
    this.#observer.follow(id, encodeCall(id, call.recordedAt, call.details));
  }

  /** Journals how a call ended, before all is said of it. */
  #keepOutcome(id: string, call: InFlight, durationMs: number, end: ToolCallEnd): void {
    try {
      const details = { ...call.details, ...toOutcome(end), durationMs };
      this.#observer.follow(id, encodeCall(id, call.recordedAt, details));
    } catch {
      // It cannot be read: its end will be refused, and say why.
    }
  }

  /** What is said later may fail: then the rest stands. */
  #ask(more: (() => ToolCallEnd) | undefined): ToolCallEnd {
    try {
      return more?.() ?? {};
    } catch (error) {
      this.#observer.refuse("a part of a tool call", error);
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
    { metadata, details, recordedAt }: InFlight,
    durationMs: number,
    end: () => ToolCallEnd,
  ): void {
    const begunAt = Bun.nanoseconds();
    let line: string | undefined;
    try {
      const call = toEndedCall(
        metadata,
        details,
        { durationMs, ...knownFields(end()) },
        this.#config,
      );
      line = encodeCall(id, recordedAt, call);
    } catch (error) {
      this.#observer.refuse("the end of a tool call", error);
    }
    this.#calls.delete(id);
    this.#observer.accept(id, line);
    this.#observer.took(Bun.nanoseconds() - begunAt);
  }
}
