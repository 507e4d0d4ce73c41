import { type BoundedCopy, boundedCopy } from "@toolmeter/core/bounded-copy";

/** Maximum number of values that are read from arguments, a result or a definition. */
const MAX_NODES = 16_384;

/**
 * Returns a value as plain data, cut after 16,384 values. Texts are not copied. Throws if the value cannot be written
 * as JSON.
 */
export function readable(value: unknown, characters = Number.POSITIVE_INFINITY): BoundedCopy {
  return boundedCopy(value, { nodes: MAX_NODES, characters });
}
