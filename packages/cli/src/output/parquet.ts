import type { CallRecord } from "@toolmeter/core/queries";
import { type BasicType, ParquetWriter, fileWriter, schemaFromColumnData } from "hyparquet-writer";

type Column = keyof CallRecord;

/** Calls that are in memory at once. */
const ROW_GROUP = 20_000;

const TYPES: Partial<Record<Column, BasicType>> = {
  sequence: "INT64",
  started_at_ms: "TIMESTAMP",
  duration_ms: "DOUBLE",
  error_code: "INT32",
  input_bytes: "INT64",
  output_bytes: "INT64",
  input_tokens: "INT64",
  output_tokens: "INT64",
  cache_hit: "BOOLEAN",
};

/** Writes calls as a Parquet file: `started_at_ms` as a timestamp, JSON columns as text. */
export function writeParquet(
  file: string,
  calls: Iterable<CallRecord>,
  columns: readonly Column[],
): void {
  const writer = fileWriter(file);
  const parquet = new ParquetWriter({
    writer,
    schema: schemaFromColumnData({ columnData: toColumns([], columns) }),
  });
  let rows: CallRecord[] = [];
  const writeRows = () => {
    const columnData = toColumns(rows, columns).map(({ name, data }) => ({ name, data }));
    void parquet.write({ columnData, rowGroupSize: ROW_GROUP });
    rows = [];
  };
  for (const call of calls) {
    rows.push(call);
    if (rows.length === ROW_GROUP) writeRows();
  }
  if (rows.length > 0) writeRows();
  void parquet.finish();
}

function toColumns(rows: readonly CallRecord[], columns: readonly Column[]) {
  return columns.map((name) => {
    const type = TYPES[name] ?? "STRING";
    return { name, type, nullable: true, data: rows.map((row) => convert(row[name], type)) };
  });
}

function convert(value: string | number | null, type: BasicType) {
  if (value === null) return null;
  switch (type) {
    case "INT64":
      return BigInt(value);
    case "TIMESTAMP":
      return new Date(value);
    case "BOOLEAN":
      return value === 1;
    default:
      return value;
  }
}
