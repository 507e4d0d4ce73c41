import type { InstrumentOptions } from "@toolmeter/mcp";

/** The recording options of the command line. */
export type RecordOptions = Pick<
  InstrumentOptions,
  "capturePayloads" | "enabled" | "path" | "redactKeys" | "serverName" | "serverVersion"
>;
