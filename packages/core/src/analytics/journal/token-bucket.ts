const NANOSECONDS_PER_MS = 1_000_000;

/** Limits an action to `perMillisecond` times per millisecond on average, and to bursts of `burst` after a pause. */
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

  /** Takes a token. Returns false if there is none. */
  take(): boolean {
    const now = Bun.nanoseconds();
    const earned = ((now - this.#filledAt) / NANOSECONDS_PER_MS) * this.#perMillisecond;
    this.#filledAt = now;
    this.#tokens = Math.min(this.#burst, this.#tokens + earned);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
