/**
 * The servers, tools and clients of the demo's traffic. The names are those of real servers; the figures are invented.
 */
import type { ToolCallStatus } from "@toolmeter/core";

export interface DemoTool {
  readonly name: string;
  readonly weight: number;
  readonly description: string;
  readonly medianMs: number;
  /** Median tokens of a result. */
  readonly tokens: number;
  /** Number of parameters in its schema, which determine the length of the definition. */
  readonly parameters: number;
  readonly outcomes?: Partial<Record<ToolCallStatus, number>>;
  readonly errorMessage?: string;
  /** The tool that an agent calls when this one fails. */
  readonly substitute?: string;
  /** Probability that a call is repeated with the same arguments. */
  readonly repeats?: number;
}

export interface DemoServer {
  readonly name: string;
  readonly version: string;
  readonly weight: number;
  readonly transport: "stdio" | "streamable_http";
  readonly tools: readonly [DemoTool, ...DemoTool[]];
}

export interface DemoClient {
  readonly name: string;
  readonly version: string;
  readonly weight: number;
  readonly protocolVersion: string;
}

export const CLIENTS: readonly [DemoClient, ...DemoClient[]] = [
  { name: "claude-code", version: "2.1.40", weight: 10, protocolVersion: "2025-11-25" },
  { name: "cursor-vscode", version: "3.2.0", weight: 6, protocolVersion: "2025-06-18" },
  { name: "Visual Studio Code", version: "1.112.0", weight: 3, protocolVersion: "2025-11-25" },
  { name: "codex-mcp-client", version: "0.61.0", weight: 2, protocolVersion: "2026-07-28" },
];

const tool = (
  name: string,
  weight: number,
  medianMs: number,
  tokens: number,
  others: Partial<DemoTool> = {},
): DemoTool => ({
  name,
  weight,
  medianMs,
  tokens,
  parameters: 2,
  description: `${name.replaceAll(/[_-]/g, " ")} with the given parameters`,
  ...others,
});

/** Creates tools that their server lists but that are hardly ever called. */
const unused = (names: readonly string[], parameters: number): DemoTool[] =>
  names.map((name, index) => tool(name, index % 4 === 0 ? 0.02 : 0, 400, 300, { parameters }));

export const SERVERS: readonly [DemoServer, ...DemoServer[]] = [
  {
    name: "filesystem",
    version: "2026.8.31",
    weight: 10,
    transport: "stdio",
    tools: [
      tool("read_text_file", 20, 3, 900, {
        outcomes: { error: 0.05 },
        errorMessage: "ENOENT: no such file or directory",
        substitute: "list_directory",
      }),
      tool("list_directory", 9, 2, 250),
      tool("edit_file", 6, 6, 200, {
        parameters: 3,
        outcomes: { error: 0.08, rejected: 0.03 },
        errorMessage: "Could not find exact match for edit",
        substitute: "read_text_file",
      }),
      tool("write_file", 5, 5, 30),
      tool("search_files", 4, 120, 600, { parameters: 3, outcomes: { timeout: 0.01 } }),
      tool("directory_tree", 1, 60, 5_000),
      ...unused(["move_file", "get_file_info", "list_allowed_directories", "read_media_file"], 2),
    ],
  },
  {
    name: "github",
    version: "1.4.0",
    weight: 6,
    transport: "streamable_http",
    tools: [
      tool("create_issue", 4, 420, 350, {
        parameters: 6,
        outcomes: { error: 0.02, rejected: 0.22 },
        errorMessage: "Invalid arguments for tool create_issue: labels must be an array",
      }),
      tool("search_code", 9, 680, 2_400, { parameters: 4, outcomes: { error: 0.03 } }),
      tool("get_file_contents", 11, 260, 1_800, { parameters: 4 }),
      tool("list_pull_requests", 4, 350, 3_500, { parameters: 5 }),
      tool("get_job_logs", 3, 900, 7_000, { repeats: 0.6, outcomes: { error: 0.05 } }),
      ...unused(
        "create_branch create_pull_request fork_repository get_commit list_branches list_commits list_releases merge_pull_request push_files star_repository".split(
          " ",
        ),
        7,
      ),
    ],
  },
  {
    name: "postgres",
    version: "0.8.1",
    weight: 4,
    transport: "stdio",
    tools: [
      tool("query", 12, 90, 1_100, {
        outcomes: { error: 0.09, timeout: 0.02, cancelled: 0.01 },
        errorMessage: 'column "created" does not exist',
        substitute: "describe_table",
      }),
      tool("describe_table", 4, 20, 400),
      tool("list_tables", 2, 15, 300),
      tool("explain_query", 0.5, 80, 700),
    ],
  },
  {
    name: "playwright",
    version: "0.0.83",
    weight: 2,
    transport: "stdio",
    tools: [
      tool("browser_navigate", 6, 1_400, 3_000, {
        outcomes: { error: 0.06, timeout: 0.03, abandoned: 0.004 },
        errorMessage: "net::ERR_CONNECTION_REFUSED",
      }),
      tool("browser_click", 8, 350, 2_600, {
        parameters: 4,
        outcomes: { error: 0.12 },
        errorMessage: "Ref e42 not found in the current page snapshot",
        substitute: "browser_snapshot",
      }),
      tool("browser_snapshot", 7, 180, 4_200),
      tool("browser_type", 4, 260, 2_400, { parameters: 5 }),
      ...unused(
        "browser_close browser_console_messages browser_drag browser_evaluate browser_file_upload browser_fill_form browser_handle_dialog browser_hover browser_install browser_network_requests browser_press_key browser_resize browser_select_option browser_tabs browser_take_screenshot browser_wait_for".split(
          " ",
        ),
        6,
      ),
    ],
  },
];
