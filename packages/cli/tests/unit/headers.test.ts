import { expect, test } from "bun:test";
import { connectionOptions, endToEnd, valuesOf } from "../../src/record/headers.ts";

test("headers of the connection stop here, and so do those that Connection names", () => {
  const raw = Object.entries({
    Connection: "close, X-Hop",
    "X-Hop": "1",
    "Keep-Alive": "timeout=9",
    "Transfer-Encoding": "chunked",
    Upgrade: "websocket",
    TE: "trailers",
    "X-Kept": "2",
  }).flat();
  expect(endToEnd(raw)).toEqual([["X-Kept", "2"]]);
});

test("the rest keeps its spelling, its order and its repetitions", () => {
  const raw = ["sEt-cOOkie", "a", "X-B", "1", "Set-Cookie", "b"];
  expect(endToEnd(raw)).toEqual([
    ["sEt-cOOkie", "a"],
    ["X-B", "1"],
    ["Set-Cookie", "b"],
  ]);
});

test("the length of the body passes even if Connection names it", () => {
  expect(endToEnd(["Connection", "Content-Length", "Content-Length", "5"])).toEqual([
    ["Content-Length", "5"],
  ]);
});

test("reads all values of a header, in any spelling", () => {
  const raw = ["connection", "Keep-Alive , x", "CONNECTION", "close"];
  expect(valuesOf(raw, "connection")).toEqual(["Keep-Alive , x", "close"]);
  expect(connectionOptions(raw)).toEqual(["keep-alive", "x", "close"]);
  expect(connectionOptions([])).toEqual([]);
});
