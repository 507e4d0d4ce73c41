import type { ToolCallEnd, ToolCallHandle } from "@toolmeter/core";
import { hashOfShape, hashOfValue } from "./fingerprint.ts";
import type { HeaderReader } from "./identity.ts";
import { type JsonObject, isObject, textAt } from "./message.ts";
import type { CalledTool } from "./outcome.ts";
import { readable } from "./readable.ts";
import { TOKEN_METHOD, sizeOfLength, sizeOfResult, sizeOfText } from "./size.ts";

/** A tool call without an answer yet. */
export interface Call {
  readonly handle: ToolCallHandle;
  readonly toolName: string;
  readonly params: JsonObject;
  readonly header: HeaderReader | undefined;
  readonly definitionHash: string | undefined;
}

/** Maximum length of arguments that are read, in characters of JSON. */
const MAX_ARGUMENTS = 262_144;

export function toCalledTool({ toolName, params }: Call): CalledTool {
  const input = params["arguments"];
  const isWhole = textAt(params, "name") !== undefined && (input === undefined || isObject(input));
  return { toolName, isMalformed: !isWhole };
}

/** Returns the hashes and the size of a call's arguments. Throws if they cannot be written as JSON. */
export function detailsOfArguments({ params }: Call): ToolCallEnd {
  const { value, length, isWhole } = readable(params["arguments"], MAX_ARGUMENTS);
  if (value === undefined) return {};
  const json = isWhole ? JSON.stringify(value) : undefined;
  const { bytes, tokens } = json === undefined ? sizeOfLength(length) : sizeOfText(json);
  return {
    // Arguments that were read in part have no hash: different ones would share it.
    argumentHash: json === undefined ? undefined : hashOfValue(json),
    argumentShapeHash: hashOfShape(value),
    inputBytes: bytes,
    inputTokens: tokens,
    tokenMethod: TOKEN_METHOD,
  };
}

/** Returns the size and the content types of a call's result. Throws if it cannot be written as JSON. */
export function detailsOfResult(result: JsonObject): ToolCallEnd {
  const { bytes, tokens, contentTypes } = sizeOfResult(result);
  return {
    outputBytes: bytes,
    outputTokens: tokens,
    tokenMethod: TOKEN_METHOD,
    outputContentTypes: contentTypes,
  };
}
