import type { InstrumentOptions } from "@toolmeter/mcp";

/** What of recording can be chosen on the command line. */
export type RecordOptions = Pick<
  InstrumentOptions,
  "capturePayloads" | "enabled" | "path" | "redactKeys" | "serverName" | "serverVersion"
>;
