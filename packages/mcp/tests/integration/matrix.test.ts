/** Every kind of server, over every transport, in every era that its SDK serves, through every outcome. */
import { describe, expect, test } from "bun:test";
import { ledger } from "../support/ledger.ts";
import { PLACES, type Place } from "../support/places.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { converse, expectedCalls } from "../support/transcript.ts";

async function conversation({ serve, era }: Place, path?: string): Promise<readonly string[]> {
  const server = await serve(path);
  const wire = await server.connect();
  const seen = [...(await converse(wire, era))];
  await wire.disconnect();
  await server.close();
  return seen;
}

describe.each(PLACES.map((place) => [place.name, place] as const))("%s", (_name, place) => {
  test("every call is recorded, and the client sees what it sees without us", async () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    const plain = await conversation(place);
    const instrumented = await conversation(place, path);
    expect(instrumented).toEqual([...plain]);
    expect(plain.length).toBeGreaterThan(13);

    const { calls, sessions, lines } = ledger(path);
    expect(lines).toEqual([...expectedCalls(place.kind)]);
    for (const call of calls) {
      expect(call).toMatchObject({
        serverName: "test-server",
        serverVersion: "1.2.3",
        protocolVersion: place.era,
        transport: place.transport,
        ...(!place.isAnonymous && { clientName: "test-client", clientVersion: "9.9" }),
      });
      expect(call.sessionId).toBe(sessions[0]?.id ?? null);
    }
    expect(sessions.map(({ kind }) => kind)).toEqual(
      place.session === "none" ? [] : [place.session],
    );
    const [first, second] = calls;
    expect(second).toMatchObject({
      traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
      parentSpanId: "00f067aa0ba902b7",
      argumentHash: first?.argumentHash,
      inputBytes: 13,
    });
    const large = calls.find(({ toolName }) => toolName === "large");
    expect(large).toMatchObject({ outputTokens: 250_000, outputContentTypes: { text: 1 } });
    expect(large?.outputBytes).toBeGreaterThan(1_000_000);
    expect(first?.definitionHash).toMatch(/^[\da-f]{32}$/);
  });
});
