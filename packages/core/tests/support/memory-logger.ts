import type { Logger } from "../../src/analytics/index.ts";

/** A logger that keeps what it is told, as `level: message`. */
export function memoryLogger() {
  const lines: string[] = [];
  const keep = (level: string) => (message: string) => lines.push(`${level}: ${message}`);
  return {
    lines,
    debug: keep("debug"),
    info: keep("info"),
    warn: keep("warn"),
    error: keep("error"),
  } satisfies Logger & { lines: string[] };
}
