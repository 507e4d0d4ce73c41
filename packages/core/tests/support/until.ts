/** Waits until a condition holds; fails after `timeoutMs` milliseconds, by default 10,000. */
export async function until(holds: () => boolean, timeoutMs = 10_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`Expected to hold by now: ${String(holds)}`);
    await Bun.sleep(5);
  }
}
