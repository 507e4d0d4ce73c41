/**
 * Waits until a condition holds. Looks every 5 ms.
 * @param timeoutMs A safety net, in milliseconds: a busy machine must not fail a test.
 * @throws Error with the condition's source if it does not hold in that time.
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
