/** Promises that resolve when a count reaches their target. */
export class Waiters<Result> {
  /** In ascending order of their targets. */
  readonly #waiters: { readonly target: number; readonly resolve: (result: Result) => void }[] = [];

  /** Adds a waiter for `target`, which must not be below that of an earlier waiter. */
  add(target: number): Promise<Result> {
    return new Promise((resolve) => this.#waiters.push({ target, resolve }));
  }

  /** Resolves the waiters whose target is at most `count`. */
  reach(count: number, result: Result): void {
    while (this.#waiters[0] && this.#waiters[0].target <= count)
      this.#waiters.shift()?.resolve(result);
  }

  resolveAll(result: Result): void {
    for (const { resolve } of this.#waiters.splice(0)) resolve(result);
  }
}
