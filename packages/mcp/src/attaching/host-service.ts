import type { FlushResult, TelemetryService } from "@toolmeter/core";
import { BoundedMap } from "../protocol/bounded-map.ts";
import type { TargetState } from "../protocol/target-state.ts";
import { MAX_TARGETS, type Service, type ServiceState } from "./service.ts";

/** A `TelemetryService` of the host's own: it is recorded into and never shut down. */
class HostService implements Service {
  readonly targets = new BoundedMap<string, TargetState>(MAX_TARGETS);
  readonly #telemetry: TelemetryService;

  constructor(telemetry: TelemetryService) {
    this.#telemetry = telemetry;
  }

  get telemetry(): TelemetryService | undefined {
    return this.#telemetry.isEnabled ? this.#telemetry : undefined;
  }

  open(): TelemetryService | undefined {
    return this.telemetry;
  }

  missed(): void {
    // Recording is switched off.
  }

  get state(): ServiceState {
    const { isEnabled, stats } = this.#telemetry;
    return { path: undefined, isRecording: isEnabled, stats, error: undefined, unrecorded: 0 };
  }

  flush(): Promise<FlushResult> {
    return this.#telemetry.flush();
  }

  shutdown(): Promise<FlushResult> {
    return this.#telemetry.flush();
  }
}

const services = new WeakMap<TelemetryService, HostService>();

/** The service that stands for one of the host's own: always the same one. */
export function hostService(telemetry: TelemetryService): Service {
  const found = services.get(telemetry);
  if (found) return found;
  const made = new HostService(telemetry);
  services.set(telemetry, made);
  return made;
}
