import { homedir } from "node:os";
import { join } from "node:path";

/** Whether recording is switched off: `TOOLMETER_DISABLED` is set to anything but `0` or `false`. */
export function isDisabled(): boolean {
  return !["", "0", "false"].includes(process.env["TOOLMETER_DISABLED"] ?? "");
}

/** `TOOLMETER_DB`, else `toolmeter/analytics.db` in the platform's directory for a user's data. */
export function databasePath(platform: NodeJS.Platform = process.platform): string {
  return process.env["TOOLMETER_DB"] || join(dataDirectory(platform), "toolmeter", "analytics.db");
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
