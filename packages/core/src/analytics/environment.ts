import { homedir } from "node:os";
import { join, sep } from "node:path";

/** Whether recording is switched off: `TOOLMETER_DISABLED` is set to anything but `0` or `false`. */
export function isDisabled(): boolean {
  return !["", "0", "false"].includes(process.env["TOOLMETER_DISABLED"] ?? "");
}

/**
 * The database that is meant: the given path, else `TOOLMETER_DB`, else `toolmeter/analytics.db` in the platform's
 * directory for a user's data. A leading `~` is the user's home: no shell expands it in a client's configuration.
 */
export function databasePath(given?: string, platform: NodeJS.Platform = process.platform): string {
  const file = given || process.env["TOOLMETER_DB"];
  if (!file) return join(dataDirectory(platform), "toolmeter", "analytics.db");
  const isOfHome = file === "~" || file.startsWith("~/") || file.startsWith(`~${sep}`);
  return isOfHome ? homedir() + file.slice(1) : file;
}

/** https://specifications.freedesktop.org/basedir-spec/latest on Unix, the native place elsewhere. */
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
