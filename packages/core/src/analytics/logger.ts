/** Where the service reports. `console`, pino and most loggers are one as they are. */
export interface Logger {
  debug(message: string): unknown;
  info(message: string): unknown;
  warn(message: string): unknown;
  error(message: string): unknown;
}

/** Warnings and errors on stderr; the rest nowhere. In a stdio server stdout belongs to the protocol. */
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
 * The same logger, but it never throws, and a promise that it returns never rejects unhandled. Of `console`,
 * all goes to stderr: its `debug` and `info` would write into the protocol.
 */
export function containLogger(given: Logger): Logger {
  const logger = given === console ? stderrConsole : given;
  const contain = (level: keyof Logger) => (message: string) => {
    try {
      const returned = logger[level](message);
      if (returned instanceof Promise) returned.catch(() => undefined);
    } catch {
      // There is nowhere left to report to.
    }
  };
  return {
    debug: contain("debug"),
    info: contain("info"),
    warn: contain("warn"),
    error: contain("error"),
  };
}
