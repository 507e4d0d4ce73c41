import { InputError } from "@toolmeter/present";
import { isRecordedByAncestor } from "./ancestors.ts";
import type { RecordOptions } from "./options.ts";
import { startsRecorder } from "../clients/recorder-command.ts";
import type { Terminal } from "../output/terminal.ts";

export interface RecordCommandOptions {
  readonly db?: string | undefined;
  readonly serverName?: string | undefined;
  readonly serverVersion?: string | undefined;
  readonly payloads?: true | undefined;
  readonly redact?: readonly string[] | undefined;
  readonly http?: string | undefined;
  readonly listen: string;
}

/**
 * Records a server: the streams of a command, or the requests to a URL. If another recorder already records the same
 * stream, only passes everything on. Returns the exit code.
 */
export async function record(
  command: readonly string[],
  options: RecordCommandOptions,
  terminal: Terminal,
): Promise<number> {
  const [program] = command;
  const recordOptions = toRecordOptions(options);
  if (options.http !== undefined) {
    if (program !== undefined) {
      throw new InputError("Expected either a server command or --http <url>, got both.");
    }
    const { recordHttp } = await import("./http.ts");
    return recordHttp(options.http, options.listen, recordOptions, terminal);
  }
  if (program === undefined) {
    throw new InputError(
      "Expected the command that starts a server, such as: toolmeter record npx -y @modelcontextprotocol/server-memory",
    );
  }
  // Each call is recorded once: by the recorder that the command starts, or by an ancestor that records this stream.
  const isRecorded = startsRecorder(command) || isRecordedByAncestor();
  const { recordStdio } = await import("./stdio.ts");
  return recordStdio(command, { ...recordOptions, ...(isRecorded && { enabled: false }) });
}

function toRecordOptions({
  db,
  serverName,
  serverVersion,
  payloads,
  redact,
}: RecordCommandOptions): RecordOptions {
  return {
    ...(db !== undefined && { path: db }),
    ...(serverName !== undefined && { serverName }),
    ...(serverVersion !== undefined && { serverVersion }),
    ...((payloads ?? isOn("TOOLMETER_PAYLOADS")) && { capturePayloads: true }),
    ...(redact && { redactKeys: redact }),
  };
}

/** Whether a variable is set to a value other than `0` or `false`, like `TOOLMETER_DISABLED`. */
function isOn(name: string): boolean {
  return !["", "0", "false"].includes(process.env[name] ?? "");
}
