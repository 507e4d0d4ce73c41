import { CommandError } from "../failures/command-error.ts";

/**
 * Literals, quoted names and comments, in which a semicolon does not end a statement; each may be unterminated
 * (https://sqlite.org/lang_comment.html).
 */
const TOKEN =
  /'[^']*(?:'|$)|"[^"]*(?:"|$)|`[^`]*(?:`|$)|\[[^\]]*(?:\]|$)|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|;|[^'"`[\-/;]+|[\s\S]/g;

const EXPLAIN = /^explain\s+(?:query\s+plan\s+)?/i;
const PRAGMA = /^pragma\s+(\w+)\s*(?:\(\s*(?:'([^']*)'|"([^"]*)"|(\w+))\s*\)|(\S[\s\S]*))?$/i;

/**
 * Converts the text of one read-only statement to the form in which it is run.
 *
 * SQLite's grammar enforces that it only reads: only a query can follow `select * from (`, and only pragmas without
 * side effects exist as table-valued functions (https://sqlite.org/pragma.html#pragfunc). So no list of forbidden
 * statements is needed. In a subquery, columns with equal names get distinct names: `a`, `a:1`.
 * @throws CommandError if the text is not exactly one statement, or if it does not only read.
 */
export function toReading(text: string): {
  /**
   * The statement to run. Unless it is an `explain`, it ends with a table expression, so that `limit` can be appended.
   */
  readonly sql: string;
  /** Must be preparable as a query before `sql` is prepared. */
  readonly query: string;
  readonly isExplanation: boolean;
} {
  const statement = onlyStatement(text);
  const [explain = ""] = EXPLAIN.exec(statement) ?? [];
  const body = statement.slice(explain.length);
  if (/^(?:select|with|values)\b/i.test(body)) {
    const query = `select * from (${body}\n)`;
    const isExplanation = explain !== "";
    return { sql: isExplanation ? statement : query, query, isExplanation };
  }
  const pragma = explain === "" ? PRAGMA.exec(body) : null;
  if (pragma && pragma[5] === undefined) {
    const [, name = "", quoted, doubleQuoted, bare] = pragma;
    const argument = quoted ?? doubleQuoted ?? bare;
    const call = argument === undefined ? "" : `('${argument.replaceAll("'", "''")}')`;
    const query = `select * from pragma_${name.toLowerCase()}${call}`;
    return { sql: query, query, isExplanation: false };
  }
  throw notReading(body);
}

/** Explains why a statement cannot be prepared: with SQLite's reason, or because its pragma does more than read. */
export function notPrepared(reason: string): CommandError {
  const [, pragma] = /^no such table: pragma_(\w+)$/.exec(reason) ?? [];
  return pragma === undefined ? new CommandError(reason) : notReading(`pragma ${pragma}`);
}

function notReading(statement: string): CommandError {
  const found = statement.split(/\s+/).slice(0, 2).join(" ").slice(0, 60);
  return new CommandError(
    `Expected a read-only statement (select, with … select, values, explain, or a pragma that only reads), got ${JSON.stringify(found)}. toolmeter sql never writes.`,
  );
}

/** Returns the statement without comments and without its semicolon. */
function onlyStatement(text: string): string {
  const [statement, ...others] = statementsOf(text);
  if (statement === undefined) {
    throw new CommandError(
      "Expected a statement, such as select count(*) from tool_calls, got none.",
    );
  }
  if (others.length > 0) {
    throw new CommandError(
      `Expected one statement, got ${others.length + 1}. Run each separately; none was run.`,
    );
  }
  return statement;
}

function statementsOf(text: string): readonly string[] {
  const statements = [""];
  for (const [token] of text.matchAll(TOKEN)) {
    const isComment = token.startsWith("--") || token.startsWith("/*");
    if (token === ";") statements.push("");
    else statements.push((statements.pop() ?? "") + (isComment ? " " : token));
  }
  return statements.map((statement) => statement.trim()).filter((statement) => statement !== "");
}
