import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { canonicalPath } from "./canonical-path.ts";
import { contentOf, identityOf, statFile } from "./file-identity.ts";
import { journalDirectory, lockName } from "./journal.ts";
import { reconcile, setLogAside } from "./write-ahead-log.ts";

/**
 * Which database a write-ahead log belongs to. SQLite goes by the name: it applies the log beside a file to whatever
 * file has that name now, which makes a restored backup malformed. Each recorder therefore notes, beside its journal,
 * the file it writes to and the log of that file. Every process of ours compares the notes before it opens the file.
 */
interface LogOwner {
  readonly log: string;
  readonly database: string;
  /** Size and time of the last change. In WAL mode a database file changes only in checkpoints. */
  readonly content: string;
}

const SUFFIX = ".owner";

/** Notes the owner of the log beside a file, for as long as the recorder's journal exists. Never throws. */
export function noteLogOwner(file: string, recorderId: string): void {
  const owner = findLogOwner(file);
  if (!owner) return;
  try {
    writeFileSync(notePath(file, recorderId), JSON.stringify(owner), { mode: 0o600 });
  } catch {
    // Without a note the log counts as the file's own, as it does for SQLite.
  }
}

/** Removes the note of a recorder that has closed the file or is dead. */
export function forgetLogOwner(file: string, recorderId: string): void {
  rmSync(notePath(file, recorderId), { force: true });
}

/** Whether a recorder noted a checkpoint that left the file as it is now. */
export function isNotedContent(file: string): boolean {
  const found = findLogOwner(file);
  return found !== undefined && isNoted(readNotes(file), found);
}

/**
 * Takes the log away from a file that it does not belong to, before SQLite opens the file. A file that was moved there,
 * or is not there yet, gets a log of its own; a file that was overwritten keeps its new content.
 * @param warn Told what was found and where the log is now.
 */
export function separateForeignLog(file: string, warn: (message: string) => void): void {
  const target = canonicalPath(file);
  const log = statFile(`${target}-wal`);
  if (!log) return;
  const found = findLogOwner(file);
  const notes = readNotes(file).filter((note) => note.log === identityOf(log));
  const isForeign = notes.length > 0 && !notes.some(({ database }) => database === found?.database);
  if (!found || isForeign) {
    const aside = setLogAside(target);
    if (aside !== undefined)
      warn(`Found the write-ahead log of another file beside ${target}. The log is now ${aside}.`);
  } else if (notes.length > 0 && log.size > 0n && !isNoted(notes, found)) {
    if (reconcile(target) === "log_emptied")
      warn(
        `${target} was overwritten, so its old write-ahead log no longer belongs to it. The log was emptied; a copy is beside it.`,
      );
  }
}

function isNoted(notes: readonly LogOwner[], { content }: LogOwner): boolean {
  return notes.some((note) => note.content === content);
}

function findLogOwner(file: string): LogOwner | undefined {
  const target = canonicalPath(file);
  const database = statFile(target);
  const log = statFile(`${target}-wal`);
  if (!database || !log) return undefined;
  return {
    log: identityOf(log),
    database: identityOf(database),
    content: contentOf(database),
  };
}

/** The notes of all recorders; one whose recorder left nothing else is removed. */
function readNotes(file: string): readonly LogOwner[] {
  const directory = journalDirectory(file);
  if (!existsSync(directory)) return [];
  const names = readdirSync(directory).filter((name) => name.endsWith(SUFFIX));
  return names.flatMap((name) => {
    const recorderId = name.slice(0, -SUFFIX.length);
    if (existsSync(join(directory, lockName(recorderId)))) return readNote(join(directory, name));
    forgetLogOwner(file, recorderId);
    return [];
  });
}

function readNote(path: string): LogOwner | readonly [] {
  try {
    const note: LogOwner = JSON.parse(readFileSync(path, "utf8"));
    return note;
  } catch {
    return [];
  }
}

function notePath(file: string, recorderId: string): string {
  return join(journalDirectory(file), `${recorderId}${SUFFIX}`);
}
