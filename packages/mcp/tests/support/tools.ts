/** What the tools of all test servers do, whatever SDK and level they are registered with. */
export interface ToolContext {
  readonly signal: AbortSignal;
  readonly notify: (notification: {
    method: "notifications/progress";
    params: { progressToken: string | number; progress: number; total: number };
  }) => Promise<void>;
  readonly progressToken: string | number | undefined;
}

export interface ToolResult {
  [key: string]: unknown;
  content: { type: "text"; text: string }[];
  structuredContent?: Record<string, unknown>;
  isError?: boolean;
}

const text = (value: string): ToolResult => ({ content: [{ type: "text", text: value }] });

export type ToolName = keyof typeof TOOLS;

export const TOOLS = {
  echo: async ({ text: said }: { text: string }) => text(said),
  fail_softly: async () => ({ ...text("No such file: /x"), isError: true }),
  throw: async (): Promise<ToolResult> => {
    throw new TypeError("the disk is on fire");
  },
  structured: async () => ({ ...text('{"sum":3}'), structuredContent: { sum: 3 } }),
  invalid_output: async () => ({ ...text("no"), structuredContent: { sum: "three" } }),
  large: async () => text("x".repeat(1_000_000)),
  multibyte: async () => text("日本語 😀 ünïcödé\u2028\n".repeat(2_000)),
  progress: async (_input: unknown, { notify, progressToken }: ToolContext) => {
    for (const progress of [1, 2]) {
      if (progressToken === undefined) break;
      const params = { progressToken, progress, total: 2 };
      await notify({ method: "notifications/progress", params });
    }
    return text("done");
  },
  /** Answers when it is told to stop, as a tool that cannot be interrupted does. */
  wait: (_input: unknown, { signal }: ToolContext) =>
    new Promise<ToolResult>((resolve) => {
      signal.addEventListener("abort", () => resolve(text("stopped")));
    }),
} satisfies Record<string, (input: { text: string }, context: ToolContext) => Promise<ToolResult>>;

/** The schema of the tools that say what they return. */
export const OUTPUTS: readonly string[] = ["structured", "invalid_output"];
