import { containLogger, errorMessage, stderrLogger } from "@toolmeter/core";
import { type InstrumentOptions, Instrumentation } from "./instrumentation.ts";
import { before, isTapped, markTapped, tap } from "./tap.ts";
import {
  type Protocol,
  headersOf,
  identityOf,
  isFactory,
  isTransport,
  kindOf,
  protocolOf,
  sdkOf,
  servesStdio,
  transportName,
} from "./target.ts";
import { standBack } from "./stand-back.ts";

const instrumentations = new WeakMap<object, Instrumentation>();

/**
 * Records every tool call that goes over a server's or client's transports; nothing that the other side sees
 * changes. Takes an `McpServer`, a `Server` or `Client` of SDK 1 or 2, a transport, or a function that makes
 * servers (for `serveStdio` and `createMcpHandler`), before or after tools are registered.
 *
 * Returns what it was given; of a function, one that does the same and instruments what it returns. To
 * instrument twice is to instrument once. Connect afterwards: of a connection that is open already, the
 * client's name is not known. Never throws; what it does not recognise it returns untouched, after a warning.
 */
export function instrument<Target>(target: Target, options?: InstrumentOptions): Target;
export function instrument(target: unknown, options: InstrumentOptions = {}): unknown {
  try {
    const kind = kindOf(target);
    if (kind !== undefined) {
      const protocol = protocolOf(target);
      return attach(target, new Instrumentation(kind, options, protocol && identityOf(protocol)));
    }
    warn(
      options,
      `Expected an McpServer, a Server, a Client, a transport or a function that makes servers, got ${describe(target)}. It is left alone, and nothing is recorded.`,
    );
  } catch (error) {
    warn(
      options,
      `Expected to instrument ${describe(target)}, but: ${errorMessage(error)}. It works as before, and nothing is recorded.`,
    );
  }
  return target;
}

function warn({ logger = stderrLogger }: InstrumentOptions, message: string): void {
  containLogger(logger).warn(message);
}

/** The handle of an instrumented target: `report()`, `flush()`, `shutdown()`. */
export function instrumentation(target: object): Instrumentation | undefined {
  return instrumentations.get(protocolOf(target) ?? target);
}

/** Makes the handle of a target known. */
export function register(target: object, made: Instrumentation): void {
  instrumentations.set(target, made);
}

function attach(target: unknown, made: Instrumentation): unknown {
  const protocol = protocolOf(target);
  if (protocol) attachToProtocol(protocol, made);
  else if (isTransport(target)) attachToTransport(target, made);
  else if (isFactory(target)) return isTapped(target) ? target : instrumentedFactory(target, made);
  return target;
}

function attachToProtocol(protocol: Protocol, made: Instrumentation): void {
  if (isTapped(protocol)) return;
  markTapped(protocol);
  register(protocol, made);
  before(protocol, "connect", (transport) => attachToTransport(transport, made, protocol));
  if (isTransport(protocol.transport)) attachToTransport(protocol.transport, made, protocol);
}

function attachToTransport(transport: unknown, made: Instrumentation, protocol?: Protocol): void {
  made.guard(() => {
    if (!isTransport(transport) || isTapped(transport)) return;
    if (!protocol) register(transport, made);
    if (servesStdio(transport)) standBack();
    const conversation = made.connect(
      {
        transport: transportName(transport),
        sessionId: () => transport.sessionId,
        identity: protocol ? identityOf(protocol) : {},
      },
      protocol && sdkOf(protocol),
    );
    tap(transport, {
      message: (direction, message, extra) =>
        conversation.observe(direction, message, headersOf(extra)),
      closed: () => conversation.closed(),
    });
  });
}

/** A function cannot be changed in place: this one calls it and instruments what it makes. */
function instrumentedFactory(
  factory: (...args: unknown[]) => unknown,
  made: Instrumentation,
): (...args: unknown[]) => unknown {
  const attachToProduct = (product: unknown): unknown => {
    const protocol = protocolOf(product);
    made.guard(() => {
      if (!protocol) throw new TypeError(`Expected a server, got ${describe(product)}`);
      attachToProtocol(protocol, made);
    });
    return product;
  };
  const wrapped = function (this: unknown, ...args: unknown[]): unknown {
    const product: unknown = Reflect.apply(factory, this, args);
    return product instanceof Promise ? product.then(attachToProduct) : attachToProduct(product);
  };
  for (const name of ["name", "length"])
    Object.defineProperty(wrapped, name, { value: Reflect.get(factory, name), configurable: true });
  markTapped(wrapped);
  register(wrapped, made);
  return wrapped;
}

function describe(value: unknown): string {
  if (typeof value === "function") return `the class ${value.name}`;
  if (typeof value !== "object" || value === null) return String(value);
  try {
    const constructor: unknown = Reflect.get(value, "constructor");
    return typeof constructor === "function" ? `an object of ${constructor.name}` : "an object";
  } catch {
    return "an object";
  }
}
