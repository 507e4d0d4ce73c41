import { expect, test } from "bun:test";
import { TelemetryService, createAnalyticsDb } from "@toolmeter/core";
import { hostService } from "../../../src/attaching/host-service.ts";

test("a host's service is always represented by the same one", async () => {
  using db = createAnalyticsDb(":memory:");
  await using one = new TelemetryService(db);
  await using other = new TelemetryService(db);
  expect(hostService(one)).toBe(hostService(one));
  expect(hostService(one)).not.toBe(hostService(other));
});

test("shutting it down writes what waits, and leaves the host's service running", async () => {
  using db = createAnalyticsDb(":memory:");
  await using telemetry = new TelemetryService(db);
  const service = hostService(telemetry);
  expect(service.open()).toBe(telemetry);
  for (const written of [1, 2]) {
    telemetry.recordToolCall({ toolName: "echo", durationMs: 1 });
    expect(await service.shutdown()).toEqual({ outcome: "written", remaining: 0 });
    expect(service.state).toMatchObject({ isRecording: true, unrecorded: 0, stats: { written } });
  }
});

test("a service that is switched off is not recorded into, and counts nothing as lost", async () => {
  using db = createAnalyticsDb(":memory:");
  await using telemetry = new TelemetryService(db, { enabled: false });
  const service = hostService(telemetry);
  expect(service.telemetry).toBeUndefined();
  expect(service.open()).toBeUndefined();
  service.missed();
  expect(service.state).toMatchObject({ isRecording: false, unrecorded: 0, error: undefined });
});
