/** Observes a transport in place: it remains the same object, with the same class and fields. */
import type { Direction } from "../protocol/message.ts";

/** The part of a transport that is used. Both SDKs share it. */
export interface Transport {
  start(): Promise<void>;
  send(message: unknown, ...rest: unknown[]): Promise<void>;
  close(): Promise<void>;
  onmessage?: ((message: unknown, ...rest: unknown[]) => unknown) | undefined;
  onclose?: ((...rest: unknown[]) => unknown) | undefined;
  readonly sessionId?: string | undefined;
}

/** Receives every message. Must not throw. */
export interface Listener {
  message(direction: Direction, message: unknown, extra: unknown): void;
  closed(): void;
}

const TAPPED = Symbol.for("toolmeter.tapped");

export function isTapped(target: object): boolean {
  return TAPPED in target;
}

/** Marks an object as instrumented, for all copies of this package. */
export function markTapped(target: object): void {
  Object.defineProperty(target, TAPPED, { value: true });
}

/** Calls the listener for each later message on the transport. Has no effect the second time. */
export function tap(transport: Transport, listener: Listener): void {
  if (isTapped(transport)) return;
  markTapped(transport);
  // Before it is sent: a client that has the answer can rely on the record.
  before(transport, "send", (message) => listener.message("sent", message, undefined));
  intercept(transport, "onmessage", (message, extra) =>
    listener.message("received", message, extra),
  );
  intercept(transport, "onclose", () => listener.closed());
}

/** Calls `listen` with the first argument before each call of a method of this object. */
export function before(target: object, name: string, listen: (first: unknown) => void): void {
  const original: unknown = Reflect.get(target, name);
  if (typeof original !== "function") return;
  Object.defineProperty(target, name, {
    value(this: unknown, ...args: unknown[]): unknown {
      listen(args[0]);
      return Reflect.apply(original, this, args);
    },
    configurable: true,
    writable: true,
    enumerable: Object.prototype.propertyIsEnumerable.call(target, name),
  });
}

/**
 * Calls `listen` before each call of the function that is assigned to a property.
 *
 * A protocol that connects chains the function it finds, so a wrapped function may be assigned again inside another
 * one; `serveStdio` overwrites it. So each function is wrapped when it is assigned, and only the outermost call is
 * passed to `listen`.
 */
function intercept(
  transport: Transport,
  name: "onmessage" | "onclose",
  listen: (first: unknown, second: unknown) => void,
): void {
  let depth = 0;
  const wrap = (handler: unknown) => {
    if (typeof handler !== "function") return handler;
    return function (this: unknown, ...rest: unknown[]): unknown {
      if (depth === 0) listen(rest[0], rest[1]);
      depth += 1;
      try {
        return Reflect.apply(handler, this, rest);
      } finally {
        depth -= 1;
      }
    };
  };
  const found = describe(transport, name);
  const hasAccessors = found?.set !== undefined;
  let current = wrap(transport[name]);
  if (hasAccessors) Reflect.set(transport, name, current);
  Object.defineProperty(transport, name, {
    configurable: true,
    enumerable: found?.enumerable ?? true,
    get: () => (hasAccessors ? found.get?.call(transport) : current),
    set: (handler: unknown) => {
      current = wrap(handler);
      if (hasAccessors) found.set?.call(transport, current);
    },
  });
}

function describe(target: object, name: string): PropertyDescriptor | undefined {
  const found = Object.getOwnPropertyDescriptor(target, name);
  if (found) return found;
  const prototype: object | null = Object.getPrototypeOf(target);
  return prototype ? describe(prototype, name) : undefined;
}
