import { Command } from "@commander-js/extra-typings";
import { recordOptions } from "../commands/options.ts";
import { isBinary } from "../own-command.ts";

/** The position of a recorder in the words of a command. */
export interface RecorderCommand {
  /** Index of the recorder's first word: 0, or the first after a prefix such as `env NAME=value`. */
  readonly start: number;
  /** Index of the first word of the recorded server's command; the number of words if there is none. */
  readonly end: number;
  /** Whether the process of the first word is the recorder itself, not a program that starts it. */
  readonly isItself: boolean;
}

/** The names of this program: a path or a package, optionally with a version or an extension. */
const TOOLMETER =
  /(?:^|[\\/])(?:toolmeter|@toolmeter[\\/]cli)(?:@[^\\/]*)?(?:\.(?:exe|cmd|ps1|[cm]?[jt]s))?$/i;

/** Programs that run the command after their own options. */
const PREFIXES = /^(?:cmd|command|env|exec|nice|nohup|setsid|stdbuf|sudo|time)$/;

/** Programs that run a package, script or file by name. */
const RUNNERS = /^(?:bunx?|deno|node|npm|npx|pnpm|pnpx|tsx|yarn)$/;

/** Programs that run a command line given as one string, including `npx -c` and `cmd /c`. */
const SHELLS = /^(?:ba|da|fi|k|z)?sh$|^(?:cmd|npm|npx|powershell|pwsh)$/;

/** A recorder in a shell's command line. */
const IN_LINE =
  /(?:^|[\s;&|(/\\'"])(?:toolmeter|@toolmeter\/cli)(?:@[^\s/]*)?(?:\.\w+)?['"]?\s+(?:--\s+)?record(?=\s|$)/i;

/** Words of runners and prefixes other than the name of the program that they run. */
const OWN_WORD = /^(?:-.*|\/[a-z]|\w+=.*|dlx|exec|run|run-script|x)$/is;

/** Options of runners and prefixes whose value is the next word. */
const WITH_VALUE = new Set([
  "--config",
  "--cwd",
  "--dir",
  "--env-file",
  "--import",
  "--package",
  "--prefix",
  "--preload",
  "--require",
  "--unset",
  "--workspace",
  "-C",
  "-c",
  "-n",
  "-p",
  "-r",
  "-u",
  "-w",
]);

/**
 * Finds a recorder in a server's command: `toolmeter record …`, also by path, with options, and through npx, bunx, npm,
 * Bun or `env`. Returns `undefined` if there is none, and `"hidden"` if it cannot be separated from the server's
 * command: in a shell's command line, or with options of another version.
 */
export function findRecorder(words: readonly string[]): RecorderCommand | "hidden" | undefined {
  const [first = ""] = words;
  if (SHELLS.test(nameOf(first)) && words.some((word) => IN_LINE.test(word))) return "hidden";
  let start = 0;
  while (PREFIXES.test(nameOf(words[start] ?? ""))) start = afterOwnWords(words, start + 1);
  const program = words[start] ?? "";
  const runner = RUNNERS.test(nameOf(program)) ? nameOf(program) : undefined;
  const at = runner === undefined ? start : afterOwnWords(words, start + 1);
  const name = words[at] ?? "";
  if (!TOOLMETER.test(name) && !(isBinary() && name === process.execPath)) return undefined;
  const verb = words[at + 1] === "--" ? at + 2 : at + 1;
  if (words[verb] !== "record") return undefined;
  const server = serverOf(words.slice(verb + 1));
  if (server === undefined) return "hidden";
  const isItself =
    start === 0 && (runner === undefined || (runner === "bun" && /\.[cm]?[jt]s$/.test(name)));
  return { start, end: words.length - server, isItself };
}

/** Whether a server's command starts a recorder. */
export function startsRecorder(command: readonly string[]): boolean {
  return findRecorder(command) !== undefined;
}

function nameOf(program: string): string {
  return (program.split(/[\\/]/).at(-1) ?? "").replace(/\.(?:exe|cmd)$/i, "").toLowerCase();
}

function afterOwnWords(words: readonly string[], from: number): number {
  let at = from;
  while (OWN_WORD.test(words[at] ?? "")) at += WITH_VALUE.has(words[at] ?? "") ? 2 : 1;
  return at;
}

/** Returns how many of the words after `record` are the server's command, according to the command-line parser. */
function serverOf(words: readonly string[]): number | undefined {
  const parsed = recordOptions(new Command("record")).parseOptions([...words]);
  return parsed.unknown.length === 0 ? parsed.operands.length : undefined;
}
