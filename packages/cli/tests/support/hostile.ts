import { Database } from "bun:sqlite";
import { createAnalyticsDb } from "@toolmeter/core";

/** What a terminal obeys, and what a reader does not see; apart from our own colours. */
const STEERING = [
  "\u001B]0;title\u0007",
  "\u001B[35m\u001B[5m\u001B[2J\u001B[1;1H",
  "\u001BP1\u001B\\",
  // As our own are.
  "\u001B[31m\u001B[2A\u001B[J",
  "\u009B35m\u009D0;t\u009C\u0085\u0080",
  "\u007F\u0008\u0007\u000B\u000C\r",
  "\u202A\u202B\u202C\u202D\u202E\u2066\u2067\u2068\u2069\u200E\u200F\u061C",
  "\u200B\u200C\u200D\u2060\uFEFF\u00AD\u180E\u{E0041}\u{E007F}",
  "\u2028\u2029",
  "\n# heading\n| cell |\t\n",
].join("x");

const MARKUP =
  "<img src=x onerror=alert(1)> <script>1</script> [x](javascript:alert(1)) ![x](//y) `code` **b** &lt; a|b \\| end";

/** A text that tries to be obeyed wherever it is shown. It begins as a formula. */
export const HOSTILE = `=cmd|' /C calc'!A0;=1+1 ${STEERING} ${MARKUP}`;

interface ColumnInfo {
  readonly name: string;
  readonly type: string;
  readonly notnull: number;
}

/** Holds JSON: the schema says so, the file does not. */
const JSON_COLUMNS = new Set([
  "arguments",
  "result",
  "attributes",
  "definition",
  "output_content_types",
]);

const LINKS: Record<string, string> = {
  session_id: "session-1",
  definition_hash: "definition-1",
  hash: "definition-1",
};

/**
 * Makes a file in which every text of every table is hostile, but for those that link rows and the closed set of
 * statuses, which queries filter by.
 * @param number What every measured column holds.
 */
export function hostileFile(path: string, number: number | bigint = 7): string {
  createAnalyticsDb(path).close();
  using client = new Database(path, { strict: true });
  client.run("pragma foreign_keys = off");
  const tables = client
    .query<{ name: string }, []>(
      "select name from sqlite_schema where type = 'table' and name not like 'sqlite_%' and name not like '%migrations%'",
    )
    .all();
  for (const { name } of tables) {
    const columns = client.query<ColumnInfo, []>(`pragma table_info(${name})`).all();
    for (const status of ["error", "rejected", "success", "cancelled"]) {
      const values = columns.map((column) => valueOf(column, name, status, number));
      const places = columns.map(() => "?").join(", ");
      client.query(`insert or ignore into ${name} values (${places})`).run(...values);
    }
  }
  return path;
}

let counted = 0;

function valueOf(
  { name, type }: ColumnInfo,
  table: string,
  status: string,
  number: number | bigint,
): string | number | bigint | null {
  counted += 1;
  if (name === "sequence") return null;
  if (name === "status") return status;
  if (name === "id") return table === "sessions" ? "session-1" : `${counted}${HOSTILE}`;
  if (name === "ended_at_ms") return Date.now();
  const linked = LINKS[name];
  if (linked !== undefined) return linked;
  if (type.toLowerCase() === "text") {
    return JSON_COLUMNS.has(name) ? JSON.stringify({ [HOSTILE]: HOSTILE }) : HOSTILE;
  }
  if (name.endsWith("_at_ms")) return Date.now() - 60_000;
  // A name rather than a measure: shown as it is.
  return name === "error_code" ? 7 : number;
}
