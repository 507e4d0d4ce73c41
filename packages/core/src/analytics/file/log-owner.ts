import type { Database } from "bun:sqlite";
import {
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
import { settleSync } from "./settle.ts";
import {
  type LogState,
  hasMoved,
  logState,
  reconcile,
  removeEmptied,
  setLogAside,
} from "./write-ahead-log.ts";

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
  /** How far the log was. */
  readonly state?: LogState | undefined;
}

interface Note extends LogOwner {
  readonly notedAt: bigint;
  readonly recorderId: string;
}

const SUFFIX = ".owner";

/** The log and its index. Processes that share a database must share both. */
const LOG_SUFFIXES = ["-wal", "-shm"] as const;

/**
 * Notes the owner of the log beside a file, for as long as the recorder's journal exists. Never throws.
 * @param client Has the file open: it notes nothing if the name has another file by now.
 */
export function noteLogOwner(client: Database, file: string, recorderId: string): void {
  const owner = findLogOwner(file);
  if (!owner || hasMoved(client)) return;
  try {
    const note = JSON.stringify({ ...owner, state: logState(client) });
    writeFileSync(notePath(file, recorderId), note, { mode: 0o600 });
    for (const suffix of LOG_SUFFIXES) link(file, recorderId, suffix);
  } catch {
    // Without a note the log counts as the file's own, as it does for SQLite.
  }
}

/** Keeps a hard link beside the note, through which a removed log gets its name back. */
function link(file: string, recorderId: string, suffix: string): void {
  const name = canonicalPath(file) + suffix;
  const kept = linkPath(file, recorderId, suffix);
  if (!isSameFile(name, kept)) linkOver(name, kept);
}

/** Gives a file a second name, which another file may have now. */
function linkOver(from: string, to: string): void {
  const temporary = `${to}.${Bun.randomUUIDv7()}`;
  linkSync(from, temporary);
  renameSync(temporary, to);
  // If both names are of one file by now, to rename does nothing.
  rmSync(temporary, { force: true });
}

/**
 * Gives the log and the index that a recorder has open their names back, if somebody removed them. The processes that
 * have the database open then still share one log. Never throws.
 * @returns False if there are no hard links, or another log with that name is in use.
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

/** Removes what is noted of a recorder that has closed the file or is dead. Never throws. */
export function forgetLogOwner(file: string, recorderId: string): void {
  handOver(file, recorderId);
  removeNotes(file, recorderId);
}

/** A checkpoint that only this recorder noted is noted for those who stay: to them the file would look overwritten. */
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
    // Those who stay find the file changed, and that the log still belongs to it.
  }
}

function removeNotes(file: string, recorderId: string): void {
  const paths = LOG_SUFFIXES.map((suffix) => linkPath(file, recorderId, suffix));
  for (const path of [...paths, notePath(file, recorderId)]) {
    try {
      rmSync(path, { force: true });
    } catch {
      // Without its lock, the next one who opens the file removes it.
    }
  }
}

/** The newest note about the log that a file has now. */
export function newestNote(file: string): Note | undefined {
  const found = findLogOwner(file);
  if (!found) return undefined;
  return readNotes(file)
    .filter(({ log, database }) => log === found.log && database === found.database)
    .toSorted((a, b) => Number(b.notedAt - a.notedAt))[0];
}

/**
 * Takes the log away from a file that it does not belong to, before SQLite opens the file. A file that was moved there,
 * or is not there yet, gets a log of its own; a file that was overwritten keeps its new content. To be called while the log
 * is locked: another process may make a new file of that name, with its log, at the same time.
 * @param warn Told what was found and where the log is now.
 */
export function separateForeignLog(file: string, warn?: (message: string) => void): void {
  const target = canonicalPath(file);
  restoreLogOfLiving(target, readNotes(target));
  if (judgeLog(target) === "emptied" && settleSync(target)) removeEmptied(target);
  const verdict = judgeLog(target);
  if (verdict === "foreign") {
    const aside = setLogAside(target);
    if (aside !== undefined)
      warn?.(
        `Found the write-ahead log of another file beside ${target}. The log is now ${aside}.`,
      );
  } else if (verdict === "overwritten" && reconcile(target) === "log_emptied") {
    warn?.(
      `${target} was overwritten, so its old write-ahead log no longer belongs to it. The log was emptied; a copy of what it held is beside it.`,
    );
  }
}

/**
 * Brings a file of ours back into WAL mode that others have open in that mode, and whose content is in another one: a
 * backup that `VACUUM INTO` made was copied there. Only SQLite's own switch would wait for the others to close it.
 * To be called while the log is locked.
 * @param client Opened before, and never used.
 * @returns Whether it did: the connection must be opened again.
 */
export function restoreWalMode(client: Database, file: string): boolean {
  // There is a log only in WAL mode; looked for first, because another process may switch to it now.
  if (!existsSync(`${canonicalPath(file)}-wal`)) return false;
  const applicationId = client.query("pragma application_id").values()[0]?.[0];
  const mode = client.query("pragma journal_mode").values()[0]?.[0];
  if (applicationId !== APPLICATION_ID || mode === "wal") return false;
  return reconcile(canonicalPath(file)) === "log_emptied";
}

/** The file's own log, another one's, or of what was in the file before. */
type Verdict = "emptied" | "foreign" | "overwritten" | "own";

/** What the notes say of the log beside a file. */
function judgeLog(file: string): Verdict {
  const log = statFile(`${file}-wal`);
  if (!log) return "own";
  const found = findLogOwner(file);
  if (!found) return "foreign";
  const notes = readNotes(file).filter((note) => note.log === identityOf(log));
  if (notes.length > 0 && !notes.some(({ database }) => database === found.database))
    return "foreign";
  if (notes.length > 0 && statFile(file)?.size === 0n) return "emptied";
  if (notes.length === 0) return "own";
  return log.size > 0n && newestNote(file)?.content !== found.content ? "overwritten" : "own";
}

/** While a recorder lives, its log cannot have been removed by SQLite. */
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
