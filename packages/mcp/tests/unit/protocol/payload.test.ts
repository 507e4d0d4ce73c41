import { describe, expect, test } from "bun:test";
import { MASK, redacted } from "../../../src/protocol/payload.ts";

const CONTEXT = { toolName: "login", kind: "arguments" } as const;

describe("redacted()", () => {
  test.each([
    "password",
    "db_password",
    "API-Key",
    "apikey",
    "x-api-key",
    "token",
    "refreshToken",
    "GITHUB_TOKEN",
    "client_secret",
    "Authorization",
    "credentials",
    "Set-Cookie",
    "privateKey",
    "pwd",
    "pin",
    "auth",
    "jwt",
  ])("masks what is called %s, wherever it is", (key) => {
    const payload = { [key]: "hunter2", list: [{ deep: { [key]: { a: 1 } } }] };
    expect(redacted(payload, CONTEXT, {})).toEqual({
      [key]: MASK,
      list: [{ deep: { [key]: MASK } }],
    });
  });

  test.each(["max_tokens", "tokens", "tokenCount", "nextPageToken", "author", "pinned", "path"])(
    "leaves %s alone",
    (key) => {
      expect(redacted({ [key]: 7 }, CONTEXT, {})).toEqual({ [key]: 7 });
    },
  );

  test("masks the keys that it is told to, and leaves the given payload as it is", () => {
    const payload = { "E-Mail": "a@b.c", name: "x" };
    expect(redacted(payload, CONTEXT, { keys: ["email"] })).toEqual({ "E-Mail": MASK, name: "x" });
    expect(payload["E-Mail"]).toBe("a@b.c");
  });

  test("says of base64 only how long it is", () => {
    const image = { type: "image", mimeType: "image/png", data: "A".repeat(5_000) };
    expect(redacted([image], CONTEXT, {})).toEqual([
      { ...image, data: "[base64, 5000 characters]" },
    ]);
  });

  test("asks a function last, and stores what it returns", () => {
    const seen: unknown[] = [];
    const redact = (payload: unknown, context: unknown) => {
      seen.push([payload, context]);
      return "less";
    };
    expect(redacted({ password: "x" }, CONTEXT, { redact })).toBe("less");
    expect(seen).toEqual([[{ password: MASK }, CONTEXT]]);
  });

  test("drops a payload whose redaction fails", () => {
    const circular: Record<string, unknown> = {};
    circular["self"] = circular;
    const hostile = Object.defineProperty({}, "a", {
      enumerable: true,
      get: () => {
        throw new Error("no");
      },
    });
    const redact = () => {
      throw new Error("no");
    };
    expect(redacted({ a: 1 }, CONTEXT, { redact })).toBeUndefined();
    expect(redacted(hostile, CONTEXT, {})).toBeUndefined();
    expect(redacted(circular, CONTEXT, {})).toBeUndefined();
  });

  test("masks what lies deeper than anything that is looked at", () => {
    let deep: unknown = "hunter2";
    for (let i = 0; i < 200; i++) deep = { deep };
    const text = JSON.stringify(redacted(deep, CONTEXT, {}));
    expect(text).toContain(MASK);
    expect(text).not.toContain("hunter2");
  });

  test("copies, masks and passes on no more than 16,384 values, and says that there were more", () => {
    let reads = 0;
    const item = Object.defineProperty({}, "token", {
      enumerable: true,
      get: () => {
        reads += 1;
        return "hunter2";
      },
    });
    let values = 0;
    const redact = (payload: unknown) => {
      JSON.stringify(payload, (_key, part: unknown) => {
        values += 1;
        return part;
      });
      return payload;
    };
    const payload = { list: Array.from({ length: 100_000 }, () => item), password: "hunter2" };
    const cut = redacted(payload, CONTEXT, { redact });
    expect(cut).toEqual({
      $truncated: { list: expect.arrayContaining([{ token: MASK }]) },
      length: expect.any(Number),
    });
    expect(reads).toBeWithin(1_000, 16_385);
    expect(values).toBeWithin(1_000, 16_387);
  });

  test("reads no bytes, and passes on no more than their number", () => {
    const payload = { blob: new Uint8Array(50_000_000), again: Buffer.from("ab").toJSON() };
    expect(redacted(payload, CONTEXT, {})).toEqual({
      blob: { $bytes: 50_000_000, type: "Uint8Array" },
      again: { $bytes: 2, type: "Buffer" },
    });
  });
});
