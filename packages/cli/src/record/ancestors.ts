import { readFileSync, readlinkSync } from "node:fs";
import { findRecorder, startsRecorder } from "../clients/recorder-command.ts";

/**
 * Whether a recorder among this process's ancestors records the same stream, as when a recorded shell script starts
 * this one. The stream is the same while the ancestor's child has our standard input or output. A recorded server that
 * starts servers of its own gives them other pipes: nobody records these yet.
 *
 * Known on Linux only; elsewhere false.
 */
export function isRecordedByAncestor(): boolean {
  if (process.platform !== "linux") return false;
  try {
    for (let child = process.pid; child > 1 && hasOurStream(child);) {
      child = parentOf(child);
      if (records(commandOf(child))) return true;
    }
  } catch {
    // An ancestor has ended, or is another user's.
  }
  return false;
}

/** Whether this is the command of a recorder that has not stepped aside for another one. */
function records(command: readonly string[]): boolean {
  const recorder = findRecorder(command);
  return (
    typeof recorder === "object" &&
    recorder.isItself &&
    !startsRecorder(command.slice(recorder.end))
  );
}

function commandOf(pid: number): readonly string[] {
  return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
}

/** https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: the name, in parentheses, may hold any character. */
function parentOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  return Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[1]);
}

function hasOurStream(pid: number): boolean {
  return [0, 1].some((fd) => streamOf(pid, fd) === streamOf(process.pid, fd));
}

function streamOf(pid: number, fd: number): string {
  return readlinkSync(`/proc/${pid}/fd/${fd}`);
}
