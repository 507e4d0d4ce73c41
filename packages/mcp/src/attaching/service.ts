import type { FlushResult, TelemetryStats } from "@toolmeter/core";
import type { BoundedMap } from "../protocol/bounded-map.ts";
import type { Destination } from "../protocol/destination.ts";
import type { TargetState } from "../protocol/target-state.ts";

/** Targets that a service knows again, at most. */
export const MAX_TARGETS = 100;

export interface ServiceState {
  readonly path: string | undefined;
  readonly isRecording: boolean;
  readonly stats: TelemetryStats | undefined;
  readonly error: string | undefined;
  readonly unrecorded: number;
}

/** Where targets are recorded, and how much of it succeeds. */
export interface Service extends Destination {
  /** What is known of the targets that record here. */
  readonly targets: BoundedMap<string, TargetState>;
  /** Where records go, what became of them, and what is in the way. */
  readonly state: ServiceState;
  /** Writes what was recorded so far. Never rejects. */
  flush(): Promise<FlushResult>;
  /** Writes everything and closes what is ours. Never rejects. */
  shutdown(): Promise<FlushResult>;
}
