import { CONTENT_TYPES, type ContentType } from "@toolmeter/core";
import { isCostlyToCut } from "@toolmeter/core/beginning";
import { type JsonObject, isObject } from "./message.ts";
import { readable } from "./readable.ts";

/**
 * How tokens are estimated: a quarter of the characters that a model reads. Exact counts need the model's vocabulary,
 * which a server does not know.
 */
export const TOKEN_METHOD = "characters/4";

export interface Size {
  readonly bytes: number;
  readonly tokens: number;
}

export interface ResultSize extends Size {
  readonly contentTypes?: Partial<Record<ContentType, number>>;
}

/** Longer texts are not serialised to be counted: 100 kB take 0.15 ms. */
const LONG_TEXT = 4_096;

/** Limit of the work per result, in characters of long texts. Beyond it a character counts as a byte. */
const MAX_CHARACTERS = 4_194_304;

/** Serialising one character takes as long as counting the bytes of this many. */
const SERIALISING = 16;

/** ASCII that JSON does not escape. */
const PLAIN = /^[ !#-[\]-~]*$/;

function tokensOf(characters: number): number {
  return Math.ceil(characters / 4);
}

/** Returns the size of a JSON text: its bytes in UTF-8. */
export function sizeOfText(json: string): Size {
  return { bytes: Buffer.byteLength(json), tokens: tokensOf(json.length) };
}

/** Returns the minimum size of a value that was read in part: each character counts as a byte. */
export function sizeOfLength(characters: number): Size {
  return { bytes: characters, tokens: tokensOf(characters) };
}

/**
 * Returns the size of a tool's result: the bytes of its JSON in UTF-8, without the escapes in texts above 4,096
 * characters, and the estimated tokens that a model reads: the texts or, without any, the structured content. Images,
 * audio and other base64 are counted by type, never as text.
 *
 * Only the first 16,384 values are counted. After 4 M characters (262,144 in short texts with escapes or beyond ASCII)
 * a character counts as a byte.
 */
export function sizeOfResult(result: unknown): ResultSize {
  const { value } = readable(result);
  const plain = isObject(value) ? value : {};
  const blocks = Array.isArray(plain["content"]) ? plain["content"].filter(isObject) : [];
  const contentTypes: Partial<Record<ContentType, number>> = {};
  let characters = 0;
  for (const block of blocks) {
    const type = contentType(block);
    contentTypes[type] = (contentTypes[type] ?? 0) + 1;
    characters += textOf(block).length;
  }
  if (characters === 0 && plain["structuredContent"] !== undefined) {
    characters = new JsonMeter().measure(plain["structuredContent"]).characters;
  }
  const { bytes } = new JsonMeter().measure(plain);
  const sizes = { bytes, tokens: tokensOf(characters) };
  return blocks.length === 0 ? sizes : { ...sizes, contentTypes };
}

/** Measures the JSON of plain data without writing it. */
class JsonMeter {
  #room = MAX_CHARACTERS;
  bytes = 0;
  characters = 0;

  measure(value: unknown): this {
    if (typeof value === "string") this.#text(value);
    else if (Array.isArray(value)) {
      this.#add(Math.max(2, value.length + 1));
      for (const part of value) this.measure(part);
    } else if (isObject(value)) {
      const keys = Object.keys(value);
      this.#add(Math.max(2, 2 * keys.length + 1));
      for (const key of keys) this.#text(key).measure(value[key]);
    } else
      this.#add(typeof value === "number" && !Number.isFinite(value) ? 4 : String(value).length);
    return this;
  }

  #text(text: string): this {
    if (text.length > LONG_TEXT) {
      const isRead = this.#take(text.length) && !isCostlyToCut(text);
      return this.#add(text.length + 2, isRead ? Buffer.byteLength(text) + 2 : undefined);
    }
    if (PLAIN.test(text) || !this.#take(SERIALISING * text.length))
      return this.#add(text.length + 2);
    const json = JSON.stringify(text);
    return this.#add(json.length, Buffer.byteLength(json));
  }

  #take(work: number): boolean {
    this.#room -= work;
    return this.#room >= 0;
  }

  #add(characters: number, bytes = characters): this {
    this.characters += characters;
    this.bytes += bytes;
    return this;
  }
}

function contentType({ type }: JsonObject): ContentType {
  return CONTENT_TYPES.find((known) => known === type) ?? "other";
}

/** Returns the text of a block that a model reads. */
function textOf(block: JsonObject): string {
  if (typeof block["text"] === "string") return block["text"];
  const resource = block["resource"];
  return isObject(resource) && typeof resource["text"] === "string" ? resource["text"] : "";
}
