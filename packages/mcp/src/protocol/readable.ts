import { type BoundedCopy, boundedCopy } from "@toolmeter/core/bounded-copy";

/** Values read at most of arguments, a result or a definition. */
const MAX_NODES = 16_384;

/**
 * Arguments or a result as plain data, of which at most 16,384 values are read. Texts are not copied. Throws on what no
 * JSON can hold.
 */
export function readable(value: unknown, characters = Number.POSITIVE_INFINITY): BoundedCopy {
  return boundedCopy(value, { nodes: MAX_NODES, characters });
}
