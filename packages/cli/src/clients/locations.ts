import { homedir } from "node:os";
import { join } from "node:path";

/** The configuration of a client's servers. */
export interface ClientLocation {
  readonly title: string;
  /** Paths of the user's configuration file, then of the project's in the current directory. Not all need exist. */
  readonly files: readonly string[];
  /** The key under which the file lists servers. */
  readonly key: "mcpServers" | "servers";
}

export const CLIENTS = ["claude-desktop", "claude-code", "cursor", "vscode"] as const;

export type ClientName = (typeof CLIENTS)[number];

/**
 * Returns the configuration files of a client, according to its documentation:
 * https://modelcontextprotocol.io/docs/develop/connect-local-servers, https://code.claude.com/docs/en/mcp,
 * https://cursor.com/docs/context/mcp, https://code.visualstudio.com/docs/copilot/customization/mcp-servers
 */
export function locate(
  client: ClientName,
  { home = homedir(), cwd = process.cwd(), platform = process.platform } = {},
): ClientLocation {
  const application = applicationData(home, platform);
  switch (client) {
    case "claude-desktop":
      return {
        title: "Claude Desktop",
        files: [join(application, "Claude", "claude_desktop_config.json")],
        key: "mcpServers",
      };
    case "claude-code":
      return {
        title: "Claude Code",
        files: [
          join(process.env["CLAUDE_CONFIG_DIR"] || home, ".claude.json"),
          join(cwd, ".mcp.json"),
        ],
        key: "mcpServers",
      };
    case "cursor":
      return {
        title: "Cursor",
        files: [join(home, ".cursor", "mcp.json"), join(cwd, ".cursor", "mcp.json")],
        key: "mcpServers",
      };
    default:
      return {
        title: "VS Code",
        files: [join(application, "Code", "User", "mcp.json"), join(cwd, ".vscode", "mcp.json")],
        key: "servers",
      };
  }
}

function applicationData(home: string, platform: NodeJS.Platform): string {
  switch (platform) {
    case "darwin":
      return join(home, "Library", "Application Support");
    case "win32":
      return process.env["APPDATA"] || join(home, "AppData", "Roaming");
    default:
      return process.env["XDG_CONFIG_HOME"] || join(home, ".config");
  }
}
