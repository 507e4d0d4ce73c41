import type { ToolDefinition } from "@toolmeter/core";
import { hashOfContent } from "./fingerprint.ts";
import { type JsonObject, shortTextAt } from "./message.ts";
import { readable } from "./readable.ts";
import { TOKEN_METHOD, sizeOfLength, sizeOfText } from "./size.ts";

/** The parts of a tool that a model reads. A change to any of them results in another definition. */
const PARTS = ["name", "description", "inputSchema", "outputSchema"] as const;

/** Listings repeat the same tools, so each text is hashed once. */
const known = new Map<string, ToolDefinition>();
const MAX_KNOWN = 1_000;
const MAX_KNOWN_LENGTH = 65_536;

/** Maximum length of a definition that is read, in characters of JSON. */
const MAX_LENGTH = 262_144;

/**
 * Returns the definition of a tool in the answer to `tools/list`; undefined if the tool has no name. A definition of
 * more than 262,144 characters or 16,384 values is cut, and its `bytes` are then a lower bound.
 */
export function definitionOf(tool: JsonObject): ToolDefinition | undefined {
  const toolName = shortTextAt(tool, "name");
  if (toolName === undefined) return undefined;
  const parts = PARTS.filter((part) => tool[part] !== undefined);
  const whole = Object.fromEntries(parts.map((part) => [part, tool[part]]));
  const { value: definition, length, isWhole } = readable(whole, MAX_LENGTH);
  const json = JSON.stringify(definition);
  const found = known.get(json);
  if (found) return found;
  const hash = hashOfContent(definition);
  const size = isWhole ? sizeOfText(json) : sizeOfLength(length);
  const made = { hash, toolName, definition, ...size, tokenMethod: TOKEN_METHOD };
  if (json.length <= MAX_KNOWN_LENGTH && known.size < MAX_KNOWN) known.set(json, made);
  return made;
}
