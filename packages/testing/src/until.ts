/**
 * Waits until a condition holds. Checks it every 5 ms.
 * @param timeoutMs In milliseconds. The default is long, so that a busy machine does not fail a test.
 * @throws Error with the source of the condition if it does not hold in time.
 */
export async function until(
  holds: () => boolean | Promise<boolean>,
  timeoutMs = 30_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`Expected to hold by now: ${String(holds)}`);
    await Bun.sleep(5);
  }
}
