/**
 * Text of others, made harmless for where it goes.
 *
 * Tool names, messages, paths and our own arguments may hold anything. Each format has one function here, and every
 * text goes through it. `forTerminal` stands behind them all, at the exit (`terminal.ts`).
 */

declare global {
  interface JSON {
    /** A value that `stringify` writes as this text (https://tc39.es/proposal-json-parse-with-source/). */
    rawJSON(text: string): unknown;
  }
}

/**
 * What a terminal obeys and a reader does not see: control characters (C0, DEL, C1), bidirectional marks, format
 * characters, line and paragraph separators, and letters without a shape, such as the tag characters.
 */
const HIDDEN = String.raw`\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u034F\u115F\u1160\u17B4\u17B5\u180B-\u180F\u3164\uFFA0\u{E0000}-\u{E0FFF}`;

const HIDDEN_OR_SPACE = new RegExp(String.raw`[\s${HIDDEN}]+`, "gu");
const HIDDEN_RUN = new RegExp(`[${HIDDEN}]+`, "gu");
const HIDDEN_BUT_LINE_END = new RegExp(String.raw`(?!\n)[${HIDDEN}]`, "gu");

/** A text as one line, its blanks as they are. */
export function oneLine(text: string): string {
  return text.replaceAll(HIDDEN_RUN, " ");
}

/** A text as one line of words. */
export function plain(text: string): string {
  return Bun.stripANSI(text).replaceAll(HIDDEN_OR_SPACE, " ").trim();
}

/** Bold, dim and the three colours of `table.ts`, on and off; up and clear, as `tail` redraws its last lines. */
const OWN_SEQUENCE = String.raw`\u001B\[(?:(?:1|2|22|31|32|33|39)m|\d+A|J)`;
const OWN_OR_HIDDEN = new RegExp(String.raw`${OWN_SEQUENCE}|(?!\n)[${HIDDEN}]`, "gu");

/** The last line of defence: of all that steers a terminal, only our own sequences pass. */
export function forTerminal(text: string, hasSequences: boolean): string {
  return text.replaceAll(OWN_OR_HIDDEN, (found) =>
    hasSequences && found.startsWith("\u001B[") ? found : " ",
  );
}

/**
 * A value as JSON: integers of any size as exact numbers, hidden characters as `\uXXXX`.
 * @param indent Spaces a level. @default a single line
 */
export function toJson(value: unknown, indent?: number): string {
  return escapeJson(JSON.stringify(value, exactNumber, indent));
}

/** JSON text of the same value, in which nothing is hidden: outside of its strings there are only line ends. */
export function escapeJson(json: string): string {
  return json.replaceAll(HIDDEN_BUT_LINE_END, (found) =>
    found
      .split("")
      .map((unit) => String.raw`\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
      .join(""),
  );
}

/** JSON has no infinity; SQLite writes it as a number that is too large for any double. */
function exactNumber(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return JSON.rawJSON(String(value));
  if (value === Number.POSITIVE_INFINITY) return JSON.rawJSON("9e999");
  if (value === Number.NEGATIVE_INFINITY) return JSON.rawJSON("-9e999");
  return value;
}

/** What begins a formula, full-width and small forms included (https://owasp.org/www-community/attacks/CSV_Injection). */
const FORMULA = "[=+@\\-\u2212\uFF1D\uFF0B\uFF0D\uFF20\uFE66\uFE62\uFE63\uFE6B]";
/** At the beginning, behind blanks and quotes which a spreadsheet may take away. */
const BEGINS_FORMULA = new RegExp(`^[\\s"'\`\u2018\u2019\u201C\u201D\uFF02\uFF07]*${FORMULA}`, "u");
/** Behind what some locales take for the end of a field. */
const FORMULA_IN_NEXT_FIELD = new RegExp(`([;\n]["'\\s]*)(?=${FORMULA})`, "gu");
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/**
 * A field of CSV (RFC 4180). What a spreadsheet would run as a formula gets an apostrophe; hidden characters become
 * blanks. Line ends and numbers stay.
 */
export function csvField(text: string): string {
  const visible = text.replaceAll("\r\n", "\n").replaceAll(HIDDEN_BUT_LINE_END, " ");
  const safe = NUMBER.test(visible)
    ? visible
    : visible.replaceAll(FORMULA_IN_NEXT_FIELD, "$1'").replace(BEGINS_FORMULA, "'$&");
  return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };

/** A text within a line of Markdown, shown as it is: no markup, no HTML, no link, no end of a cell. */
export function markdown(text: string): string {
  return (
    plain(text)
      .replaceAll(/[&<>]/g, (found) => ENTITIES[found] ?? found)
      .replaceAll(/[\\`*[\]|~$]/g, String.raw`\$&`)
      // Within a word it is no emphasis: `create_issue` stays readable.
      .replaceAll(/(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])/g, String.raw`\_`)
  );
}

/** A line of Markdown that shows a text as it is: no heading, list or rule either. */
export function markdownLine(text: string): string {
  return markdown(text).replace(/^(\d*)([#+=.)-])/, String.raw`$1\$2`);
}
