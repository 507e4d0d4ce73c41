import { type Outcome, run } from "./run.ts";

/** Runs TypeScript in a process of its own, to its natural end. */
export function runScript(script: string): Promise<Outcome> {
  return run([process.execPath, "-e", script]);
}

/** A room of the core as the specifier of an import in such a script, quotes included. */
export function specifier(room: string): string {
  return JSON.stringify(
    Bun.fileURLToPath(new URL(`../../src/analytics/${room}.ts`, import.meta.url)),
  );
}
