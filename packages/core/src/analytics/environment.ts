import { homedir } from "node:os";
import { join, sep } from "node:path";

/** Whether recording is disabled: `TOOLMETER_DISABLED` is set to a value other than `0` or `false`. */
export function isDisabled(): boolean {
  return !["", "0", "false"].includes(process.env["TOOLMETER_DISABLED"] ?? "");
}

/**
 * Returns the path of the database: `given`, otherwise `TOOLMETER_DB`, otherwise `toolmeter/analytics.db` in the
 * platform's directory for user data. Expands a leading `~`, because no shell does so in a client's configuration.
 */
export function databasePath(given?: string, platform: NodeJS.Platform = process.platform): string {
  const file = given || process.env["TOOLMETER_DB"];
  if (!file) return join(dataDirectory(platform), "toolmeter", "analytics.db");
  const isOfHome = file === "~" || file.startsWith("~/") || file.startsWith(`~${sep}`);
  return isOfHome ? homedir() + file.slice(1) : file;
}

/**
 * Follows https://specifications.freedesktop.org/basedir-spec/latest on Unix, and the platform's convention elsewhere.
 */
function dataDirectory(platform: NodeJS.Platform): string {
  const home = homedir();
  switch (platform) {
    case "darwin":
      return join(home, "Library", "Application Support");
    case "win32":
      return process.env["LOCALAPPDATA"] || join(home, "AppData", "Local");
    default:
      return process.env["XDG_DATA_HOME"] || join(home, ".local", "share");
  }
}
