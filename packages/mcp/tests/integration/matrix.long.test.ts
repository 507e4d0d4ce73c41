/** Every kind of server, over every transport, in every era that its SDK serves, through every outcome. */
import { describe, expect, test } from "bun:test";
import { ledger } from "../support/ledger.ts";
import { PLACES, type Place } from "../support/places.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";
import { Conversation, converse, expectedCalls } from "../support/transcript.ts";

async function conversation(place: Place, path?: string): Promise<readonly string[]> {
  const server = await place.serve(path);
  const wire = await server.connect();
  const seen = [...(await converse(wire, place.era))];
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

  test("a call that is withdrawn is recorded as cancelled, and one that took too long as timed out", async () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    const server = await place.serve(path);
    const wire = await server.connect();
    const client = new Conversation(wire, place.era);
    await client.begin();
    if (place.cancel === "notification") {
      for (const [id, reason] of [
        [20, "the user pressed stop"],
        [21, "McpError: MCP error -32001: Request timed out"],
        [22, "SdkError: Request timed out"],
      ] as const) {
        await client.callWait(id);
        client.cancel(id, reason);
      }
      await client.call("last", "echo", { arguments: { text: "hi" } });
    }
    await client.callWait(23);
    await wire.disconnect();
    await server.close();
    const ended = ledger(path).calls.filter(({ toolName }) => toolName === "wait");
    const told = ended.map(
      ({ status, errorType, errorMessage, requestId }) =>
        `${requestId} ${status} ${errorType ?? "-"} ${errorMessage ?? "-"}`,
    );
    const cancelled = [
      "20 cancelled - the user pressed stop",
      "21 timeout - McpError: MCP error -32001: Request timed out",
      "22 timeout - SdkError: Request timed out",
    ];
    expect(told).toEqual([
      ...(place.cancel === "notification" ? cancelled : []),
      `23 ${place.disconnect} -`,
    ]);
    for (const call of ended.slice(0, 3)) expect(call.durationMs).toBeGreaterThan(0);
  });

  test("two clients at once, with the same request ids, are told apart", async () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    const server = await place.serve(path);
    const clients = await Promise.all(
      ["one", "two"].map(async (name) => {
        const wire = await server.connect();
        return { name, wire, talk: new Conversation(wire, place.era, name) };
      }),
    );
    await Promise.all(clients.map(({ talk }) => talk.begin()));
    for (const id of [0, 1, 2]) {
      const call = { arguments: { text: "x".repeat(10) } };
      const other = { arguments: { text: "x".repeat(20) } };
      await Promise.all(
        clients.map(({ talk, name }) => talk.call(id, "echo", name === "one" ? call : other)),
      );
    }
    for (const { wire } of clients) await wire.disconnect();
    await server.close();
    const { calls, sessions } = ledger(path);
    const name = (known: string | null) => (place.isAnonymous ? "?" : known);
    const told = calls.map(
      (call) => `${name(call.clientName)} ${call.requestId} ${call.inputBytes}`,
    );
    const expected = [0, 1, 2].flatMap((id) => [
      `${name("one")} ${id} 21`,
      `${name("two")} ${id} 31`,
    ]);
    expect(told.toSorted()).toEqual(expected.toSorted());
    expect(sessions).toHaveLength(place.session === "none" ? 0 : 2);
  });
});
