/** Receives the service's messages. `console`, pino and most other loggers have this interface. */
export interface Logger {
  debug(message: string): unknown;
  info(message: string): unknown;
  warn(message: string): unknown;
  error(message: string): unknown;
}

/** Logs warnings and errors to stderr and ignores the rest. In a stdio server, stdout belongs to the protocol. */
export const stderrLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: (message) => console.warn(`toolmeter: ${message}`),
  error: (message) => console.error(`toolmeter: ${message}`),
};

const stderrConsole: Logger = {
  debug: (message) => console.error(message),
  info: (message) => console.error(message),
  warn: (message) => console.warn(message),
  error: (message) => console.error(message),
};

/**
 * Wraps a logger so that it never throws and its promises never cause an unhandled rejection. For `console`, sends all
 * levels to stderr, because its `debug` and `info` would write into the protocol on stdout.
 */
export function containLogger(given: Logger): Logger {
  const logger = given === console ? stderrConsole : given;
  const contain = (level: keyof Logger) => (message: string) => {
    try {
      const returned = logger[level](message);
      if (returned instanceof Promise) returned.catch(() => undefined);
    } catch {
      // There is no other place to report to.
    }
  };
  return {
    debug: contain("debug"),
    info: contain("info"),
    warn: contain("warn"),
    error: contain("error"),
  };
}
