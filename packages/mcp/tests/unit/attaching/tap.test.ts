import { describe, expect, test } from "bun:test";
import { type Transport, tap } from "../../../src/attaching/tap.ts";

class Plain implements Transport {
  onmessage: Transport["onmessage"];
  onclose: Transport["onclose"];
  readonly #sent: unknown[] = [];
  readonly start = () => Promise.resolve();
  readonly close = () => Promise.resolve();
  send(message: unknown): Promise<void> {
    // Private: whoever calls it must be the transport itself.
    this.#sent.push(message);
    return Promise.resolve();
  }
  get sent() {
    return this.#sent;
  }
}

/** Keeps its handler behind an accessor, as a transport may. */
class WithAccessor extends Plain {
  #handler: Transport["onmessage"];
  constructor() {
    super();
    Object.defineProperty(this, "onmessage", {
      get: () => this.#handler,
      set: (handler: Transport["onmessage"]) => {
        this.#handler = handler;
      },
      configurable: true,
    });
  }
}

describe.each([
  ["with plain properties", () => new Plain()],
  ["with accessors", () => new WithAccessor()],
])("a tap on a transport %s", (_name, make) => {
  function tapped() {
    const transport = make();
    const heard: string[] = [];
    const listener = {
      message: (direction: string, message: unknown) =>
        void heard.push(`${direction} ${String(message)}`),
      closed: () => void heard.push("closed"),
    };
    const before: string[] = [];
    transport.onmessage = (message) => before.push(`before ${String(message)}`);
    tap(transport, listener);
    tap(transport, listener);
    return { transport, heard, before };
  }

  test("hears each message once, also when handlers are chained and replaced", async () => {
    const { transport, heard, before } = tapped();
    transport.onmessage?.(1);
    // As a protocol does that is connected.
    const chained = transport.onmessage;
    transport.onmessage = (message, ...rest) => chained?.(message, ...rest);
    transport.onmessage(2);
    // As `serveStdio` does.
    transport.onmessage = () => undefined;
    transport.onmessage(3);
    await transport.send(4);
    transport.onclose = () => undefined;
    transport.onclose();
    expect(heard).toEqual(["received 1", "received 2", "received 3", "sent 4", "closed"]);
    expect(before).toEqual(["before 1", "before 2"]);
    expect(transport.sent).toEqual([4]);
  });

  test("lets errors, results and the absence of a handler through", () => {
    const { transport, heard } = tapped();
    transport.onmessage = () => {
      throw new RangeError("the host's own");
    };
    expect(() => transport.onmessage?.(1)).toThrow(new RangeError("the host's own"));
    transport.onmessage = (message) => message;
    expect(transport.onmessage(2)).toBe(2);
    transport.onmessage = undefined;
    expect(transport.onmessage).toBeUndefined();
    expect(heard).toEqual(["received 1", "received 2"]);
  });
});
