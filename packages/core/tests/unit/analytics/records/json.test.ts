import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { toJsonText } from "../../../../src/analytics/records/json.ts";

const ROOMY = 65_536;

/** A getter that throws this whenever it is read. */
function throwing(thrown: unknown): unknown {
  return Object.defineProperty({}, "field", {
    enumerable: true,
    get: () => {
      throw thrown;
    },
  });
}

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function circular(): unknown {
  const value: Record<string, unknown> = { name: "circle" };
  value["self"] = value;
  return value;
}

function nested(depth: number): unknown {
  let value: unknown = "bottom";
  for (let i = 0; i < depth; i++) value = { value };
  return value;
}

function withoutMinusZero(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** What the text says, parsed. Fails if there is none, or if it is not JSON. */
function stored(value: unknown, maxLength = ROOMY): unknown {
  const text = toJsonText(value, maxLength);
  if (text === null) throw new Error("Expected a text, got null");
  return JSON.parse(text);
}

/** The same of a text that was cut. */
function truncation(value: unknown, maxLength: number) {
  const cut = stored(value, maxLength);
  if (typeof cut !== "object" || cut === null || !("$truncated" in cut) || !("length" in cut))
    throw new Error(`Expected a truncation, got ${JSON.stringify(cut).slice(0, 99)}`);
  return { $truncated: String(cut.$truncated), length: Number(cut.length) };
}

describe("toJsonText()", () => {
  test.each<[string, unknown, string]>([
    ["null", null, "null"],
    ["a boolean", false, "false"],
    ["an empty text", "", '""'],
    ["emoji and right-to-left text", "👩‍👩‍👧 مرحبا", '"👩‍👩‍👧 مرحبا"'],
    ["SQL", "'; drop table t; --", '"\'; drop table t; --"'],
    ["NaN", Number.NaN, "null"],
    ["infinity", Number.NEGATIVE_INFINITY, "null"],
    ["minus zero", -0, "0"],
    ["an invalid date", new Date(Number.NaN), "null"],
    ["a date", new Date(0), '"1970-01-01T00:00:00.000Z"'],
    ["a map", new Map([[1, 2]]), "{}"],
    ["a set", new Set([1]), "{}"],
    ["an error", new Error("secret"), "{}"],
    ["a bigint", 10n, '"10"'],
    ["a bigint over 64 bits, inside", { big: [2n ** 70n] }, '{"big":["1180591620717411303424"]}'],
    ["a NUL", "a\0b", String.raw`"a\u0000b"`],
    ["a lone surrogate", "\ud800!", String.raw`"\ud800!"`],
    ["an object without prototype", Object.assign(Object.create(null), { a: 1 }), '{"a":1}'],
    ["what JSON leaves out", { a: undefined, b: () => 1, c: Symbol("s") }, "{}"],
    ["what JSON makes null", [undefined, () => 1, Symbol("s")], "[null,null,null]"],
    ["toJSON()", { toJSON: () => ({ a: 1 }) }, '{"a":1}'],
  ])("writes %s as JSON does, and a bigint as its decimal text", (_name, value, text) => {
    expect(toJsonText(value, ROOMY)).toBe(text);
  });

  test.each<[string, unknown]>([
    ["undefined", undefined],
    ["a function", () => 1],
    ["a symbol", Symbol("s")],
    ["a toJSON() that returns undefined", { toJSON: () => undefined }],
  ])("has no text for %s", (_name, value) => {
    expect(toJsonText(value, ROOMY)).toBeNull();
  });

  test.each<[string, unknown, string]>([
    ["a circular object", circular(), "cyclic"],
    ["an object 200,000 deep", nested(200_000), "1000 levels"],
    ["a getter that throws", throwing(new Error("no field")), "no field"],
    ["a getter that throws a text", throwing("just text"), "just text"],
    ["a getter that throws null", throwing(null), "null"],
    ["a getter that throws a symbol", throwing(Symbol("s")), "Symbol(s)"],
    ["a getter that throws what has no text", throwing(Object.create(null)), "cannot be converted"],
    ["a getter that throws a revoked proxy", throwing(revoked()), "cannot be converted"],
    ["a revoked proxy", revoked(), "revoked"],
    ["a revoked proxy inside", [{ value: revoked() }], "revoked"],
    ["a circular object with a bigint", { big: 1n, circle: circular() }, "cyclic"],
    [
      "a toJSON() that throws",
      {
        toJSON: () => {
          throw new RangeError("no JSON");
        },
      },
      "no JSON",
    ],
  ])("says why it cannot read %s", (_name, value, reason) => {
    expect(stored(value)).toEqual({ $unserializable: expect.stringContaining(reason) });
  });

  // To overflow the stack takes about a second, in which the host stands still.
  test("does not try a value that it cannot read a second time, unless it holds a bigint", () => {
    let tries = 0;
    const value = {
      toJSON: () => {
        tries += 1;
        throw new RangeError("too deep");
      },
    };
    expect(stored(value)).toEqual({ $unserializable: "too deep" });
    expect(tries).toBe(1);
  });

  test("goes as deep as SQLite's JSON functions do, and no deeper", () => {
    using db = new Database(":memory:");
    const isValid = db.query<{ valid: number }, [string]>("select json_valid(?) as valid");
    expect(toJsonText(nested(1_000), ROOMY)).toBe(JSON.stringify(nested(1_000)));
    expect(isValid.get(JSON.stringify(nested(1_000)))).toEqual({ valid: 1 });
    expect(isValid.get(JSON.stringify(nested(1_001)))).toEqual({ valid: 0 });
    expect(stored(nested(1_001))).toEqual({ $unserializable: "more than 1000 levels deep" });
  });

  test("keeps a `__proto__` key as data and pollutes nothing", () => {
    const text = '{"__proto__":{"polluted":true}}';
    expect(toJsonText(JSON.parse(text), ROOMY)).toBe(text);
    expect(Object.prototype).not.toHaveProperty("polluted");
  });

  test("round-trips any JSON value", () => {
    // Without -0, for which JSON has no word.
    const jsonValue = fc.jsonValue({ noUnicodeString: false }).map(withoutMinusZero);
    fc.assert(
      fc.property(jsonValue, (value) => {
        expect(stored(value)).toEqual(value);
      }),
      { numRuns: 200 },
    );
  });

  test("is the text of JSON.stringify for any plain value, whatever its getters and toJSON() return", () => {
    const leaf = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.double(),
      fc.integer(),
      fc.constantFrom(true, null, undefined, new Date(0), new Date(Number.NaN)),
      fc.string().map((text) => Object(text)),
      fc.double().map((number) => Object(number)),
      fc.boolean().map((boolean) => Object(boolean)),
    );
    const key = fc.oneof(fc.string(), fc.nat().map(String), fc.constantFrom("__proto__", "length"));
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: "medium", withCrossShrink: true },
        leaf,
        fc.array(tie("tree"), { maxLength: 5 }),
        fc.dictionary(key, tie("tree"), { maxKeys: 5, noNullPrototype: false }),
        tie("tree").map((part) => ({ toJSON: () => part })),
        tie("tree").map((part) => ({
          get part() {
            return part;
          },
        })),
      ),
    }));
    fc.assert(
      fc.property(tree, (value) => {
        expect(toJsonText(value, 10_000_000)).toBe(JSON.stringify(value) ?? null);
      }),
      { numRuns: 200 },
    );
  });

  test("never throws, and what it returns is valid for SQLite and of bounded length, whatever it is given", () => {
    using db = new Database(":memory:");
    const isValid = db.query<{ valid: number }, [string]>("select json_valid(?) as valid");
    const anything = fc.anything({
      withBigInt: true,
      withBoxedValues: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withObjectString: true,
      withSet: true,
      withSparseArray: true,
      withTypedArray: true,
    });
    fc.assert(
      fc.property(anything, fc.nat(200), (value, maxLength) => {
        const text = toJsonText(value, maxLength);
        if (text === null) return;
        expect(isValid.get(text)).toEqual({ valid: 1 });
        expect(text.length).toBeLessThanOrEqual(Math.max(maxLength, ENVELOPE_LENGTH));
      }),
      { numRuns: 500 },
    );
  });
});

describe("binary data", () => {
  test.each<[string, unknown, object]>([
    ["a buffer", Buffer.from("ab"), { $bytes: 2, type: "Buffer" }],
    ["a Buffer.toJSON()", Buffer.from("abc").toJSON(), { $bytes: 3, type: "Buffer" }],
    ["a typed array", new Float64Array(2), { $bytes: 16, type: "Float64Array" }],
    ["a view", new DataView(new ArrayBuffer(8), 3), { $bytes: 5, type: "DataView" }],
    ["an array buffer", new ArrayBuffer(9), { $bytes: 9, type: "ArrayBuffer" }],
    ["shared memory", new SharedArrayBuffer(9), { $bytes: 9, type: "SharedArrayBuffer" }],
    ["a blob", new Blob(["abcd"]), { $bytes: 4, type: "Blob" }],
    [
      "a class of its own",
      new (class Pixels extends Uint8Array {})(3),
      { $bytes: 3, type: "Uint8Array" },
    ],
  ])("is recorded as its type and size: %s", (_name, value, expected) => {
    expect(stored(value)).toEqual(expected);
    expect(stored({ a: [value, 1] })).toEqual({ a: [expected, 1] });
    expect(stored({ toJSON: () => value })).toEqual(expected);
  });

  test("of 50 MB is not read", () => {
    expect(stored(Buffer.alloc(50_000_000))).toEqual({ $bytes: 50_000_000, type: "Buffer" });
  });

  test("is only what has the exact shape of Buffer.toJSON()", () => {
    const others = [
      { type: "Buffer", data: "text" },
      { data: [1], type: "Buffer" },
      { type: "Other", data: [1] },
    ];
    expect(stored(others)).toEqual(others);
  });
});

/** `{"$truncated":"","length":}` and a length of 17 digits. */
const ENVELOPE_LENGTH = 45;

describe("a text that is too long", () => {
  test("is kept whole at exactly the maximum", () => {
    expect(stored("x".repeat(98), 100)).toBe("x".repeat(98));
  });

  test("one character above it becomes its beginning and its length, within the maximum", () => {
    const text = toJsonText("x".repeat(99), 100) ?? "";
    expect(text).toHaveLength(100);
    expect(JSON.parse(text)).toEqual({ $truncated: `"${"x".repeat(68)}`, length: 101 });
  });

  test("is empty at a maximum of 0", () => {
    expect(stored({ a: 1 }, 0)).toEqual({ $truncated: "", length: expect.any(Number) });
  });

  test("is cut from 50 MB to its beginning", () => {
    expect(stored({ a: [Buffer.alloc(50_000_000, "x").toString()] }, 100)).toEqual({
      $truncated: `{"a":["${"x".repeat(55)}`,
      length: 50_000_010,
    });
  });

  test("is cut from an object of 10,000 keys", () => {
    const keys = Array.from({ length: 10_000 }, (_, i) => [`key_${i}`, i]);
    const text = JSON.stringify(Object.fromEntries(keys));
    const { $truncated, length } = truncation(Object.fromEntries(keys), 16_384);
    expect(text).toStartWith($truncated);
    expect($truncated.length).toBeGreaterThan(13_000);
    expect(length).toBeWithin(16_384, text.length);
  });

  test("is a beginning of the whole text, and tells a length that is not too large", () => {
    const value = fc.array(fc.jsonValue({ noUnicodeString: false }), { minLength: 3 });
    fc.assert(
      fc.property(value, fc.nat(300), (parts, maxLength) => {
        const whole = JSON.stringify(parts);
        if (whole.length <= maxLength) return;
        const { $truncated, length } = truncation(parts, maxLength);
        expect(whole.startsWith($truncated)).toBe(true);
        expect(length).toBeWithin(Math.min(maxLength, whole.length), whole.length + 1);
      }),
      { numRuns: 200 },
    );
  });

  test("is cut from the reason of a value that cannot be read", () => {
    expect(stored(throwing(new Error("x".repeat(1_000_000))))).toEqual({
      $unserializable: "x".repeat(256),
    });
  });

  test.each([
    ["quotes", '"'],
    ["backslashes", "\\"],
    ["NULs", "\0"],
    ["emoji", "😀"],
    ["lone surrogates", "\ud83d"],
  ])("is at most the maximum, or its envelope: %s", (_name, character) => {
    for (const maxLength of [0, 1, 2, 99, 100, 101, 1_000, 16_384]) {
      const text = toJsonText(character.repeat(20_000), maxLength) ?? "";
      expect(text.length).toBeLessThanOrEqual(Math.max(maxLength, ENVELOPE_LENGTH));
      expect(JSON.parse(text)).toHaveProperty("$truncated");
    }
  });

  test("that is cut inside of an emoji is still JSON and UTF-8", () => {
    const text = toJsonText("😀".repeat(100), 100) ?? "";
    expect(text.isWellFormed()).toBe(true);
    expect(JSON.parse(text)).toHaveProperty("length", 202);
  });
});
