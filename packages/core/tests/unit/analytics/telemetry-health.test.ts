import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { type AnalyticsDb, recorderHealth } from "../../../src/analytics/index.ts";
import { CALL, START, serviceOnSqlite } from "../../support/service.ts";

beforeEach(() => {
  jest.useFakeTimers({ now: START });
});

afterEach(() => {
  jest.useRealTimers();
});

describe("the recorder's health", () => {
  const health = (db: AnalyticsDb) => db.select().from(recorderHealth).all();

  test("is one row an hour, with the counts of that hour", async () => {
    const { db, telemetry } = serviceOnSqlite();
    telemetry.recordToolCall(CALL);
    telemetry.recordToolCall({ ...CALL, durationMs: -1 });
    await telemetry.flush();
    jest.advanceTimersByTime(20_000);
    telemetry.recordToolCall(CALL);
    await telemetry.flush();
    expect(health(db)).toMatchObject([
      { hourStartedAt: START, processId: process.pid, accepted: 2, written: 2, droppedInvalid: 1 },
    ]);
    jest.advanceTimersByTime(3_600_000);
    telemetry.recordToolCall(CALL);
    telemetry.endSession("nobody");
    await telemetry.flush();
    await telemetry.shutdown();
    expect(health(db)).toMatchObject([
      { hourStartedAt: START, accepted: 2 },
      { hourStartedAt: START + 3_600_000, accepted: 2, droppedInvalid: 0 },
    ]);
  });

  test("is not written with each batch, but with the last", async () => {
    const { db, telemetry } = serviceOnSqlite();
    telemetry.recordToolCall(CALL);
    await telemetry.flush();
    jest.advanceTimersByTime(9_000);
    telemetry.recordToolCall(CALL);
    await telemetry.flush();
    expect(health(db)).toMatchObject([{ accepted: 1 }]);
    telemetry.recordToolCall(CALL);
    await telemetry.shutdown();
    expect(health(db)).toMatchObject([{ accepted: 3, written: 3, queuePeak: 1 }]);
  });
});
