import { Database, constants } from "bun:sqlite";
import {
  closeSync,
  copyFileSync,
  existsSync,
  fdatasyncSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { pathToFileURL } from "node:url";
import { isBusy, primaryResultCode } from "../errors.ts";
import { markWalMode } from "./header.ts";
import { holdOpen } from "./identity.ts";

/** A log that is longer than this, in pages, is moved into the database: SQLite's own default. */
export const CHECKPOINT_PAGES = 1_000;

/** Two copies of the header of the wal-index, and what checkpoints note there (https://sqlite.org/walformat.html). */
const INDEX_HEADER_BYTES = 136;

/** The header of the log. Its salts change each time the log starts over. */
const LOG_HEADER_BYTES = 32;

/** How far the log of a database in WAL mode is, in pages: all that it holds, and those in the database already. */
export interface LogState {
  readonly pages: number;
  readonly backfilled: number;
}

/**
 * Reads how far the log is, and moves nothing. Undefined before SQLite 3.51, outside of WAL mode, and where the file is
 * not the one that the log belongs to.
 */
export function logState(client: Database): LogState | undefined {
  if (!hasNoop()) return undefined;
  try {
    const [, pages, backfilled] = client.query("pragma wal_checkpoint(noop)").values()[0] ?? [];
    return Number(pages) < 0 ? undefined : { pages: Number(pages), backfilled: Number(backfilled) };
  } catch {
    return undefined;
  }
}

let knowsNoop: boolean | undefined;

/** An older SQLite takes `noop` for `passive`. */
function hasNoop(): boolean {
  if (knowsNoop !== undefined) return knowsNoop;
  using client = new Database(":memory:");
  const version = String(client.query("select sqlite_version()").values()[0]?.[0]);
  return (knowsNoop = Bun.semver.order(version, "3.51.0") >= 0);
}

/** Moves the log into the database as far as no reader is in the way. True if all of it is there. Never waits, never throws. */
export function checkpoint(client: Database, mode: "passive" | "truncate"): boolean {
  try {
    const [busy, pages, backfilled] =
      client.query(`pragma wal_checkpoint(${mode})`).values()[0] ?? [];
    return busy === 0 && pages === backfilled;
  } catch {
    return false;
  }
}

/** The newest call, by which a database is known: its sequence and id. */
export type NewestCall = readonly (number | string)[];

/** Has the system write the log to the disk, so that a checkpoint right after need not wait for it. */
export function syncLog(file: string): void {
  // SQLite takes no locks on the log itself: to close it drops none.
  const descriptor = openSync(`${file}-wal`, "r+");
  try {
    fdatasyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** The newest call in a file without its log; none if it cannot be read. Takes no locks. */
export function findNewestAlone(file: string): NewestCall | undefined {
  try {
    using client = openAlone(file);
    return findNewestCall(client).newestCall;
  } catch {
    return undefined;
  }
}

/** Whether a file holds a call without its log. Takes no locks. */
export function holdsAlone(file: string, call: NewestCall): boolean {
  try {
    using client = openAlone(file);
    return hasCall(client, call);
  } catch {
    return false;
  }
}

/** Whether the file under a connection was renamed, removed or replaced (SQLITE_FCNTL_HAS_MOVED). */
export function hasMoved(client: Database): boolean {
  // Bun asks for eight bytes; SQLite writes the first four.
  const moved = new Int32Array(2);
  client.fileControl(constants.SQLITE_FCNTL_HAS_MOVED, moved);
  return moved[0] !== 0;
}

/**
 * Closes a connection. If its file was moved, the log goes into the file first: SQLite itself empties only the log
 * of a file that still has its name.
 */
export function closeWithLog(client: Database): void {
  if (hasMoved(client)) checkpoint(client, "passive");
  client.close(true);
}

/**
 * Moves the log away from a name that another file has now: SQLite would apply it to that one. An empty log is removed.
 * Returns the log's new path.
 */
export function setLogAside(file: string): string | undefined {
  const aside = statSync(`${file}-wal`, { throwIfNoEntry: false })?.size
    ? `${file}.replaced-${timestamp()}-wal`
    : undefined;
  if (aside !== undefined) renameSync(`${file}-wal`, aside);
  removeLog(file);
  return aside;
}

/** Removes the log and its index from a name that another file has now. Processes that have them open keep them. */
export function removeLog(file: string): void {
  for (const suffix of ["-wal", "-shm"]) rmSync(file + suffix, { force: true });
}

/**
 * Removes a file that was cut to no bytes, so that a new one takes its name: SQLite would begin a new database in it,
 * which the connections that have it open cannot follow. False if it has content.
 */
export function removeEmptied(file: string): boolean {
  const isEmpty = statSync(file, { throwIfNoEntry: false })?.size === 0;
  if (isEmpty) rmSync(file);
  return isEmpty;
}

/** What became of the log of a file that something else than SQLite wrote to. */
export type Reconciliation = "log_kept" | "log_emptied" | "damaged";

/**
 * Finds out whether the log still belongs to the file, whose content may be another one, such as a backup that was
 * copied over it. If it does not, empties it and keeps a copy; the file alone may then be "damaged". Reads the whole
 * file.
 *
 * The log belongs to the file if the two make one sound database which has the newest call of the file alone. (That
 * they are sound together is not enough: the log may hold every page of a small database.)
 * @throws SQLite's SQLITE_BUSY while another process writes: try again.
 */
export function reconcile(file: string): Reconciliation {
  // This connection has a cache of its own: pages that others have in theirs may be of the old content.
  const client = new Database(file, { readwrite: true, create: false });
  try {
    const generation = readGeneration(file);
    const alone = readAlone(file);
    if (generation && isSound(client) && (!alone.isSound || hasGrownFrom(alone, client)))
      return "log_kept";
    // Other connections are in WAL mode and stay in it; a backup that `VACUUM INTO` made says that it is not.
    if (alone.isOurs) markWalMode(file);
    if (!emptyLog(client, file, generation)) return "log_kept";
    return alone.isSound ? "log_emptied" : "damaged";
  } finally {
    client.close(true);
  }
}

/** What tells a log from what it was before it started over; nothing if it is empty. Locks nothing. */
function readGeneration(file: string): string | undefined {
  if (!existsSync(`${file}-wal`)) return undefined;
  // SQLite takes no locks on the log itself: to close it drops none.
  const descriptor = openSync(`${file}-wal`, "r");
  try {
    const header = new Uint8Array(LOG_HEADER_BYTES);
    return readSync(descriptor, header) < header.length ? undefined : header.toHex();
  } finally {
    closeSync(descriptor);
  }
}

/** Checks the whole database: tables against indexes too. */
function isSound(client: Database): boolean {
  try {
    return client.query("pragma integrity_check(1)").values()[0]?.[0] === "ok";
  } catch (error) {
    // Anything else, such as a lock, says nothing of the content.
    if ([1, 11, 26].includes(primaryResultCode(error) ?? 0)) return false;
    throw error;
  }
}

/** What is in a file without its log. */
interface Alone {
  readonly isSound: boolean;
  /** Sequence and id; none if there are no calls. */
  readonly newestCall?: NewestCall | undefined;
  /** Whether it has our tables. */
  readonly isOurs?: boolean;
}

/** Reads a file as it is, without its log and without locks. */
function readAlone(file: string): Alone {
  using client = openAlone(file);
  return isSound(client) ? { isSound: true, ...findNewestCall(client) } : { isSound: false };
}

function openAlone(file: string): Database {
  const { SQLITE_OPEN_READONLY, SQLITE_OPEN_URI } = constants;
  const flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
  return new Database(`${pathToFileURL(file).href}?mode=ro&immutable=1`, flags);
}

export function findNewestCall(client: Database): Pick<Alone, "isOurs" | "newestCall"> {
  try {
    const newest = client.query<unknown, []>(
      "select sequence, id from tool_calls order by sequence desc limit 1",
    );
    const [row] = newest.values();
    return {
      isOurs: true,
      newestCall: row?.map((value) => (typeof value === "number" ? value : String(value))),
    };
  } catch {
    return { isOurs: false };
  }
}

/** Whether a database is a later state of what is in the file alone. */
function hasGrownFrom({ isOurs, newestCall }: Alone, client: Database): boolean {
  if (!isOurs) return false;
  if (!newestCall) return true;
  return hasCall(client, newestCall);
}

function hasCall(client: Database, call: NewestCall): boolean {
  const find = client.query<unknown, (number | string)[]>(
    "select 1 from tool_calls where sequence = ? and id = ?",
  );
  return find.values(...call).length > 0;
}

/**
 * Empties the log in place: every connection of every process, ours or not, then goes on with what is in the file.
 * The next connection that looks at an index without a valid header makes it anew from the log, and each connection
 * forgets the pages it has in memory (https://sqlite.org/walformat.html#recovery).
 * @param generation Identifies the log that does not belong to the file. A log of another generation belongs to the new
 * content and is kept.
 */
function emptyLog(client: Database, file: string, generation: string | undefined): boolean {
  const log = `${file}-wal`;
  if (!existsSync(log) || !existsSync(`${file}-shm`)) return false;
  const index = holdOpen(`${file}-shm`, "r+");
  beginWriting(client);
  try {
    if (readGeneration(file) !== generation) return false;
    if (generation) copyFileSync(log, `${file}.replaced-${timestamp()}-wal`);
    truncateSync(log, 0);
    writeSync(index, new Uint8Array(INDEX_HEADER_BYTES), 0, INDEX_HEADER_BYTES, 0);
    return true;
  } finally {
    // Nothing was written. To roll back, SQLite would walk through the index, of which nothing is left.
    if (client.inTransaction) client.run("commit");
  }
}

/** Keeps other writers out, except where the content is none that SQLite could write to. */
function beginWriting(client: Database): void {
  try {
    client.run("begin immediate");
  } catch (error) {
    if (isBusy(error)) throw error;
  }
}

function timestamp(): string {
  return new Date().toISOString().replaceAll(":", "-");
}
