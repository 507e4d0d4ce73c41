/** Numbers of a chunk at most. */
const CHUNK_LENGTH = 16_384;

/** Numbers that arrive one by one and are asked for by rank. Eight bytes each: chunks are sorted in place, never merged. */
export class Samples {
  readonly #full: Float64Array[] = [];
  #chunk = new Float64Array(64);
  /** Numbers in the last chunk. */
  #filled = 0;
  #length = 0;
  #isSorted = true;

  get length(): number {
    return this.#length;
  }

  add(value: number): void {
    if (this.#filled === this.#chunk.length) this.#grow();
    this.#chunk[this.#filled] = value;
    this.#filled += 1;
    this.#length += 1;
    this.#isSorted = false;
  }

  /** The chunks, each ascending and with numbers in it; valid until the next `add`. */
  sortedChunks(): readonly Float64Array[] {
    const last = this.#filled === 0 ? [] : [this.#chunk.subarray(0, this.#filled)];
    const chunks = [...this.#full, ...last];
    if (!this.#isSorted) for (const chunk of chunks) chunk.sort();
    this.#isSorted = true;
    return chunks;
  }

  #grow(): void {
    if (this.#filled < CHUNK_LENGTH) {
      const chunk = new Float64Array(this.#filled * 4);
      chunk.set(this.#chunk);
      this.#chunk = chunk;
      return;
    }
    this.#full.push(this.#chunk);
    this.#chunk = new Float64Array(CHUNK_LENGTH);
    this.#filled = 0;
  }
}

/**
 * The percentile of all samples together by nearest rank: a number that really occurred, of which `percent` % of the
 * numbers are no larger. Null without samples.
 */
export function percentileOf(all: readonly Samples[], percent: number): number | null {
  const chunks = all.flatMap((samples) => samples.sortedChunks());
  const length = all.reduce((sum, samples) => sum + samples.length, 0);
  if (length === 0) return null;
  // https://en.wikipedia.org/wiki/Percentile#The_nearest-rank_method, ranks from 1.
  const rank = Math.max(1, Math.ceil((percent / 100) * length));
  const [only, second] = chunks;
  return second === undefined ? (only?.[rank - 1] ?? null) : atRank(chunks, rank);
}

/** Halves the interval of values between two numbers that occur, until nothing is in between. */
function atRank(chunks: readonly Float64Array[], rank: number): number {
  let lower = Math.min(...chunks.map((chunk) => chunk[0] ?? 0));
  if (countUpTo(chunks, lower) >= rank) return lower;
  let upper = Math.max(...chunks.map((chunk) => chunk.at(-1) ?? 0));
  // Fewer than `rank` are up to `lower`, and at least `rank` up to `upper`.
  for (;;) {
    const middle = lower + (upper - lower) / 2;
    if (countUpTo(chunks, middle) >= rank) {
      const largest = chunks.map((chunk) => chunk[countOf(chunk, middle) - 1] ?? lower);
      upper = Math.max(...largest);
    } else {
      const next = chunks.map((chunk) => chunk[countOf(chunk, middle)] ?? upper);
      lower = Math.min(...next);
      if (countUpTo(chunks, lower) >= rank) return lower;
    }
  }
}

function countUpTo(chunks: readonly Float64Array[], limit: number): number {
  return chunks.reduce((sum, chunk) => sum + countOf(chunk, limit), 0);
}

/** How many of the sorted numbers are no larger than the limit. */
function countOf(chunk: Float64Array, limit: number): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((chunk[middle] ?? Number.POSITIVE_INFINITY) <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
