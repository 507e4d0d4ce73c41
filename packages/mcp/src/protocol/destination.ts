import type { TelemetryService } from "@toolmeter/core";

/** Where conversations are recorded. */
export interface Destination {
  /** Returns the service, opened if necessary; undefined while recording is off or the file cannot be opened. */
  open(): TelemetryService | undefined;
  /** The open service; undefined if none is open. */
  readonly telemetry: TelemetryService | undefined;
  /** Counts a call that started without a service. */
  missed(): void;
}
