import { expect, spyOn, test } from "bun:test";
import { TelemetryService, createAnalyticsDb, sessions } from "@toolmeter/core";
import { Session } from "../../../src/protocol/session.ts";

async function recorded(use: (telemetry: TelemetryService) => void) {
  using db = createAnalyticsDb(":memory:");
  const telemetry = new TelemetryService(db);
  use(telemetry);
  await telemetry.flush();
  return db.select().from(sessions).all();
}

test("the session of the transport, else the conversation", async () => {
  let transportsId: string | undefined;
  const session = new Session(() => transportsId);
  const rows = await recorded((telemetry) => {
    const details = () => ({ clientName: "client" });
    expect(session.open(telemetry, false, details)).toBe(session.conversationId);
    expect(session.open(telemetry, false, details)).toBe(session.conversationId);
    transportsId = "s1";
    expect(session.open(telemetry, true, details)).toBe("s1");
    session.end(telemetry, "closed");
  });
  expect(rows).toMatchObject([
    { id: session.conversationId, kind: "connection", clientName: "client", endReason: null },
    { id: "s1", kind: "session", clientName: "client", endReason: "closed" },
  ]);
});

test("a call that stands alone has no session", async () => {
  const session = new Session(undefined);
  const rows = await recorded((telemetry) => {
    expect(session.open(telemetry, true, () => ({}))).toBeUndefined();
    session.end(telemetry, "closed");
  });
  expect(rows).toEqual([]);
});

test("a session is opened again in another service", async () => {
  const session = new Session(undefined);
  for (let service = 1; service <= 2; service++) {
    const rows = await recorded((telemetry) => session.open(telemetry, false, () => ({})));
    expect(rows).toMatchObject([{ id: session.conversationId, kind: "connection" }]);
  }
});

test("a session does not end in a service where it is not open", async () => {
  const session = new Session(undefined);
  await recorded((telemetry) => session.open(telemetry, false, () => ({})));
  await recorded((other) => {
    const endSession = spyOn(other, "endSession");
    session.end(other, "closed");
    expect(endSession).not.toHaveBeenCalled();
  });
});
