/**
 * JSON.parse source text access (https://tc39.es/proposal-json-parse-with-source/), which TypeScript's library lacks.
 */
interface ExactJson {
  parse(
    text: string,
    revive: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): unknown;
}

/**
 * Parses JSON so that `JSON.stringify` writes each number exactly as in the source, such as 1234567890123456789, -0 and
 * 1e400. Only `JSON.stringify` can read such a number. Throws if the JSON is nested too deeply for a reviver.
 */
export function parseExactly(text: string): unknown {
  const json: object = JSON;
  if (!isExact(json)) return JSON.parse(text);
  return json.parse(text, (_key, value, { source }) =>
    typeof value === "number" && source !== undefined && String(value) !== source
      ? json.rawJSON(source)
      : value,
  );
}

function isExact(json: object): json is ExactJson {
  return "rawJSON" in json;
}
