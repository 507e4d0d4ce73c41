import { estimateShallowMemoryUsageOf } from "bun:jsc";
import {
  isAnyArrayBuffer,
  isBooleanObject,
  isBoxedPrimitive,
  isNumberObject,
  isProxy,
  isSharedArrayBuffer,
  isStringObject,
} from "node:util/types";
import { isCostlyToCut } from "./beginning.ts";

/** SQLite's JSON functions reject deeper nesting (https://sqlite.org/json1.html). */
const MAX_DEPTH = 1_000;

/** Wider objects are not read: the engine collects all names before it yields the first, 0.2 µs each. */
const MAX_PROPERTIES = 16_384;

const TOO_WIDE = `an object of more than ${MAX_PROPERTIES} properties`;

const MAX_PROTOTYPES = 100;

/** The engine's memory estimate for a small object. Each additional property adds at least 1. */
const SMALL_OBJECT = 64;

/** Larger bigints are not read: decimal conversion is quadratic in their length. */
const MAX_BIGINT = 10n ** 1_000n;

/** Limits on the work of one copy. */
export interface CopyLimits {
  /** Values visited, including those that JSON omits. */
  readonly nodes: number;
  /** Characters of JSON text copied, not counting escapes. */
  readonly characters: number;
}

export interface BoundedCopy {
  /** Arrays, primitives and objects without a prototype. `undefined` if JSON cannot represent the value. */
  readonly value: unknown;
  /** Length of the JSON text in characters, not counting escapes; a lower bound unless `isWhole`. */
  readonly length: number;
  /** False if a limit was reached; `value` then holds only the beginning. */
  readonly isWhole: boolean;
}

type Properties = Readonly<Record<string, unknown>>;

/**
 * Copies a value as plain data, with the content that `JSON.stringify` would write, and stops at the limits.
 *
 * A bigint becomes its decimal text. Binary data, including the output of `Buffer.toJSON`, becomes
 * `{"$bytes": <size>, "type": <class>}`. A value of unbounded cost (a proxy, an object with more than 16,384
 * properties, a bigint with more than 1,000 digits) becomes `{"$unserializable": <reason>}`.
 *
 * Getters and `toJSON` run once per visit. They are the host's code, so the limits do not cover their own time.
 *
 * Throws on a cycle and on more than 1,000 levels; rethrows errors from getters and `toJSON`.
 */
export function boundedCopy(value: unknown, limits: CopyLimits): BoundedCopy {
  const copier = new Copier(limits);
  const copy = copier.copy("", value);
  return { value: copy, length: copier.length, isWhole: !copier.isStopped };
}

class Copier {
  readonly #limits: CopyLimits;
  /** The ancestors of the current value. */
  readonly #path: object[] = [];
  #nodes = 0;
  length = 0;
  isStopped = false;

  constructor(limits: CopyLimits) {
    this.#limits = limits;
  }

  copy(key: string | number, value: unknown): unknown {
    this.#visit(1);
    if (this.isStopped) return undefined;
    if (typeof value === "object" && value !== null) {
      return this.#opaque(value) ?? this.#json(key, value);
    }
    if (typeof value === "function") return isProxy(value) ? undefined : this.#json(key, value);
    return this.#primitive(value);
  }

  #visit(nodes: number): void {
    this.#nodes += nodes;
    if (this.#nodes > this.#limits.nodes) this.#stop();
  }

  #write<Value>(value: Value, length: number): Value {
    this.length += length;
    if (this.length > this.#limits.characters) this.#stop();
    return value;
  }

  #stop(): void {
    if (this.isStopped) return;
    this.isStopped = true;
    // A walk that enters a cycle never leaves it, so one check at the end is enough.
    if (this.#isInCycle) throw new TypeError("a cyclic structure");
  }

  get #isInCycle(): boolean {
    return new Set(this.#path).size < this.#path.length;
  }

  #primitive(value: unknown): unknown {
    switch (typeof value) {
      case "string":
        return this.#text(value);
      case "number":
        return this.#write(value, Number.isFinite(value) ? String(value).length : 4);
      case "boolean":
        return this.#write(value, value ? 4 : 5);
      case "bigint":
        return this.#bigint(value);
      case "object":
        return this.#write(null, 4);
      default:
        return undefined;
    }
  }

  #text(text: string): unknown {
    const room = this.#limits.characters - this.length;
    if (text.length <= room) return this.#write(text, text.length + 2);
    if (isCostlyToCut(text))
      return this.#unread(`a concatenated text of ${text.length} characters`);
    return this.#write(text.slice(0, Math.max(0, room)), text.length + 2);
  }

  #bigint(value: bigint): unknown {
    return value < MAX_BIGINT && value > -MAX_BIGINT
      ? this.#text(String(value))
      : this.#unread("a bigint of more than 1000 digits");
  }

  #unread(reason: string): Properties {
    return this.#write({ $unserializable: reason }, 22 + reason.length);
  }

  #binary(type: string, size: number): Properties {
    return this.#write({ $bytes: size, type }, 21 + String(size).length + type.length);
  }

  /** The replacement for an object whose content is not read; `undefined` if the content is to be read. */
  #opaque(value: object): Properties | undefined {
    // Throws for a revoked proxy and runs no code of other proxies.
    const isArray = Array.isArray(value);
    if (isProxy(value)) return this.#unread("a proxy");
    if (isArray) return undefined;
    if (isRawJson(value)) return this.#write(value, value.rawJSON.length);
    if (!isBinary(value)) return undefined;
    return value instanceof Blob
      ? this.#binary("Blob", value.size)
      : this.#binary(binaryClass(value), value.byteLength);
  }

  /** Applies the value's `toJSON` once; a `toJSON` of the result is ignored, as in `JSON.stringify`. */
  #json(key: string | number, value: object): unknown {
    const toJson: unknown = Reflect.get(value, "toJSON");
    if (typeof toJson !== "function") return this.#container(value);
    const json: unknown = Reflect.apply(toJson, value, [String(key)]);
    if (typeof json !== "object" || json === null) return this.#primitive(json);
    return this.#opaque(json) ?? this.#container(json);
  }

  #container(value: object): unknown {
    if (typeof value === "function") return undefined;
    if (isBoxedPrimitive(value)) return this.#primitive(unboxed(value));
    if (this.#path.length === MAX_DEPTH) {
      this.#stop();
      throw new RangeError(`more than ${MAX_DEPTH} levels deep`);
    }
    this.#path.push(value);
    this.#write(undefined, 2);
    const copy = Array.isArray(value) ? this.#array(value) : this.#properties(value);
    this.#path.pop();
    return copy;
  }

  #array(source: readonly unknown[]): unknown[] {
    const copy: unknown[] = [];
    const { length } = source;
    for (let i = 0; i < length && !this.isStopped; i++) {
      if (i > 0) this.#write(undefined, 1);
      const part = this.copy(i, source[i]);
      if (part === undefined && this.isStopped) break;
      copy.push(part === undefined ? this.#write(null, 4) : part);
    }
    return copy;
  }

  #properties(source: object): unknown {
    const obstacle = obstacleIn(source);
    if (obstacle !== undefined) return this.#unread(obstacle);
    const copy: Record<string, unknown> = Object.create(null);
    let visited = 0;
    let written = 0;
    let bytes: number | undefined;
    for (const key in source) {
      if (this.isStopped) break;
      visited += 1;
      if (!Object.hasOwn(source, key)) {
        this.#visit(1);
        continue;
      }
      const value: unknown = Reflect.get(source, key);
      const name = key.length + (written === 0 ? 3 : 4);
      this.#write(undefined, name);
      const isBytes = written === 1 && isBufferData(copy, key, value);
      if (isBytes) bytes = value.length;
      const part = isBytes ? this.#binary("Buffer", value.length) : this.copy(key, value);
      if (part !== undefined) {
        copy[key] = part;
        written += 1;
      } else if (!this.isStopped) this.length -= name;
    }
    // Non-enumerable names cost the engine the same time.
    this.#visit(Math.max(0, estimateShallowMemoryUsageOf(source) - SMALL_OBJECT - visited));
    return bytes !== undefined && written === 2 ? { $bytes: bytes, type: "Buffer" } : copy;
  }
}

/** The reason why an object's names cannot be listed at bounded cost, if there is one. */
function obstacleIn(source: object): string | undefined {
  if (estimateShallowMemoryUsageOf(source) > MAX_PROPERTIES) return TOO_WIDE;
  let inherited: object | null = Object.getPrototypeOf(source);
  for (let level = 0; inherited !== null && inherited !== Object.prototype; level++) {
    // `for … in` also lists inherited names.
    if (isProxy(inherited)) return "an object that inherits from a proxy";
    if (level > MAX_PROTOTYPES || estimateShallowMemoryUsageOf(inherited) > MAX_PROPERTIES)
      return TOO_WIDE;
    inherited = Object.getPrototypeOf(inherited);
  }
  return undefined;
}

/**
 * The result of `JSON.rawJSON`: source text that is not reformatted (https://tc39.es/proposal-json-parse-with-source/).
 */
interface RawJson extends Properties {
  readonly rawJSON: string;
}

/** TypeScript's library does not declare `JSON.isRawJSON` yet. */
const isRawJson: (value: object) => value is RawJson = Reflect.get(JSON, "isRawJSON");

function isBinary(value: object): value is ArrayBufferLike | ArrayBufferView | Blob {
  return ArrayBuffer.isView(value) || isAnyArrayBuffer(value) || value instanceof Blob;
}

/** Reads internal slots, because own properties of the value can be forged. */
function binaryClass(value: ArrayBufferLike | ArrayBufferView): string {
  if (Buffer.isBuffer(value)) return "Buffer";
  if (!ArrayBuffer.isView(value)) {
    return isSharedArrayBuffer(value) ? "SharedArrayBuffer" : "ArrayBuffer";
  }
  const typedArray: object = Object.getPrototypeOf(Uint8Array.prototype);
  return String(Reflect.get(typedArray, Symbol.toStringTag, value) ?? "DataView");
}

/** Whether the object is the output of `Buffer.toJSON`: `{"type":"Buffer","data":[…]}`. */
function isBufferData(copy: Properties, key: string, value: unknown): value is readonly unknown[] {
  return key === "data" && copy["type"] === "Buffer" && Array.isArray(value) && !isProxy(value);
}

function unboxed(value: object): unknown {
  if (isNumberObject(value)) return Number(value);
  if (isStringObject(value)) return String(value);
  return isBooleanObject(value) ? Boolean.prototype.valueOf.call(value) : value.valueOf();
}
