import { expect, test } from "bun:test";
import { parseMessage } from "../../../src/protocol/message.ts";

test.each([
  ['{"jsonrpc":"2.0","id":1}', { jsonrpc: "2.0", id: 1 }],
  ['\uFEFF{"jsonrpc":"2.0","id":1}', { jsonrpc: "2.0", id: 1 }],
  ['[{"jsonrpc":"2.0"}]', [{ jsonrpc: "2.0" }]],
  ['{"jsonrpc":"2.0"', undefined],
  ['{"id":1}', undefined],
  ["Listening …", undefined],
  ["", undefined],
])("%p", (text, message) => {
  expect(parseMessage(text)).toEqual(message);
});
