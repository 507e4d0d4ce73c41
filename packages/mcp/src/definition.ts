import type { ToolDefinition } from "@toolmeter/core";
import { hashOfContent } from "./fingerprint.ts";
import { type JsonObject, textAt } from "./message.ts";
import { TOKEN_METHOD, sizeOfText } from "./size.ts";

/** The parts of a tool that a model works from: an edit of one of them makes another definition. */
const PARTS = ["name", "description", "inputSchema", "outputSchema"] as const;

/** Listings repeat the same tools: each text is hashed once. */
const known = new Map<string, ToolDefinition>();
const MAX_KNOWN = 1_000;

/** The definition of a tool as `tools/list` has it; undefined if it has no name. */
export function definitionOf(tool: JsonObject): ToolDefinition | undefined {
  const toolName = textAt(tool, "name");
  if (toolName === undefined) return undefined;
  const parts = PARTS.filter((part) => tool[part] !== undefined);
  const definition = Object.fromEntries(parts.map((part) => [part, tool[part]]));
  const json = JSON.stringify(definition);
  const found = known.get(json);
  if (found) return found;
  const hash = hashOfContent(definition);
  const made = { hash, toolName, definition, ...sizeOfText(json), tokenMethod: TOKEN_METHOD };
  if (known.size < MAX_KNOWN) known.set(json, made);
  return made;
}
