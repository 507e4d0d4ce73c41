import type { FlushResult, TelemetryStats } from "@toolmeter/core";
import type { BoundedMap } from "../protocol/bounded-map.ts";
import type { Destination } from "../protocol/destination.ts";
import type { TargetState } from "../protocol/target-state.ts";

/** Number of targets whose counts a service keeps. */
export const MAX_TARGETS = 100;

export interface ServiceState {
  readonly path: string | undefined;
  readonly isRecording: boolean;
  readonly stats: TelemetryStats | undefined;
  readonly error: string | undefined;
  readonly unrecorded: number;
}

/** Where targets are recorded. */
export interface Service extends Destination {
  /** The state of each target that records here, by name. */
  readonly targets: BoundedMap<string, TargetState>;
  /** The file, the counts of records, and the error if the file cannot be opened. */
  readonly state: ServiceState;
  /** Writes all records so far. Never rejects. */
  flush(): Promise<FlushResult>;
  /** Writes all records, and closes the file if it is ours. Never rejects. */
  shutdown(): Promise<FlushResult>;
}
