import { CommandError } from "../failures/command-error.ts";

/** Literals, quoted names and comments, in which a semicolon ends nothing; each may lack its end (https://sqlite.org/lang_comment.html). */
const TOKEN =
  /'[^']*(?:'|$)|"[^"]*(?:"|$)|`[^`]*(?:`|$)|\[[^\]]*(?:\]|$)|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|;|[^'"`[\-/;]+|[\s\S]/g;

const EXPLAIN = /^explain\s+(?:query\s+plan\s+)?/i;
const PRAGMA = /^pragma\s+(\w+)\s*(?:\(\s*(?:'([^']*)'|"([^"]*)"|(\w+))\s*\)|(\S[\s\S]*))?$/i;

/**
 * One statement that reads, in the form in which it is run.
 *
 * The rule is SQLite's own grammar: what stands behind `select * from (` can be nothing but a query, and the pragmas that
 * exist as table-valued functions are those without side effects (https://sqlite.org/pragma.html#pragfunc). So there is no
 * list of what is forbidden. As a subquery, columns of equal names get names of their own: `a`, `a:1`.
 * @throws CommandError if it is no statement, several, or one that does not read.
 */
export function toReading(text: string): {
  /** Ends in a table expression, so that `limit` may follow; not if it explains. */
  readonly sql: string;
  /** What has to be a query as well, before `sql` may be prepared. */
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

/** Why a statement cannot be prepared: SQLite's reason, and of a pragma that it does more than read. */
export function notPrepared(reason: string): CommandError {
  const [, pragma] = /^no such table: pragma_(\w+)$/.exec(reason) ?? [];
  return pragma === undefined ? new CommandError(reason) : notReading(`pragma ${pragma}`);
}

function notReading(statement: string): CommandError {
  const found = statement.split(/\s+/).slice(0, 2).join(" ").slice(0, 60);
  return new CommandError(
    `Expected a statement that reads: select, with … select, values, explain of one, or a pragma that only reads. Got ${JSON.stringify(found)}; toolmeter sql writes nothing.`,
  );
}

/** The statement, without comments and the semicolon at its end. */
function onlyStatement(text: string): string {
  const [statement, ...others] = statementsOf(text);
  if (statement === undefined) {
    throw new CommandError(
      "Expected a statement, such as select count(*) from tool_calls, got none.",
    );
  }
  if (others.length > 0) {
    throw new CommandError(
      `Expected one statement, got ${others.length + 1}. Ask each by itself; nothing was run.`,
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
