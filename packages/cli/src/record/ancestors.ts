import { readFileSync, readlinkSync } from "node:fs";
import { findRecorder, startsRecorder } from "../clients/recorder-command.ts";

/**
 * Whether a recorder among this process's ancestors already records the same stream, for example because a recorded
 * shell script starts this process. The stream is the same if the ancestor's child has our standard input or output. A
 * recorded server that starts other servers gives them other pipes, which are not recorded yet.
 *
 * Works only on Linux; returns false elsewhere.
 */
export function isRecordedByAncestor(): boolean {
  if (process.platform !== "linux") return false;
  try {
    for (let child = process.pid; child > 1 && hasOurStream(child);) {
      child = parentOf(child);
      if (records(commandOf(child))) return true;
    }
  } catch {
    // An ancestor has ended or belongs to another user.
  }
  return false;
}

/** Whether this is the command of a recorder that records itself, instead of leaving it to another recorder. */
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

/** https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: the name in parentheses may contain any character. */
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
