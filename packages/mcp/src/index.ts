/**
 * The public names of `@toolmeter/mcp`. Adding a line here makes API: name it in the README.
 */
export { Connection } from "./connection.ts";
export { instrument, instrumentation } from "./instrument.ts";
export { Instrumentation } from "./instrumentation.ts";
export { LineSplitter } from "./lines.ts";

export type { ConnectionContext } from "./connection.ts";
export type { InstrumentOptions, InstrumentationReport } from "./instrumentation.ts";
export type { Direction } from "./message.ts";
export type { RejectionReason } from "./outcome.ts";
export type { PayloadContext } from "./payload.ts";
