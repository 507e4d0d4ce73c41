import { TelemetryService, createAnalyticsDb, toolCalls } from "@toolmeter/core";
import { type ConversationContext } from "../../src/protocol/call-recorder.ts";
import { Conversation } from "../../src/protocol/conversation.ts";
import { TargetState } from "../../src/protocol/target-state.ts";

/** A conversation that is recorded into memory. */
export function recordedConversation(
  context: ConversationContext = { transport: "stdio" },
  capturePayloads = false,
) {
  const db = createAnalyticsDb(":memory:");
  const telemetry = new TelemetryService(db, { capturePayloads });
  const redaction = capturePayloads ? {} : undefined;
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  const target = new TargetState();
  const destination = { telemetry, open: () => telemetry, missed: () => undefined };
  const conversation = new Conversation({ destination, target, redaction, logger }, context);
  return {
    conversation,
    target,
    db,
    telemetry,
    async calls() {
      await telemetry.flush();
      return db.select().from(toolCalls).orderBy(toolCalls.sequence).all();
    },
    async [Symbol.asyncDispose]() {
      await telemetry.shutdown();
      db.close();
    },
  };
}
