import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { boundedCopy } from "../../../../src/analytics/records/bounded-copy.ts";
import { toJsonText } from "../../../../src/analytics/records/json.ts";

const LIMITS = { nodes: 1_000, characters: 10_000 };

/** Counts how often a value lets its code run. */
class Counter {
  calls = 0;

  /** An object whose properties are getters. */
  object(parts: Record<string, unknown>): object {
    const getters = Object.entries(parts).map(([key, part]) => {
      const get = () => {
        this.calls += 1;
        return part;
      };
      return [key, { enumerable: true, get }] as const;
    });
    return Object.defineProperties({}, Object.fromEntries(getters));
  }

  json(make: () => unknown): object {
    return {
      toJSON: () => {
        this.calls += 1;
        return make();
      },
    };
  }

  /** Fails the test's count if anything at all is asked of it. */
  proxy(target: object): object {
    const trap = () => {
      this.calls += 1;
      throw new Error("a trap ran");
    };
    const traps = Object.fromEntries(
      Object.getOwnPropertyNames(Reflect).map((name) => [name, trap] as const),
    );
    return new Proxy(target, traps);
  }
}

/** `levels` objects, each of which holds the next twice. */
function doubling(levels: number, double: (part: unknown) => unknown): unknown {
  let value: unknown = 1;
  for (let i = 0; i < levels; i++) value = double(value);
  return value;
}

describe("boundedCopy() visits no more values than its limit", () => {
  test("of shared references", () => {
    const counter = new Counter();
    const copy = boundedCopy(
      doubling(40, (part) => counter.object({ a: part, b: part })),
      LIMITS,
    );
    expect(copy.isWhole).toBe(false);
    expect(counter.calls).toBeWithin(100, LIMITS.nodes + 1);
  });

  test("of objects that toJSON() makes anew, for ever and in pairs", () => {
    const counter = new Counter();
    const fresh = (): object => counter.json(() => [fresh(), fresh()]);
    expect(() => boundedCopy(fresh(), LIMITS)).not.toThrow();
    expect(counter.calls).toBeWithin(100, LIMITS.nodes + 1);
  });

  test("of a toJSON() that returns itself", () => {
    const counter = new Counter();
    const self: object = counter.json(() => self);
    expect(boundedCopy(self, LIMITS).value).toEqual({});
    expect(counter.calls).toBe(1);
  });

  test("of a list that grows while it is read", () => {
    const list: unknown[] = [];
    let calls = 0;
    const item = {
      toJSON: () => {
        calls += 1;
        list.push(item);
        return null;
      },
    };
    list.push(item);
    expect(boundedCopy(list, LIMITS)).toEqual({ value: [null], length: 6, isWhole: true });
    expect(calls).toBe(1);
  });

  test("of a sparse list, without a step for each hole", () => {
    const holes: unknown[] = [];
    holes.length = 100_000_000;
    const { value, isWhole } = boundedCopy(holes, LIMITS);
    expect(isWhole).toBe(false);
    expect(value).toEqual(Array.from({ length: 999 }, () => null));
  });

  test("of properties that leave no text", () => {
    const counter = new Counter();
    const keys = Array.from({ length: 10_000 }, (_, i) => [`k${i}`, undefined] as const);
    boundedCopy(counter.object(Object.fromEntries(keys)), { nodes: 100, characters: 1e6 });
    expect(counter.calls).toBeWithin(1, 103);
  });

  test("of properties with names that are not enumerable, again and again", () => {
    const hidden = Object.defineProperties(
      { toJSON: undefined },
      Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`k${i}`, { value: 1 }])),
    );
    const { value } = boundedCopy(
      Array.from({ length: 1_000 }, () => hidden),
      LIMITS,
    );
    expect(value).toHaveLength(1);
  });

  test("of 100,000 integer keys", () => {
    const counter = new Counter();
    const value = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [i, 0] as const));
    Object.defineProperty(value, 999, {
      enumerable: true,
      get: () => {
        counter.calls += 1;
        return 0;
      },
    });
    expect(boundedCopy(value, { nodes: 100, characters: 1e6 }).isWhole).toBe(false);
    expect(counter.calls).toBe(0);
  });
});

describe("boundedCopy() does not look into", () => {
  const reason = ($unserializable: string) => ({ $unserializable });

  test("a proxy: none of its traps run", () => {
    const counter = new Counter();
    const inherits = Object.setPrototypeOf({ a: 1 }, counter.proxy({})) as object;
    const { value } = boundedCopy([counter.proxy({}), counter.proxy([]), 1], LIMITS);
    expect(value).toEqual([reason("a proxy"), reason("a proxy"), 1]);
    expect(boundedCopy({ f: counter.proxy(() => 1) }, LIMITS).value).toEqual({});
    expect(counter.calls).toBe(0);
    // Only its lookup of `toJSON`, as in `JSON.stringify`.
    expect(() => boundedCopy(inherits, LIMITS)).toThrow("a trap ran");
    expect(counter.calls).toBe(1);
  });

  test("an object with 100,000 properties", () => {
    const keys = Array.from({ length: 100_000 }, (_, i) => [`k${i}`, i] as const);
    const wide: unknown = Object.fromEntries(keys);
    const tooWide = reason("an object of more than 16384 properties");
    expect(boundedCopy([wide, 1], LIMITS).value).toEqual([tooWide, 1]);
    expect(boundedCopy([Object.create(wide as object), 1], LIMITS).value).toEqual([tooWide, 1]);
  });

  test("a bigint of a million digits", () => {
    const huge = 1n << 3_000_000n;
    const { value } = boundedCopy([huge, -huge, 2n ** 70n], LIMITS);
    const tooLong = reason("a bigint of more than 1000 digits");
    expect(value).toEqual([tooLong, tooLong, "1180591620717411303424"]);
  });

  test("a long text that was concatenated and is not joined yet", () => {
    const rope = doubling(26, (part) => `${String(part)}${String(part)}`);
    const { value } = boundedCopy([rope, 1], LIMITS);
    expect(value).toEqual([reason("a concatenated text of 67108864 characters"), 1]);
  });
});

test("getters and toJSON() run once per visit", () => {
  const counter = new Counter();
  const value = counter.object({ a: counter.object({ b: counter.json(() => "c") }), d: 1 });
  expect(toJsonText(value, 1_000)).toBe('{"a":{"b":"c"},"d":1}');
  expect(counter.calls).toBe(4);
});

test("toJSON() is given its key as JSON.stringify gives it", () => {
  const tell = { toJSON: (key: unknown) => `${typeof key} ${String(key)}` };
  const value = { a: tell, list: [tell], 7: tell };
  expect(toJsonText(value, 1_000)).toBe(JSON.stringify(value));
  expect(toJsonText(tell, 1_000)).toBe(JSON.stringify(tell));
});

test("what a program has put on the prototypes is neither copied nor asked", () => {
  const script = `
    const { toJsonText } = await import(${JSON.stringify(import.meta.resolve("../../../../src/analytics/records/json.ts"))});
    let calls = 0;
    Object.defineProperty(Object.prototype, "a", { set() { calls += 1; }, get: () => 1, configurable: true });
    Object.prototype.inherited = 2;
    process.stdout.write(toJsonText(JSON.parse('{"a":1,"__proto__":{"b":2}}'), 99) + calls);
  `;
  const { stdout } = Bun.spawnSync([process.execPath, "-e", script]);
  expect(stdout.toString()).toBe('{"a":1,"__proto__":{"b":2}}0');
});

test("no graph of objects, getters and toJSON() makes more than a bounded number of calls", () => {
  // Any object may hold any other, so that there are cycles, doublings and shared parts.
  const shape = fc.constantFrom("list", "getters", "json", "map", "wide");
  const edges = fc.array(fc.nat(19), { minLength: 1, maxLength: 6 });
  const graphs = fc.array(fc.tuple(shape, edges), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(graphs, (graph) => {
      const counter = new Counter();
      const parts: unknown[][] = graph.map(() => []);
      const nodes = graph.map(([kind], i) => {
        const part = parts[i] ?? [];
        if (kind === "list") return part;
        if (kind === "map") return new Map([[part, part]]);
        if (kind === "json") return counter.json(() => [...part]);
        if (kind === "wide")
          return Object.fromEntries(Array.from({ length: 50 }, (_, key) => [key, part]));
        return counter.object({ a: part, b: part });
      });
      for (const [i, [, targets]] of graph.entries()) {
        parts[i]?.push(...targets.map((target) => nodes[target % nodes.length]));
      }
      const text = toJsonText(nodes[0], 16_384) ?? "";
      expect(counter.calls).toBeLessThan(8_192);
      expect(text.length).toBeLessThanOrEqual(16_384);
      JSON.parse(text);
    }),
    { numRuns: Number(process.env["TOOLMETER_ROUNDS"] ?? 1) * 100 },
  );
});
