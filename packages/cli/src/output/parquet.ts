import type { CallRecord } from "@toolmeter/core/queries";
import { type BasicType, ByteWriter, ParquetWriter, schemaFromColumnData } from "hyparquet-writer";
import { CommandError } from "../failures/command-error.ts";
import type { Write } from "./whole-file.ts";

type Column = keyof CallRecord;

/** Maximum number of calls in memory at once, and of characters in their payloads. */
const ROW_GROUP = 20_000;
const ROW_GROUP_LENGTH = 32 * 1_048_576;

const TYPES: Partial<Record<Column, BasicType>> = {
  sequence: "INT64",
  started_at_ms: "TIMESTAMP",
  duration_ms: "DOUBLE",
  // JSON-RPC error codes are integers of any size; an HRESULT takes 33 bits.
  error_code: "INT64",
  input_bytes: "INT64",
  output_bytes: "INT64",
  input_tokens: "INT64",
  output_tokens: "INT64",
  cache_hit: "BOOLEAN",
};

/** Writes each row group at once. */
class RowGroupWriter extends ByteWriter {
  readonly #write: Write;

  constructor(write: Write) {
    super();
    this.#write = write;
  }

  flush(): void {
    this.#write(this.getBytes());
    this.index = 0;
  }

  override finish(): void {
    this.flush();
  }
}

/** Writes calls as a Parquet file: `started_at_ms` as a timestamp, JSON columns as text. */
export async function writeParquet(
  write: Write,
  calls: Iterable<CallRecord>,
  columns: readonly Column[],
): Promise<void> {
  const parquet = new ParquetWriter({
    writer: new RowGroupWriter(write),
    schema: schemaFromColumnData({ columnData: toColumns([], columns) }),
  });
  for (const rows of rowGroups(calls)) {
    const columnData = toColumns(rows, columns).map(({ name, data }) => ({ name, data }));
    await parquet.write({ columnData, rowGroupSize: rows.length });
    await new Promise((done) => setImmediate(done));
  }
  await parquet.finish();
}

function* rowGroups(calls: Iterable<CallRecord>): Iterable<readonly CallRecord[]> {
  let rows: CallRecord[] = [];
  let length = 0;
  for (const call of calls) {
    rows.push(call);
    for (const text of [call.arguments, call.result, call.attributes]) length += text?.length ?? 0;
    if (rows.length < ROW_GROUP && length < ROW_GROUP_LENGTH) continue;
    yield rows;
    rows = [];
    length = 0;
  }
  if (rows.length > 0) yield rows;
}

function toColumns(rows: readonly CallRecord[], columns: readonly Column[]) {
  return columns.map((name) => {
    const type = TYPES[name] ?? "STRING";
    const data = rows.map((row) => {
      try {
        return convert(row[name], type);
      } catch {
        throw new CommandError(
          `Expected ${type} in ${name} of call ${row.id}, got ${JSON.stringify(row[name])}. Use JSON Lines instead: --format jsonl`,
        );
      }
    });
    return { name, type, nullable: true, data };
  });
}

/** Throws if the type cannot represent the value. */
function convert(value: string | number | null, type: BasicType) {
  if (value === null) return null;
  switch (type) {
    case "INT64":
      return BigInt(value);
    case "TIMESTAMP":
      return toDate(value);
    case "BOOLEAN":
      return value === 1;
    default:
      return value;
  }
}

function toDate(value: string | number): Date {
  const date = new Date(value);
  if (Number.isNaN(date.getTime())) throw new RangeError("beyond the range of a Date");
  return date;
}
