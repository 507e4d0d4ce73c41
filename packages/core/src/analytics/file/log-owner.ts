import type { Database } from "bun:sqlite";
import {
  type BigIntStats,
  existsSync,
  linkSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { canonicalPath } from "./canonical-path.ts";
import { contentOf, identityOf, statFile } from "./identity.ts";
import { journalDirectory, lockName } from "./journal-directory.ts";
import { FileLock } from "./lock.ts";
import { APPLICATION_ID } from "./migrations.ts";
import { untilStableSync } from "./stable.ts";
import {
  type LogState,
  hasMoved,
  logState,
  reconcile,
  removeEmptied,
  setLogAside,
} from "./write-ahead-log.ts";

/**
 * The database to which a write-ahead log belongs. SQLite matches them by name only: it applies the log to any file
 * that has the database's name, which corrupts a restored backup. Each recorder therefore notes, beside its journal,
 * which file and which log it writes to. Every Toolmeter process compares the notes before it opens the file.
 */
interface LogOwner {
  readonly log: string;
  readonly database: string;
  /** Size and modification time of the database. In WAL mode, only checkpoints change the database file. */
  readonly content: string;
  /** The state of the log at the time of the note. */
  readonly state?: LogState | undefined;
}

interface Note extends LogOwner {
  readonly notedAt: bigint;
  readonly recorderId: string;
}

const SUFFIX = ".owner";

/** The log and its index. Processes that share a database must share both. */
const LOG_SUFFIXES = ["-wal", "-shm"] as const;

/** A database and its log, as they were at one moment. */
export interface FilesSeen {
  readonly database: BigIntStats | undefined;
  readonly log: BigIntStats | undefined;
  readonly state: LogState | undefined;
}

/**
 * Notes the owner of the log beside a file, for as long as the recorder's journal exists. Never throws.
 * @param client A connection to the file. Nothing is noted if another file has taken the name.
 * @param seen The files as they were when they were checked: a later change must not become part of the note.
 */
export function noteLogOwner(
  client: Database,
  file: string,
  recorderId: string,
  seen: FilesSeen = { ...statFiles(file), state: logState(client) },
): void {
  const owner = toLogOwner(seen);
  if (!owner || hasMoved(client)) return;
  try {
    const note = JSON.stringify({ ...owner, state: seen.state });
    writeFileSync(notePath(file, recorderId), note, { mode: 0o600 });
    for (const suffix of LOG_SUFFIXES) link(file, recorderId, suffix);
  } catch {
    // Without a note, the log is assumed to belong to the file, as SQLite assumes.
  }
}

/** Keeps a hard link beside the note, from which a removed log can be restored. */
function link(file: string, recorderId: string, suffix: string): void {
  const name = canonicalPath(file) + suffix;
  const kept = linkPath(file, recorderId, suffix);
  if (!isSameFile(name, kept)) linkOver(name, kept);
}

/** Creates a hard link, replacing any file of that name. */
function linkOver(from: string, to: string): void {
  const temporary = `${to}.${Bun.randomUUIDv7()}`;
  linkSync(from, temporary);
  renameSync(temporary, to);
  // Renaming does nothing if both names already refer to one file.
  rmSync(temporary, { force: true });
}

/**
 * Restores the names of a recorder's log and index if they were removed, so that all processes that have the database
 * open keep sharing one log. Never throws.
 * @returns False if there are no hard links, or if another log with that name is in use.
 */
export function restoreLog(file: string, recorderId: string): boolean {
  try {
    const other = statFile(`${canonicalPath(file)}-wal`);
    const kept = statFile(linkPath(file, recorderId, "-wal"));
    if (!kept || (other && other.size > 0n && identityOf(other) !== identityOf(kept))) return false;
    for (const suffix of LOG_SUFFIXES) {
      const from = linkPath(file, recorderId, suffix);
      const to = canonicalPath(file) + suffix;
      if (!isSameFile(from, to)) linkOver(from, to);
    }
    return true;
  } catch {
    return false;
  }
}

function isSameFile(one: string, other: string): boolean {
  const [a, b] = [statFile(one), statFile(other)];
  return a !== undefined && b !== undefined && identityOf(a) === identityOf(b);
}

/** Removes the notes of a recorder that has closed the file or is dead. Never throws. */
export function forgetLogOwner(file: string, recorderId: string): void {
  handOver(file, recorderId);
  removeNotes(file, recorderId);
}

/**
 * Copies a checkpoint's note to the remaining recorders if only this one has it; otherwise the file looks overwritten
 * to them.
 */
function handOver(file: string, recorderId: string): void {
  try {
    const newest = newestNote(file);
    if (newest?.recorderId !== recorderId) return;
    const { log, database, content, state } = newest;
    const note = JSON.stringify({ log, database, content, state });
    for (const other of readNotes(file)) {
      const isOfSameLog = other.log === log && other.database === database;
      if (isOfSameLog && other.recorderId !== recorderId)
        writeFileSync(notePath(file, other.recorderId), note);
    }
  } catch {
    // The other recorders notice the change, and then that the log still belongs to the file.
  }
}

function removeNotes(file: string, recorderId: string): void {
  const paths = LOG_SUFFIXES.map((suffix) => linkPath(file, recorderId, suffix));
  for (const path of [...paths, notePath(file, recorderId)]) {
    try {
      rmSync(path, { force: true });
    } catch {
      // The next process that opens the file removes notes whose lock is gone.
    }
  }
}

/** Returns the newest note about the current log of a file. */
export function newestNote(file: string): Note | undefined {
  const found = toLogOwner(statFiles(file));
  if (!found) return undefined;
  return readNotes(file)
    .filter(({ log, database }) => log === found.log && database === found.database)
    .toSorted((a, b) => Number(b.notedAt - a.notedAt))[0];
}

/**
 * Separates a file from a log that does not belong to it, before SQLite opens the file. A file that was moved there, or
 * does not exist yet, starts with a new log; a file that was overwritten keeps its new content. Call it only while
 * holding the log's lock: another process may be creating a new file of that name, with its log.
 * @param warn Called with the finding and the new location of the log.
 */
export function separateForeignLog(file: string, warn?: (message: string) => void): void {
  const target = canonicalPath(file);
  restoreLogOfLiving(target, readNotes(target));
  if (judgeLog(target) === "emptied" && untilStableSync(target)) removeEmptied(target);
  const verdict = judgeLog(target);
  if (verdict === "foreign") {
    const aside = setLogAside(target);
    if (aside !== undefined)
      warn?.(
        `Expected the write-ahead log beside ${target} to belong to it, got the log of another file. That log was moved to ${aside}.`,
      );
  } else if (verdict === "overwritten" && reconcile(target) === "log_emptied") {
    warn?.(
      `${target} was overwritten, so its old write-ahead log no longer belongs to it. The log was emptied; a copy of its old content was kept beside it.`,
    );
  }
}

/**
 * Restores WAL mode in a Toolmeter file that other processes have open in WAL mode, but whose new content is not: a
 * backup created by `VACUUM INTO` was copied there. SQLite's own mode switch would wait until the others close the
 * file. Call it only while holding the log's lock.
 * @param client An open connection that has not been used yet.
 * @returns Whether the mode was restored; the connection must then be reopened.
 */
export function restoreWalMode(client: Database, file: string): boolean {
  // A log exists only in WAL mode. Check it first, because another process may be switching to WAL mode.
  if (!existsSync(`${canonicalPath(file)}-wal`)) return false;
  const applicationId = client.query("pragma application_id").values()[0]?.[0];
  const mode = client.query("pragma journal_mode").values()[0]?.[0];
  if (applicationId !== APPLICATION_ID || mode === "wal") return false;
  return reconcile(canonicalPath(file)) === "log_emptied";
}

/** The log belongs to the file ("own"), to another file ("foreign"), or to the file's earlier content. */
type Verdict = "emptied" | "foreign" | "overwritten" | "own";

/** Judges the log beside a file by the recorders' notes. */
function judgeLog(file: string): Verdict {
  const log = statFile(`${file}-wal`);
  if (!log) return "own";
  const found = toLogOwner(statFiles(file));
  if (!found) return "foreign";
  const notes = readNotes(file).filter((note) => note.log === identityOf(log));
  if (notes.length > 0 && !notes.some(({ database }) => database === found.database))
    return "foreign";
  if (notes.length > 0 && statFile(file)?.size === 0n) return "emptied";
  if (notes.length === 0) return "own";
  return log.size > 0n && newestNote(file)?.content !== found.content ? "overwritten" : "own";
}

/** Restores the log of a living recorder: SQLite does not remove a log while the database is open. */
function restoreLogOfLiving(file: string, notes: readonly Note[]): void {
  const database = statFile(file);
  if (!database) return;
  const ours = notes.filter((note) => note.database === identityOf(database));
  const isComplete = ({ recorderId }: Note) =>
    LOG_SUFFIXES.every((suffix) => isSameFile(linkPath(file, recorderId, suffix), file + suffix));
  if (ours.length === 0 || ours.some(isComplete)) return;
  const living = ours.find(({ recorderId }) => isAlive(file, recorderId));
  if (living) restoreLog(file, living.recorderId);
}

function isAlive(file: string, recorderId: string): boolean {
  try {
    const lock = FileLock.tryAcquire(join(journalDirectory(file), lockName(recorderId)));
    lock?.release();
    return lock === undefined;
  } catch {
    return false;
  }
}

function statFiles(file: string): Omit<FilesSeen, "state"> {
  const target = canonicalPath(file);
  return { database: statFile(target), log: statFile(`${target}-wal`) };
}

function toLogOwner({ database, log }: Omit<FilesSeen, "state">): LogOwner | undefined {
  if (!database || !log) return undefined;
  return {
    log: identityOf(log),
    database: identityOf(database),
    content: contentOf(database),
  };
}

/** Returns the notes of all recorders. Removes notes whose recorder no longer has a lock file. */
function readNotes(file: string): readonly Note[] {
  const directory = journalDirectory(file);
  return listNotes(directory).flatMap((name) => {
    const recorderId = name.slice(0, -SUFFIX.length);
    if (existsSync(join(directory, lockName(recorderId)))) {
      const path = join(directory, name);
      const [owner, notedAt] = [readNote(path), statFile(path)?.mtimeNs];
      return owner && notedAt !== undefined ? { ...owner, recorderId, notedAt } : [];
    }
    removeNotes(file, recorderId);
    return [];
  });
}

function listNotes(directory: string): readonly string[] {
  try {
    return readdirSync(directory).filter((name) => name.endsWith(SUFFIX));
  } catch {
    return [];
  }
}

function readNote(path: string): LogOwner | undefined {
  try {
    const note: LogOwner = JSON.parse(readFileSync(path, "utf8"));
    return note;
  } catch {
    return undefined;
  }
}

function linkPath(file: string, recorderId: string, suffix: string): string {
  return join(journalDirectory(file), recorderId + suffix);
}

function notePath(file: string, recorderId: string): string {
  return join(journalDirectory(file), `${recorderId}${SUFFIX}`);
}
