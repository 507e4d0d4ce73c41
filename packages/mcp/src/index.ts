/**
 * The public names of `@toolmeter/mcp`. Adding a line here makes API: name it in the README.
 */
export { Connection } from "./protocol/connection.ts";
export { instrument, instrumentation } from "./attaching/instrument.ts";
export { Instrumentation } from "./attaching/instrumentation.ts";
export { LineSplitter } from "./protocol/lines.ts";

export type { ConnectionContext } from "./protocol/connection.ts";
export type { InstrumentOptions, InstrumentationReport } from "./attaching/instrumentation.ts";
export type { Direction } from "./protocol/message.ts";
export type { RejectionReason } from "./protocol/outcome.ts";
export type { PayloadContext } from "./protocol/payload.ts";
