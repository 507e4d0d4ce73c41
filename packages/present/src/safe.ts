/**
 * Makes untrusted text safe for each output format.
 *
 * Tool names, messages, paths and command-line arguments may contain anything. Each format has one function here, which
 * must process every text. `forTerminal` is applied last, to all output (`terminal.ts`).
 */

declare global {
  interface JSON {
    /** Returns a value that `stringify` writes as this text (https://tc39.es/proposal-json-parse-with-source/). */
    rawJSON(text: string): unknown;
  }
}

/**
 * Characters that control a terminal or are invisible: control characters (C0, DEL, C1), bidirectional marks, format
 * characters, line and paragraph separators, and letters without a glyph, such as the tag characters.
 */
const HIDDEN = String.raw`\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u034F\u115F\u1160\u17B4\u17B5\u180B-\u180F\u3164\uFFA0\u{E0000}-\u{E0FFF}`;

const HIDDEN_OR_SPACE = new RegExp(String.raw`[\s${HIDDEN}]+`, "gu");
const HIDDEN_RUN = new RegExp(`[${HIDDEN}]+`, "gu");
const HIDDEN_BUT_LINE_END = new RegExp(String.raw`(?!\n)[${HIDDEN}]`, "gu");

/** Converts a text to one line; spaces are kept. */
export function oneLine(text: string): string {
  return text.replaceAll(HIDDEN_RUN, " ");
}

/** Converts a text to one line of words separated by single spaces. */
export function plain(text: string): string {
  return Bun.stripANSI(text).replaceAll(HIDDEN_OR_SPACE, " ").trim();
}

/**
 * Toolmeter's own sequences: bold, dim and the three colours of `table.ts`, on and off; cursor up and clear for `tail`.
 */
const OWN_SEQUENCE = String.raw`\u001B\[(?:(?:1|2|22|31|32|33|39)m|\d+A|J)`;
const OWN_OR_HIDDEN = new RegExp(String.raw`${OWN_SEQUENCE}|(?!\n)[${HIDDEN}]`, "gu");

/** Removes everything that controls a terminal, except Toolmeter's own sequences if `hasSequences`. */
export function forTerminal(text: string, hasSequences: boolean): string {
  return text.replaceAll(OWN_OR_HIDDEN, (found) =>
    hasSequences && found.startsWith("\u001B[") ? found : " ",
  );
}

/**
 * Converts a value to JSON with exact integers of any size and with hidden characters as `\uXXXX`.
 * @param indent Spaces per level. @default a single line
 */
export function toJson(value: unknown, indent?: number): string {
  return escapeJson(JSON.stringify(value, exactNumber, indent));
}

/** Escapes hidden characters in JSON text, without changing its value. Line breaks between tokens stay. */
export function escapeJson(json: string): string {
  return json.replaceAll(HIDDEN_BUT_LINE_END, (found) =>
    found
      .split("")
      .map((unit) => String.raw`\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
      .join(""),
  );
}

/** JSON has no infinity; like SQLite, this writes a number that is too large for a double. */
function exactNumber(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return JSON.rawJSON(String(value));
  if (value === Number.POSITIVE_INFINITY) return JSON.rawJSON("9e999");
  if (value === Number.NEGATIVE_INFINITY) return JSON.rawJSON("-9e999");
  return value;
}

/**
 * Characters that start a formula, including full-width and small forms
 * (https://owasp.org/www-community/attacks/CSV_Injection).
 */
const FORMULA = "[=+@\\-\u2212\uFF1D\uFF0B\uFF0D\uFF20\uFE66\uFE62\uFE63\uFE6B]";
/** A formula at the beginning, after spaces and quotes that a spreadsheet may strip. */
const BEGINS_FORMULA = new RegExp(`^[\\s"'\`\u2018\u2019\u201C\u201D\uFF02\uFF07]*${FORMULA}`, "u");
/** A formula after a character that some locales treat as the end of a field. */
const FORMULA_IN_NEXT_FIELD = new RegExp(`([;\n]["'\\s]*)(?=${FORMULA})`, "gu");
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/**
 * Formats a field of CSV (RFC 4180). Text that a spreadsheet would run as a formula gets an apostrophe; hidden
 * characters become spaces. Line breaks and numbers stay unchanged.
 */
export function csvField(text: string): string {
  const visible = text.replaceAll("\r\n", "\n").replaceAll(HIDDEN_BUT_LINE_END, " ");
  const safe = NUMBER.test(visible)
    ? visible
    : visible.replaceAll(FORMULA_IN_NEXT_FIELD, "$1'").replace(BEGINS_FORMULA, "'$&");
  return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };

/** Escapes a text within a line of Markdown, so that it cannot create markup, HTML, links or the end of a cell. */
export function markdown(text: string): string {
  return (
    plain(text)
      .replaceAll(/[&<>]/g, (found) => ENTITIES[found] ?? found)
      .replaceAll(/[\\`*[\]|~$]/g, String.raw`\$&`)
      // An underscore within a word is not emphasis: `create_issue` stays readable.
      .replaceAll(/(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])/g, String.raw`\_`)
  );
}

/** Escapes a whole line of Markdown, so that it also cannot be a heading, list or rule. */
export function markdownLine(text: string): string {
  return markdown(text).replace(/^(\d*)([#+=.)-])/, String.raw`$1\$2`);
}
