import { isObject } from "./message.ts";
import { readable } from "./readable.ts";

/** What a payload is, for those who redact it. */
export interface PayloadContext {
  readonly toolName: string;
  readonly kind: "arguments" | "result";
}

export interface Redaction {
  /** Keys whose values are masked, wherever they occur; whole names, case, `-` and `_` ignored. */
  readonly keys?: readonly string[];
  /** Gets a copy, already masked, of at most 16,384 values, and returns what may be stored. If it throws, nothing is. */
  readonly redact?: (payload: unknown, context: PayloadContext) => unknown;
}

/** What a masked value becomes. */
export const MASK = "[redacted]";

/** Parts of key names that tell of a secret: `dbPassword`, `x-api-key`, `refresh_token`. */
const SECRET =
  /password|passwd|passphrase|secret|token|apikey|accesskey|privatekey|signingkey|encryptionkey|authorization|credential|cookie|sessionid|^auth$|^pwd$|^pin$|^otp$|^cvv$|^cvc$|^ssn$|^jwt$|bearer/;

/** Names that look like one and are none: counts of tokens, cursors. */
const HARMLESS = /^(?:\w*tokens|token(?:count|limit)|(?:next)?pagetoken|progresstoken)$/;

/** Deeper values are not stored: they are masked whole. */
const MAX_DEPTH = 100;

/**
 * A copy of a payload that may be stored; undefined if none may. Of a payload of more than 16,384 values it is
 * `{"$truncated": <the first of them>, "length": <characters of its JSON, at least>}`. Never throws.
 */
export function redacted(payload: unknown, context: PayloadContext, redaction: Redaction): unknown {
  try {
    const keys = new Set((redaction.keys ?? []).map(plain));
    const { value, length, isWhole } = readable(payload);
    const masked = mask(value, keys, 0);
    const allowed = redaction.redact ? redaction.redact(masked, context) : masked;
    return isWhole ? allowed : { $truncated: allowed, length };
  } catch {
    return undefined;
  }
}

function mask(value: unknown, keys: ReadonlySet<string>, depth: number): unknown {
  if (depth > MAX_DEPTH) return MASK;
  if (Array.isArray(value)) return value.map((item) => mask(item, keys, depth + 1));
  if (!isObject(value)) return value;
  const isBinary = typeof value["mimeType"] === "string";
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => {
      if (isSecret(key, keys)) return [key, MASK];
      // Base64 says nothing to a reader, and is what makes payloads large.
      if (isBinary && (key === "data" || key === "blob") && typeof part === "string")
        return [key, `[base64, ${part.length} characters]`];
      return [key, mask(part, keys, depth + 1)];
    }),
  );
}

/** A name that is longer is cut before it is searched. */
const MAX_KEY_LENGTH = 256;

function isSecret(key: string, keys: ReadonlySet<string>): boolean {
  const name = plain(key);
  return keys.has(name) || (SECRET.test(name) && !HARMLESS.test(name));
}

function plain(key: string): string {
  return key
    .slice(0, MAX_KEY_LENGTH)
    .toLowerCase()
    .replaceAll(/[-_\s]/g, "");
}
