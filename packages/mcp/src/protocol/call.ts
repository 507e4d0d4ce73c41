import type { ToolCallEnd, ToolCallHandle } from "@toolmeter/core";
import { hashOfShape, hashOfValue } from "./fingerprint.ts";
import type { HeaderReader } from "./identity.ts";
import { type JsonObject, isObject, textAt } from "./message.ts";
import type { CalledTool } from "./outcome.ts";
import { readable } from "./readable.ts";
import { TOKEN_METHOD, sizeOfLength, sizeOfResult, sizeOfText } from "./size.ts";

/** A tool call that waits for its answer. */
export interface Call {
  readonly handle: ToolCallHandle;
  readonly toolName: string;
  readonly params: JsonObject;
  readonly header: HeaderReader | undefined;
  readonly definitionHash: string | undefined;
}

/** Characters of arguments that are read. */
const MAX_ARGUMENTS = 262_144;

export function toCalledTool({ toolName, params }: Call): CalledTool {
  const input = params["arguments"];
  const isWhole = textAt(params, "name") !== undefined && (input === undefined || isObject(input));
  return { toolName, isMalformed: !isWhole };
}

/** Hashes and size of a call's arguments. Throws on what no JSON can hold. */
export function detailsOfArguments({ params }: Call): ToolCallEnd {
  const { value, length, isWhole } = readable(params["arguments"], MAX_ARGUMENTS);
  if (value === undefined) return {};
  const json = isWhole ? JSON.stringify(value) : undefined;
  const { bytes, tokens } = json === undefined ? sizeOfLength(length) : sizeOfText(json);
  return {
    // None for arguments that were read in part: it would be equal for different ones.
    argumentHash: json === undefined ? undefined : hashOfValue(json),
    argumentShapeHash: hashOfShape(value),
    inputBytes: bytes,
    inputTokens: tokens,
    tokenMethod: TOKEN_METHOD,
  };
}

/** Size and content types of a call's result. Throws on what no JSON can hold. */
export function detailsOfResult(result: JsonObject): ToolCallEnd {
  const { bytes, tokens, contentTypes } = sizeOfResult(result);
  return {
    outputBytes: bytes,
    outputTokens: tokens,
    tokenMethod: TOKEN_METHOD,
    outputContentTypes: contentTypes,
  };
}
