/** Numbers that arrive one by one and are asked for by rank. Eight bytes each. */
export class Samples {
  #values = new Float64Array(64);
  #length = 0;
  #isSorted = true;

  get length(): number {
    return this.#length;
  }

  add(value: number): void {
    if (this.#length === this.#values.length) {
      const grown = new Float64Array(this.#length * 2);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[this.#length] = value;
    this.#length += 1;
    this.#isSorted = false;
  }

  /** Ascending; valid until the next `add`. */
  sorted(): Float64Array {
    const values = this.#values.subarray(0, this.#length);
    if (!this.#isSorted) values.sort();
    this.#isSorted = true;
    return values;
  }

  /** The percentile by nearest rank: a value that really occurred, of which `percent` % are no larger. */
  percentile(percent: number): number | null {
    return this.sorted()[rankOf(percent, this.#length) - 1] ?? null;
  }
}

/** The percentile by nearest rank over several samples together, without a copy of them. */
export function percentileOf(all: readonly Samples[], percent: number): number | null {
  const arrays = all.map((samples) => samples.sorted()).filter(({ length }) => length > 0);
  const rank = rankOf(
    percent,
    arrays.reduce((sum, { length }) => sum + length, 0),
  );
  // Halves the interval of values; `upper` always occurs, and at least `rank` values are no larger.
  let lower = Math.min(...arrays.map((values) => values[0] ?? 0));
  let upper = Math.max(...arrays.map((values) => values.at(-1) ?? 0));
  if (arrays.length === 0) return null;
  if (countUpTo(arrays, lower) >= rank) return lower;
  for (;;) {
    const middle = lower + (upper - lower) / 2;
    if (countUpTo(arrays, middle) >= rank) {
      upper = Math.max(...arrays.map((values) => values[countOf(values, middle) - 1] ?? lower));
    } else {
      lower = Math.min(...arrays.map((values) => values[countOf(values, middle)] ?? upper));
      if (countUpTo(arrays, lower) >= rank) return lower;
    }
    if (upper <= lower) return upper;
  }
}

/** Nearest rank, from 1: https://en.wikipedia.org/wiki/Percentile#The_nearest-rank_method */
function rankOf(percent: number, length: number): number {
  return Math.max(1, Math.ceil((percent / 100) * length));
}

function countUpTo(arrays: readonly Float64Array[], limit: number): number {
  return arrays.reduce((sum, values) => sum + countOf(values, limit), 0);
}

/** How many of the sorted values are no larger than the limit. */
function countOf(values: Float64Array, limit: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] ?? Number.POSITIVE_INFINITY) <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
