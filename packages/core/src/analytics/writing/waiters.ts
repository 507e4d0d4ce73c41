/** Promises that wait for a count to be reached. */
export class Waiters<Result> {
  /** By rising target. */
  readonly #waiters: { readonly target: number; readonly resolve: (result: Result) => void }[] = [];

  /** Waits for `target`, which is not below that of an earlier waiter. */
  add(target: number): Promise<Result> {
    return new Promise((resolve) => this.#waiters.push({ target, resolve }));
  }

  /** Resolves those whose target `count` has reached. */
  reach(count: number, result: Result): void {
    while (this.#waiters[0] && this.#waiters[0].target <= count)
      this.#waiters.shift()?.resolve(result);
  }

  resolveAll(result: Result): void {
    for (const { resolve } of this.#waiters.splice(0)) resolve(result);
  }
}
