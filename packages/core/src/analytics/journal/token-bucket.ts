const NANOSECONDS = 1_000_000;

/** Allows an action `perMillisecond` times a millisecond in the long run, and `burst` times at once after a rest. */
export class TokenBucket {
  readonly #perMillisecond: number;
  readonly #burst: number;
  #tokens: number;
  #filledAt = Bun.nanoseconds();

  constructor(perMillisecond: number, burst: number) {
    this.#perMillisecond = perMillisecond;
    this.#burst = burst;
    this.#tokens = burst;
  }

  /** Takes a token, if there is one. */
  take(): boolean {
    const now = Bun.nanoseconds();
    const earned = ((now - this.#filledAt) / NANOSECONDS) * this.#perMillisecond;
    this.#filledAt = now;
    this.#tokens = Math.min(this.#burst, this.#tokens + earned);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
