import { expect, test } from "bun:test";
import { PendingRequests } from "../../../src/protocol/pending-requests.ts";

test("ids of different types, and of different directions, are different", () => {
  const pending = new PendingRequests();
  pending.add("received", 0, { method: "number" });
  pending.add("received", "0", { method: "text" });
  pending.add("sent", 0, { method: "sent" });
  expect(pending.take("received", "0")?.method).toBe("text");
  expect(pending.take("received", 0)?.method).toBe("number");
  expect(pending.take("received", 0)).toBeUndefined();
  expect(pending.take("sent", 0)?.method).toBe("sent");
});

test("long ids that differ in their length only are different", () => {
  const pending = new PendingRequests();
  const id = "x".repeat(5_000);
  pending.add("received", id, { method: "short" });
  expect(pending.take("received", `${id}x`)).toBeUndefined();
  expect(pending.take("received", id)?.method).toBe("short");
});

test("an id that is used again replaces the request, which is returned", () => {
  const pending = new PendingRequests();
  expect(pending.add("received", 1, { method: "first" })).toBeUndefined();
  expect(pending.add("received", 1, { method: "second" })?.method).toBe("first");
  expect(pending.takeAll().map(({ method }) => method)).toEqual(["second"]);
  expect(pending.takeAll()).toEqual([]);
});

test("it is full at 10,000 requests, until one is taken", () => {
  const pending = new PendingRequests();
  for (let id = 0; id < 9_999; id++) pending.add("received", id, { method: "tools/call" });
  expect(pending.isFull).toBe(false);
  pending.add("received", 9_999, { method: "tools/call" });
  expect(pending.isFull).toBe(true);
  pending.take("received", 5_000);
  expect(pending.isFull).toBe(false);
});
