interface FollowedCall {
  readonly line: string;
  /** Whether the current segment contains this line or an earlier line of the same call. */
  isOnDisk: boolean;
}

/** The newest line of each call in flight, bounded by their total length. */
export class FollowedCalls {
  readonly #maxLength: number;
  readonly #calls = new Map<string, FollowedCall>();
  /** Ids of the calls whose newest line is not on disk. */
  readonly #unwritten = new Set<string>();
  #length = 0;

  /** @param maxLength Characters of all lines together. */
  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  /**
   * Stores the line of a call and replaces an earlier one. If there is no room for it, returns `false` and changes
   * nothing.
   */
  follow(id: string, line: string): boolean {
    const earlier = this.#calls.get(id);
    const length = this.#length + line.length - (earlier?.line.length ?? 0);
    if (length > this.#maxLength) return false;
    this.#length = length;
    this.#calls.set(id, { line, isOnDisk: earlier?.isOnDisk ?? false });
    this.#unwritten.add(id);
    return true;
  }

  forget(id: string): void {
    const call = this.#calls.get(id);
    if (!call) return;
    this.#length -= call.line.length;
    this.#calls.delete(id);
    this.#unwritten.delete(id);
  }

  isOnDisk(id: string): boolean {
    return this.#calls.get(id)?.isOnDisk === true;
  }

  isUnwritten(id: string): boolean {
    return this.#unwritten.has(id);
  }

  get lines(): readonly string[] {
    return [...this.#calls.values()].map(({ line }) => line);
  }

  /**
   * Passes each line that is not on disk to `write`, until it returns `false`. Returns whether any line was written.
   */
  writeEach(write: (line: string) => boolean): boolean {
    let hasWritten = false;
    for (const id of this.#unwritten) {
      const call = this.#calls.get(id);
      if (!call || !write(call.line)) break;
      hasWritten = true;
      call.isOnDisk = true;
      this.#unwritten.delete(id);
    }
    return hasWritten;
  }

  /** Marks all lines as on disk, after a new segment was written with all of them. */
  wroteAll(): void {
    for (const call of this.#calls.values()) call.isOnDisk = true;
    this.#unwritten.clear();
  }

  /** Marks all lines as not on disk, after the current segment was removed. */
  lostAll(): void {
    for (const [id, call] of this.#calls) {
      call.isOnDisk = false;
      this.#unwritten.add(id);
    }
  }
}
