import { CONTENT_TYPES, type ContentType } from "@toolmeter/core";
import { type JsonObject, isObject } from "./message.ts";

/**
 * The estimate: a quarter of the characters that a model reads. Exact counts need the model's own
 * vocabulary, which a server does not know.
 */
export const TOKEN_METHOD = "characters/4";

export interface Size {
  readonly bytes: number;
  readonly tokens: number;
}

export interface ResultSize extends Size {
  readonly contentTypes?: Partial<Record<ContentType, number>>;
}

/** A longer text is not serialised to be counted: 100 kB take 0.15 ms. */
const LONG_TEXT = 4_096;

function tokensOf(characters: number): number {
  return Math.ceil(characters / 4);
}

/** Of a JSON text: its bytes in UTF-8. */
export function sizeOfText(json: string): Size {
  return { bytes: Buffer.byteLength(json), tokens: tokensOf(json.length) };
}

/**
 * Of a tool's result: the bytes of its JSON in UTF-8, without the escapes in texts above 4,096 characters,
 * and the estimated tokens of what a model reads of it: its texts, or, without any, the structured content.
 * Images, audio and other base64 are counted by their type, never as text.
 */
export function sizeOfResult(result: JsonObject): ResultSize {
  const blocks = Array.isArray(result["content"]) ? result["content"].filter(isObject) : [];
  const contentTypes: Partial<Record<ContentType, number>> = {};
  let characters = 0;
  let longBytes = 0;
  const light = blocks.map((block) => {
    const type = contentType(block);
    contentTypes[type] = (contentTypes[type] ?? 0) + 1;
    characters += textOf(block).length;
    const long = longTexts(block);
    if (!long) return block;
    longBytes += long.bytes;
    return long.rest;
  });
  const rest = longBytes > 0 ? { ...result, content: light } : result;
  const bytes = Buffer.byteLength(JSON.stringify(rest)) + longBytes;
  if (characters === 0 && result["structuredContent"] !== undefined) {
    characters = JSON.stringify(result["structuredContent"])?.length ?? 0;
  }
  const sizes = { bytes, tokens: tokensOf(characters) };
  return blocks.length === 0 ? sizes : { ...sizes, contentTypes };
}

function contentType({ type }: JsonObject): ContentType {
  return CONTENT_TYPES.find((known) => known === type) ?? "other";
}

/** What a model reads of a block. */
function textOf(block: JsonObject): string {
  if (typeof block["text"] === "string") return block["text"];
  const resource = block["resource"];
  return isObject(resource) && typeof resource["text"] === "string" ? resource["text"] : "";
}

/** The long texts and base64 of a block, counted, and the block without them; undefined if it has none. */
function longTexts(block: JsonObject) {
  let bytes = 0;
  const lighten = (part: JsonObject): JsonObject =>
    Object.fromEntries(
      Object.entries(part).map(([key, value]) => {
        if (isObject(value)) return [key, lighten(value)];
        if (typeof value !== "string" || value.length <= LONG_TEXT) return [key, value];
        bytes += Buffer.byteLength(value);
        return [key, ""];
      }),
    );
  const isLong = (part: JsonObject): boolean =>
    Object.values(part).some((value) =>
      typeof value === "string" ? value.length > LONG_TEXT : isObject(value) && isLong(value),
    );
  if (!isLong(block)) return undefined;
  const rest = lighten(block);
  return { rest, bytes };
}
