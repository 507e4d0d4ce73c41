/** Maximum length of a chunk. */
const CHUNK_LENGTH = 16_384;

/** Collects numbers for percentiles, 8 bytes each. Chunks are sorted in place and never merged. */
export class Samples {
  readonly #full: Float64Array[] = [];
  #chunk = new Float64Array(64);
  /** Number of values in the last chunk. */
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

  /** Returns the non-empty chunks, each in ascending order; valid until the next `add`. */
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
 * Returns the nearest-rank percentile of all samples together: the smallest sample that at least `percent` % of the
 * samples do not exceed. `null` without samples.
 */
export function percentileOf(all: readonly Samples[], percent: number): number | null {
  const chunks = all.flatMap((samples) => samples.sortedChunks());
  const length = sum(all.map((samples) => samples.length));
  if (length === 0) return null;
  // https://en.wikipedia.org/wiki/Percentile#The_nearest-rank_method; ranks start at 1.
  const rank = Math.max(1, Math.ceil((percent / 100) * length));
  const [only, second] = chunks;
  return second === undefined ? (only?.[rank - 1] ?? null) : atRank(chunks, rank);
}

/** The numbers of a sorted chunk that may still be the result: from index `low` to before `high`. */
interface Candidates {
  readonly chunk: Float64Array;
  low: number;
  high: number;
}

/**
 * Quickselect over sorted chunks (https://en.wikipedia.org/wiki/Quickselect). It picks pivots from the samples;
 * bisecting an interval of values might never end, because the mean of two adjacent floats is one of them.
 */
function atRank(chunks: readonly Float64Array[], rank: number): number {
  const all = chunks.map((chunk): Candidates => ({ chunk, low: 0, high: chunk.length }));
  for (;;) {
    const pivot = middleOfWidest(all);
    const below = all.map((candidates) => search(candidates, (number) => number < pivot));
    if (rank <= sum(below)) {
      for (const [index, candidates] of all.entries()) candidates.high = below[index] ?? 0;
      continue;
    }
    const upTo = all.map((candidates) => search(candidates, (number) => number <= pivot));
    if (rank <= sum(upTo)) return pivot;
    for (const [index, candidates] of all.entries()) candidates.low = upTo[index] ?? 0;
  }
}

function middleOfWidest(all: readonly Candidates[]): number {
  const { chunk, low, high } = all.reduce((widest, each) =>
    each.high - each.low > widest.high - widest.low ? each : widest,
  );
  return chunk[(low + high) >>> 1] ?? 0;
}

/** Returns the index of the first candidate for which `isBefore` is false; `high` if there is none. */
function search({ chunk, low, high }: Candidates, isBefore: (number: number) => boolean): number {
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBefore(chunk[middle] ?? Number.POSITIVE_INFINITY)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
