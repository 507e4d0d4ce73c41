import { readFileHeader } from "./header.ts";
import { contentOf, identityOf, statFile } from "./identity.ts";

/** How long a file must stay unchanged before it counts as completely written, in milliseconds. */
const STABLE_MS = 100;
/** The same for a file without a header, or shorter than its header requires: a backup may still be copied there. */
const INCOMPLETE_MS = 500;
const POLL_MS = 25;
const LIMIT_MS = 3_000;

/**
 * Waits until nothing is writing to a file, such as a backup being copied there. Returns false if it still changes
 * after 3 s.
 */
export async function untilStable(path: string): Promise<boolean> {
  const steps = stabilising(path);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    await Bun.sleep(POLL_MS);
  }
}

/** Waits like `untilStable`, but blocks the thread; for opening a file. */
export function untilStableSync(path: string): boolean {
  const steps = stabilising(path);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    Bun.sleepSync(POLL_MS);
  }
}

/** Yields whenever the caller should pause before the next check. */
function* stabilising(path: string): Generator<void, boolean> {
  const startedAt = performance.now();
  let before = fingerprint(path);
  let sameSince = startedAt;
  for (let now = startedAt; now < startedAt + LIMIT_MS; now = performance.now()) {
    const sameMs = now - sameSince;
    if (sameMs >= INCOMPLETE_MS || (sameMs >= STABLE_MS && isComplete(path))) return true;
    yield;
    const found = fingerprint(path);
    if (found !== before) sameSince = performance.now();
    before = found;
  }
  return false;
}

function fingerprint(path: string): string | undefined {
  const found = statFile(path);
  return found && identityOf(found) + contentOf(found);
}

/** Whether a file has all the pages that its header declares. */
function isComplete(path: string): boolean {
  try {
    const length = readFileHeader(path)?.length ?? 0;
    return length > 0 && BigInt(length) <= (statFile(path)?.size ?? 0n);
  } catch {
    return false;
  }
}
