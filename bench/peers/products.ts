/** The setup of each product, as its README describes, with a local sink. */
import type { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";

type Answer = { content: { type: "text"; text: string }[] };
type Tool = () => Answer | Promise<Answer>;

export interface Product {
  /** Runs before the tools are registered. */
  before?(server: McpServer, sink: string): Promise<void>;
  /** Wraps each tool, if the product requires it. */
  around?(name: string, tool: Tool): Tool;
  /** Runs after the tools are registered, before the server is connected. */
  after?(server: McpServer, sink: string): Promise<void>;
}

const NAME = "bench";
const VERSION = "1.0.0";

export const PRODUCTS: Record<string, Product> = {
  bare: {},
  toolmeter: {
    async after(server) {
      const { instrument } = await import("../../packages/mcp/src/index.ts");
      instrument(server);
    },
  },
  opentelemetry: {
    async before(_server, sink) {
      const { trace } = await import("@opentelemetry/api");
      const { BasicTracerProvider, BatchSpanProcessor } =
        await import("@opentelemetry/sdk-trace-base");
      const { OTLPTraceExporter } = await import("@opentelemetry/exporter-trace-otlp-http");
      const exporter = new OTLPTraceExporter({ url: `${sink}/v1/traces` });
      const spanProcessors = [new BatchSpanProcessor(exporter)];
      trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors }));
      const tracer = trace.getTracer(NAME);
      // OpenTelemetry has no instrumentation for MCP, so each tool is wrapped in a span by hand.
      this.around = (name, tool) => () =>
        tracer.startActiveSpan(`tools/call ${name}`, async (span) => {
          span.setAttribute("gen_ai.tool.name", name);
          try {
            return await tool();
          } finally {
            span.end();
          }
        });
    },
  },
  sentry: {
    async before(server, sink) {
      const Sentry = await import("@sentry/node");
      const dsn = `${sink.replace("://", "://key@")}/1`;
      Sentry.init({ dsn, tracesSampleRate: 1, defaultIntegrations: false });
      Sentry.wrapMcpServerWithSentry(server);
    },
  },
  posthog: {
    async after(server, sink) {
      const { PostHog } = await import("posthog-node");
      const { instrument } = await import("@posthog/mcp");
      instrument(server, new PostHog("phc_key", { host: sink }));
    },
  },
  agentcat: {
    async after(server, sink) {
      const { track } = await import("agentcat");
      track(server, "proj_0000000000000000000000000000", {
        apiBaseUrl: sink,
        disableDiagnostics: true,
        enableReportMissing: false,
      });
    },
  },
  agnost: {
    async after(server, sink) {
      const { trackMCP, createConfig } = await import("agnost");
      // It prints a line per event on stderr, which is not measured here.
      trackMCP(server, "00000000-0000-0000-0000-000000000000", createConfig({ endpoint: sink }));
    },
  },
  shinzo: {
    async before(server, sink) {
      const { instrumentServer } = await import("@shinzolabs/instrumentation-mcp");
      instrumentServer(server, {
        serverName: NAME,
        serverVersion: VERSION,
        exporterEndpoint: `${sink}/v1`,
      });
    },
  },
};

/** Creates a server with these tools, watched by the product. */
export async function makeServer(product: string, sink: string, tools: Record<string, Tool>) {
  const { McpServer } = await import("@modelcontextprotocol/sdk/server/mcp.js");
  const server = new McpServer({ name: NAME, version: VERSION });
  const use = PRODUCTS[product];
  if (!use) throw new Error(`Expected one of ${Object.keys(PRODUCTS).join(", ")}, got ${product}`);
  await use.before?.(server, sink);
  for (const [name, tool] of Object.entries(tools))
    server.tool(name, use.around?.(name, tool) ?? tool);
  await use.after?.(server, sink);
  return server;
}
