import { closeSync, openSync } from "node:fs";
import { devNull } from "node:os";

/** A command that runs another one with at most `limit` descriptors. Not on Windows. */
export function withDescriptors(limit: number, command: readonly string[]): readonly string[] {
  return ["sh", "-c", `ulimit -n ${limit}; exec "$0" "$@"`, ...command];
}

/** Takes all descriptors of this process but `left`. Returns how to free them. */
export function takeDescriptors(left: number): () => void {
  const taken: number[] = [];
  const free = (count: number) => {
    for (const descriptor of taken.splice(0, count)) closeSync(descriptor);
  };
  try {
    for (;;) taken.push(openSync(devNull, "r"));
  } catch {
    free(left);
  }
  return () => free(Infinity);
}
