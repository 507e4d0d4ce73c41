import type { TelemetryService } from "@toolmeter/core";
import { type JsonObject, isObject } from "./message.ts";
import type { TargetState } from "./target-state.ts";

/** Tools of one listing that are read. */
const MAX_TOOLS = 1_000;

/** Characters of definitions that are read before the event loop has its turn. */
const MAX_LISTED = 262_144;

export interface ToolListingOptions {
  readonly target: TargetState;
  /** Where definitions are recorded. */
  readonly open: () => TelemetryService | undefined;
  /** Told the hashes of the definitions that were read. */
  readonly learned: (telemetry: TelemetryService | undefined, hashes: readonly string[]) => void;
  /** Runs the work that is done later. */
  readonly guard: (work: () => void) => void;
}

/** The tools of one conversation, as it listed them last. */
export class ToolListing {
  readonly #options: ToolListingOptions;
  /** The hash of the definition of each tool. */
  readonly #hashes = new Map<string, string>();

  constructor(options: ToolListingOptions) {
    this.#options = options;
  }

  /** The hash of a tool's definition: as listed here, else as listed to any other client of the target. */
  hashOf(toolName: string): string | undefined {
    return this.#hashes.get(toolName) ?? this.#options.target.definitionOf(toolName);
  }

  get hashes(): readonly string[] {
    return [...new Set(this.#hashes.values())];
  }

  /** Reads the answer to `tools/list`. */
  learn(result: JsonObject): void {
    const tools = Array.isArray(result["tools"]) ? result["tools"].slice(0, MAX_TOOLS) : [];
    this.#learn(tools.filter(isObject));
  }

  /** Reads a part of a long listing now, and the rest when others had their turn. */
  #learn(tools: readonly JsonObject[]): void {
    const { target, open, learned, guard } = this.#options;
    const telemetry = open();
    const hashes: string[] = [];
    let next = 0;
    for (let bytes = 0; next < tools.length && bytes < MAX_LISTED; next++)
      for (const definition of target.sawTools(tools.slice(next, next + 1), telemetry)) {
        bytes += definition.bytes;
        hashes.push(definition.hash);
        this.#hashes.set(definition.toolName, definition.hash);
      }
    if (next < tools.length) {
      const rest = tools.slice(next);
      setImmediate(() => guard(() => this.#learn(rest))).unref();
    }
    if (hashes.length > 0) learned(telemetry, hashes);
  }
}
