import { isObject } from "./message.ts";
import { readable } from "./readable.ts";

/** Describes a payload to the function that redacts it. */
export interface PayloadContext {
  readonly toolName: string;
  readonly kind: "arguments" | "result";
}

export interface Redaction {
  /** Keys whose values are masked, at any depth. Whole names; case, `-` and `_` are ignored. */
  readonly keys?: readonly string[];
  /**
   * Receives a masked copy of at most 16,384 values and returns the value to store. If it throws, nothing is stored.
   */
  readonly redact?: (payload: unknown, context: PayloadContext) => unknown;
}

/** Replaces a masked value. */
export const MASK = "[redacted]";

/** Parts of key names that indicate a secret: `dbPassword`, `x-api-key`, `refresh_token`. */
const SECRET =
  /password|passwd|passphrase|secret|token|apikey|accesskey|privatekey|signingkey|encryptionkey|authorization|credential|cookie|sessionid|^auth$|^pwd$|^pin$|^otp$|^cvv$|^cvc$|^ssn$|^jwt$|bearer/;

/** Names that match but hold no secret: counts of tokens, cursors. */
const HARMLESS = /^(?:\w*tokens|token(?:count|limit)|(?:next)?pagetoken|progresstoken)$/;

/** Maximum depth of stored values. Deeper values are masked. */
const MAX_DEPTH = 100;

/**
 * Returns the copy of a payload to store; undefined if none may be stored. A payload of more than 16,384 values becomes
 * `{"$truncated": <the first values>, "length": <minimum length of its JSON>}`. Never throws.
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
      // Base64 is of no use to a reader, and makes payloads large.
      if (isBinary && (key === "data" || key === "blob") && typeof part === "string")
        return [key, `[base64, ${part.length} characters]`];
      return [key, mask(part, keys, depth + 1)];
    }),
  );
}

/** Longer names are cut before they are compared. */
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
