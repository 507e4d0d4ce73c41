import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  hashOfContent,
  hashOfShape,
  hashOfValue,
  shapeOf,
} from "../../../src/protocol/fingerprint.ts";

describe("shapeOf()", () => {
  test.each([
    [{ b: 1, a: "x" }, '{"a":string,"b":number}'],
    [{ list: [1, "a", 2, { x: null }] }, '{"list":[number|string|{"x":null}]}'],
    [[], "[]"],
    [undefined, "undefined"],
    [true, "boolean"],
  ])("%j is %s", (value, shape) => {
    expect(shapeOf(value)).toBe(shape);
  });

  test("is the same for other values and another order of keys", () => {
    expect(hashOfShape({ a: "secret", b: [1, 2] })).toBe(hashOfShape({ b: [9], a: "other" }));
    expect(hashOfShape({ a: "1" })).not.toBe(hashOfShape({ a: 1 }));
  });

  test("ends somewhere", () => {
    const wide = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`k${i}`, i]));
    expect(shapeOf(wide)).toContain("…");
    let deep: unknown = 1;
    for (let i = 0; i < 100; i++) deep = { deep };
    expect(shapeOf(deep)).toContain("…");
  });
});

describe("hashOfContent()", () => {
  test("does not depend on the order of keys, and on nothing else of its own", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const reversed = JSON.parse(JSON.stringify(value), (_key, part: unknown) =>
          typeof part === "object" && part !== null && !Array.isArray(part)
            ? Object.fromEntries(Object.entries(part).toReversed())
            : part,
        ) as unknown;
        expect(hashOfContent(reversed)).toBe(hashOfContent(JSON.parse(JSON.stringify(value))));
      }),
    );
    expect(hashOfContent({ a: [1, 2] })).not.toBe(hashOfContent({ a: [2, 1] }));
    // The same on every machine: files merge.
    expect(hashOfContent({ name: "echo" })).toBe("f7817751a90d6baf078dd0e2d98b278f");
  });
});

describe("hashOfValue()", () => {
  test("is equal for equal texts in one process, and differs between processes", async () => {
    const program = `import { hashOfValue } from ${JSON.stringify(
      Bun.fileURLToPath(new URL("../../../src/protocol/fingerprint.ts", import.meta.url)),
    )}; process.stdout.write(hashOfValue("{}") + " " + hashOfValue("{}"));`;
    const run = () => Bun.spawn([process.execPath, "-e", program]).stdout.text();
    const [[first, again], [other]] = await Promise.all([
      run().then((out) => out.split(" ")),
      run().then((out) => out.split(" ")),
    ]);
    expect(first).toMatch(/^[\da-f]{16}$/);
    expect(again).toBe(first);
    expect(other).not.toBe(first);
    expect(hashOfValue("a")).not.toBe(hashOfValue("b"));
  });
});
