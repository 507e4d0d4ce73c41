import {
  type CallToolRequestOptions,
  type CallToolResult,
  type Client,
  ProtocolError,
  SdkError,
  SdkErrorCode,
} from "@modelcontextprotocol/client";
import type { SessionDetails, TelemetryService, ToolCallMetadata } from "@toolmeter/core";
import { CLIENT } from "./servers.ts";

export interface ToolRequest {
  readonly name: string;
  readonly arguments?: Record<string, unknown>;
}

type Outcome = Pick<
  ToolCallMetadata,
  "status" | "errorType" | "errorCode" | "errorMessage" | "outputBytes"
>;

/** A connection whose calls are recorded: all there is to do for a host that records by hand. */
export class RecordedSession implements Disposable {
  readonly id = crypto.randomUUID();
  readonly #telemetry: TelemetryService;
  readonly #client: Client;
  readonly #details: SessionDetails;

  constructor(telemetry: TelemetryService, client: Client) {
    const server = client.getServerVersion();
    this.#telemetry = telemetry;
    this.#client = client;
    this.#details = {
      clientName: CLIENT.name,
      clientVersion: CLIENT.version,
      serverName: server?.name,
      serverVersion: server?.version,
      protocolVersion: client.getNegotiatedProtocolVersion(),
      transport: "stdio",
    };
    telemetry.startSession(this.id, this.#details);
  }

  /** `client.callTool`, recorded: the result or the error reaches the caller as it is. */
  async callTool(
    request: ToolRequest,
    options: CallToolRequestOptions = {},
  ): Promise<CallToolResult> {
    const startedAt = performance.now();
    try {
      const result = await this.#client.callTool(request, options);
      this.#record(request, performance.now() - startedAt, resultOutcome(result));
      return result;
    } catch (error) {
      this.#record(request, performance.now() - startedAt, errorOutcome(error, options.signal));
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#telemetry.endSession(this.id, "closed");
  }

  #record(request: ToolRequest, durationMs: number, outcome: Outcome): void {
    this.#telemetry.recordToolCall({
      ...this.#details,
      ...outcome,
      sessionId: this.id,
      toolName: request.name,
      durationMs,
      inputBytes: jsonBytes(request.arguments ?? {}),
    });
  }
}

/** Servers on version 1 of the SDK answer an unknown tool or bad arguments with a result that says this. */
const REJECTION = /^MCP error (-\d+): (.*)/s;

function resultOutcome(result: CallToolResult): Outcome {
  const outputBytes = jsonBytes(result);
  if (!result.isError) return { status: "success", outputBytes };
  const text = result.content.find((block) => block.type === "text")?.text;
  const [, code, reason] = text?.match(REJECTION) ?? [];
  return code === undefined
    ? { status: "error", errorType: "tool_error", errorMessage: text, outputBytes }
    : { ...rejection(Number(code), reason), outputBytes };
}

function errorOutcome(error: unknown, signal: AbortSignal | undefined): Outcome {
  if (signal?.aborted) return { status: "cancelled", errorMessage: String(signal.reason) };
  if (error instanceof ProtocolError) return rejection(error.code, error.message);
  const errorMessage = error instanceof Error ? error.message : String(error);
  if (!(error instanceof SdkError)) return { status: "error", errorMessage };
  const status = error.code === SdkErrorCode.RequestTimeout ? "timeout" : "error";
  return { status, errorType: error.code, errorMessage };
}

/** The call never reached the tool: a JSON-RPC error. */
function rejection(errorCode: number, errorMessage: string | undefined): Outcome {
  return { status: "rejected", errorType: "protocol_error", errorCode, errorMessage };
}

function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}
