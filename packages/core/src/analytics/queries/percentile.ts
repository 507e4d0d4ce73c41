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
  const length = sum(all.map((samples) => samples.length));
  if (length === 0) return null;
  // https://en.wikipedia.org/wiki/Percentile#The_nearest-rank_method, ranks from 1.
  const rank = Math.max(1, Math.ceil((percent / 100) * length));
  const [only, second] = chunks;
  return second === undefined ? (only?.[rank - 1] ?? null) : atRank(chunks, rank);
}

/** The numbers of a sorted chunk that the answer may still be among: from `low`, before `high`. */
interface Candidates {
  readonly chunk: Float64Array;
  low: number;
  high: number;
}

/**
 * Quickselect over sorted chunks (https://en.wikipedia.org/wiki/Quickselect). Only compares numbers: a mean of two
 * neighbouring numbers is one of them again, so halving an interval of values may never end.
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

/** How many numbers of the chunk come before the first candidate that is not `isBefore`. */
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
