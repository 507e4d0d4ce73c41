/** Values of a host that would take long to read, through the whole service into a real database. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  TelemetryService,
  type ToolCallMetadata,
  createAnalyticsDb,
} from "../../../../src/analytics/index.ts";
import {
  explainRefusal,
  toolCallMetadataSchema,
} from "../../../../src/analytics/records/metadata.ts";
import { toCallDetails } from "../../../../src/analytics/records/details.ts";
import { encodeCall } from "../../../../src/analytics/records/record.ts";
import { memoryLogger } from "../../../support/memory-logger.ts";

const MB = 1_000_000;
const POLICY = { capturePayloads: false, maxPayloadLength: 1_000 };
const LONG = Buffer.alloc(50 * MB, "x").toString();
const ESCAPES = Buffer.alloc(5 * MB, 1).toString();

function doubled(levels: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < levels; i++) value = [value, value];
  return value;
}

function holes(length: number): unknown[] {
  const list: unknown[] = [];
  list.length = length;
  return list;
}

function shared(levels: number): unknown {
  let value: unknown = {};
  for (let i = 0; i < levels; i++) value = { value, again: value };
  return value;
}

/** Deeper by its second way in than by its first. */
function deepByTheBack(): unknown {
  let inner: unknown = 1;
  for (let i = 0; i < 900; i++) inner = [inner];
  let outer: unknown = inner;
  for (let i = 0; i < 900; i++) outer = [outer];
  return [inner, outer];
}

const VALUES: Record<string, unknown> = {
  "6 MB of bytes": new Uint8Array(6 * MB),
  "a 50 MB buffer": Buffer.alloc(50 * MB),
  "numbers of a buffer": Buffer.alloc(MB).toJSON(),
  "100 million holes": holes(100 * MB),
  "shared references, 40 levels": doubled(40),
  "shared objects, 40 levels": shared(40),
  "a part that is deeper by its second way": deepByTheBack(),
  "50 MB of text": LONG,
  "5 MB of control characters": ESCAPES,
  "5 MB of lone surrogates": "\ud800".repeat(5 * MB),
  "100,000 properties": Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, i])),
  "a property with a long name": { [LONG]: 1 },
  "a huge bigint": 1n << 1_000_000n,
  "an endless proxy": new Proxy({}, { ownKeys: () => holes(100 * MB).map(String) }),
  "a symbol with a long description": { [Symbol(LONG)]: 1, a: Symbol(LONG) },
};

interface StoredRow {
  readonly valid: number;
  readonly longest: number;
  readonly toolName: string;
  readonly message: string | null;
}

/** What is stored of these, from the file, and what was refused. */
async function stored(record: (telemetry: TelemetryService) => void) {
  using db = createAnalyticsDb(":memory:");
  const logger = memoryLogger();
  const telemetry = new TelemetryService(db, { capturePayloads: true, logger });
  record(telemetry);
  await telemetry.flush();
  // Over the whole table: one invalid text fails all of it.
  const rows = db.$client
    .query<StoredRow, []>(
      `select json_valid(arguments) + json_valid(result) + json_valid(attributes) as valid,
         max(length(arguments), length(result), length(attributes) + 49152) as longest,
         json_extract(attributes, '$.v'), tool_name as toolName, error_message as message
       from tool_calls order by sequence`,
    )
    .all();
  return { rows, refused: telemetry.stats.dropped.invalid, lines: logger.lines };
}

describe("a value that takes long to read", () => {
  test.each(Object.entries(VALUES))("is stored within the limits: %s", async (_name, v) => {
    const payloads = { arguments: { v }, result: v, attributes: { v } };
    const { rows, refused } = await stored((telemetry) => {
      telemetry.recordToolCall({ toolName: "a", durationMs: 1, ...payloads });
      telemetry.startToolCall({ toolName: "b", ...payloads }).end(payloads);
    });
    expect(refused).toBe(0);
    expect(rows.map(({ valid }) => valid)).toEqual([3, 3]);
    for (const { longest } of rows) expect(longest).toBeLessThanOrEqual(65_536);
  });

  test("of any kind, stored together, leaves every row readable", async () => {
    const part = fc.constantFrom(...Object.values(VALUES));
    const value = fc.oneof(
      part,
      fc.array(part, { maxLength: 4 }),
      fc.dictionary(fc.string(), part),
    );
    const values = fc.sample(value, 30);
    const { rows, refused } = await stored((telemetry) => {
      for (const v of values) {
        const payloads = { arguments: v, result: [v], attributes: { v } };
        telemetry.recordToolCall({ toolName: "a", durationMs: 1, ...payloads });
      }
    });
    expect(refused).toBe(0);
    expect(rows.map(({ valid }) => valid)).toEqual(values.map(() => 3));
  });
});

describe("metadata that takes long to read", () => {
  test("has its texts cut before they are copied", () => {
    const call: Record<string, unknown> = { durationMs: 1 };
    for (const [key, { def }] of Object.entries(toolCallMetadataSchema.shape)) {
      const type = def.type === "optional" ? def.innerType.def.type : def.type;
      if (type === "string" || type === "union") call[key] = LONG;
    }
    const line = encodeCall("id", 1, toCallDetails(toolCallMetadataSchema.parse(call), POLICY));
    expect(Object.keys(call).length).toBeGreaterThan(15);
    expect(line.length).toBeLessThan(10_000);
  });

  test("of 20,000 unknown fields is read only where it is known", async () => {
    let reads = 0;
    const unknown = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, i) => {
        const get = () => (reads += 1);
        return [`k${i}`, { enumerable: true, get }] as const;
      }),
    );
    const call = (known: object) => Object.defineProperties(known, unknown) as ToolCallMetadata;
    const { rows, refused } = await stored((telemetry) => {
      telemetry.recordToolCall(call({ toolName: "a", durationMs: 1 }));
      telemetry.startToolCall(call({ toolName: "b" })).end(call({ errorMessage: "c" }));
      telemetry.startToolCall({ toolName: "d" }).end(
        () => call({}),
        () => call({}),
      );
      telemetry.startSession("s", call({}));
    });
    expect(refused).toBe(0);
    expect(rows.map(({ toolName }) => toolName)).toEqual(["a", "b", "d"]);
    expect(reads).toBe(0);
  });

  test("has attributes of any width", async () => {
    const wide = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`k${i}`, i]));
    const { rows, refused } = await stored((telemetry) => {
      telemetry.recordToolCall({ toolName: "a", durationMs: 1, attributes: wide });
      telemetry.startSession("s", { attributes: wide });
    });
    expect(refused).toBe(0);
    expect(rows).toHaveLength(1);
  });

  test("may name definitions without end, of which the first 1,000 are taken", async () => {
    const hashes = Array.from({ length: 100_000 }, (_, i) => `h${i}`);
    const holed = holes(100 * MB) as string[];
    const { refused, lines } = await stored((telemetry) => {
      telemetry.startSession("s", { definitionHashes: hashes });
      telemetry.startSession("t", { definitionHashes: holed });
    });
    expect(refused).toBe(1);
    expect(lines.join("").length).toBeLessThan(10_000);
  });

  test("is refused with a short reason", async () => {
    const types = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`k${i}`, LONG]));
    const { refused, lines } = await stored((telemetry) => {
      const call = { toolName: "a", durationMs: 1, outputContentTypes: types };
      telemetry.recordToolCall(call);
      telemetry.recordToolCall({ ...call, outputContentTypes: {}, status: LONG } as never);
    });
    expect(refused).toBe(2);
    expect(lines.join("").length).toBeLessThan(10_000);
    expect(explainRefusal(new Error(LONG)).length).toBeLessThan(10_000);
    expect(explainRefusal(Symbol(LONG)).length).toBeLessThan(10_000);
  });

  test("whose getters throw is refused, and one whose attributes do is not", async () => {
    const get = () => {
      throw new Error("no");
    };
    const { rows, refused } = await stored((telemetry) => {
      const call = { toolName: "a", durationMs: 1 };
      telemetry.recordToolCall(Object.defineProperty({ ...call }, "errorCode", { get }));
      const attributes = Object.defineProperty({}, "v", { get, enumerable: true });
      telemetry.recordToolCall({ ...call, attributes });
    });
    expect(refused).toBe(1);
    expect(rows).toHaveLength(1);
  });
});
