/**
 * The public names of `@toolmeter/mcp`. Each line here is API: document it in `docs`.
 */
export { instrument, instrumentation } from "./attaching/instrument.ts";
export { Instrumentation } from "./attaching/instrumentation.ts";
export { parseMessage } from "./protocol/message.ts";
export { StdioObserver } from "./attaching/stdio-observer.ts";

export type { Conversation } from "./protocol/conversation.ts";
export type { ConversationContext } from "./protocol/call-recorder.ts";
export type {
  InstrumentOptions,
  InstrumentationReport,
  TargetName,
} from "./attaching/instrumentation.ts";
export type { Direction } from "./protocol/message.ts";
export type { RejectionReason } from "./protocol/outcome.ts";
export type { PayloadContext } from "./protocol/payload.ts";
