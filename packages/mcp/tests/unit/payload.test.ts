import { describe, expect, test } from "bun:test";
import { MASK, redacted } from "../../src/payload.ts";

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
    // Deeper than anything that is looked at: masked, not passed on.
    expect(JSON.stringify(redacted(circular, CONTEXT, {}))).toContain(MASK);
  });
});
