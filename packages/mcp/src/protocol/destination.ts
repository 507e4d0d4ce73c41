import type { TelemetryService } from "@toolmeter/core";

/** Where the records of conversations go. */
export interface Destination {
  /** The service to record into, opened if need be; undefined while recording is off or the file cannot be ours. */
  open(): TelemetryService | undefined;
  /** The service that is open; undefined if none is. */
  readonly telemetry: TelemetryService | undefined;
  /** Counts a call that started while there was no service. */
  missed(): void;
}
