import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { Instrumentation, StdioObserver } from "../../../src/index.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";
import { ledger } from "../../support/ledger.ts";

const CALL = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "écho" } };
const ANSWER = { jsonrpc: "2.0", id: 1, result: { content: [] } };
const bytes = (message: object) => Buffer.from(`${JSON.stringify(message)}\n`);

function observed(path: string) {
  const instrumentation = new Instrumentation("command", { path });
  return { instrumentation, observer: new StdioObserver(instrumentation) };
}

test("records the calls in the bytes of both directions, however they are cut", async () => {
  using directory = temporaryDirectory();
  const path = directory.file("a.db");
  const { instrumentation, observer } = observed(path);
  for (const byte of bytes(CALL)) observer.observe("received", Uint8Array.of(byte));
  observer.observe("sent", Buffer.from("a line that is no message\n"));
  observer.observe("sent", bytes(ANSWER));
  await instrumentation.shutdown();
  expect(ledger(path).lines).toEqual(["écho success - 1"]);
  expect(ledger(path).calls).toMatchObject([{ transport: "stdio" }]);
});

test("a call without an answer is abandoned when the server ends", async () => {
  using directory = temporaryDirectory();
  const path = directory.file("a.db");
  const { instrumentation, observer } = observed(path);
  observer.observe("received", bytes(CALL));
  observer.closed("server_ended");
  await instrumentation.shutdown();
  expect(ledger(path).lines).toEqual(["écho abandoned server_ended 1"]);
  expect(ledger(path).sessions).toMatchObject([{ endReason: "server_ended" }]);
});

test("no file is made for a program that is no server", async () => {
  using directory = temporaryDirectory();
  const path = directory.file("a.db");
  const { instrumentation, observer } = observed(path);
  observer.observe("received", Buffer.from("hello\n{}\n"));
  observer.observe("sent", Buffer.from('{"id":1}\n'));
  observer.closed();
  await instrumentation.shutdown();
  expect(existsSync(path)).toBe(false);
  expect(instrumentation.report()).toMatchObject({ target: "command", connections: 0 });
});
