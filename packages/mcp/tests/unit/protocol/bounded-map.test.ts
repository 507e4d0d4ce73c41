import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { BoundedMap } from "../../../src/protocol/bounded-map.ts";

test("keeps the entries that were set last, as many as its limit", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.array(fc.nat(8)), (limit, keys) => {
      const map = new BoundedMap<number, number>(limit);
      for (const [index, key] of keys.entries()) map.set(key, index);
      const latest = [...new Set(keys.toReversed())];
      const kept = latest.slice(0, limit);
      expect(map.size).toBe(kept.length);
      for (const key of latest)
        expect(map.get(key)).toBe(kept.includes(key) ? keys.lastIndexOf(key) : undefined);
    }),
  );
});
