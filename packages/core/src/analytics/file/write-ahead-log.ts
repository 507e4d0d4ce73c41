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

/** Length of the log that triggers a checkpoint, in pages; SQLite's default. */
export const CHECKPOINT_PAGES = 1_000;

/** Length of the wal-index header: two copies and the checkpoint information (https://sqlite.org/walformat.html). */
const INDEX_HEADER_BYTES = 136;

/** Length of the log's header. Its salts change whenever the log restarts. */
const LOG_HEADER_BYTES = 32;

/** The state of a write-ahead log: its pages, and how many of them are already in the database. */
export interface LogState {
  readonly pages: number;
  readonly backfilled: number;
}

/**
 * Reads the state of the log without a checkpoint. Returns `undefined` before SQLite 3.51, outside WAL mode, and if the
 * log does not belong to the file.
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

let supportsNoop: boolean | undefined;

/** Older versions of SQLite treat `noop` as `passive`. */
function hasNoop(): boolean {
  if (supportsNoop !== undefined) return supportsNoop;
  using client = new Database(":memory:");
  const version = String(client.query("select sqlite_version()").values()[0]?.[0]);
  return (supportsNoop = Bun.semver.order(version, "3.51.0") >= 0);
}

/**
 * Moves the log into the database as far as readers allow. Returns whether it moved all of it. Never waits, never
 * throws.
 */
export function checkpoint(client: Database, mode: "passive" | "truncate"): boolean {
  try {
    const [busy, pages, backfilled] =
      client.query(`pragma wal_checkpoint(${mode})`).values()[0] ?? [];
    return busy === 0 && pages === backfilled;
  } catch {
    return false;
  }
}

/** Sequence and id of the newest call, which identify the content of a database. */
export type NewestCall = readonly (number | string)[];

/** Writes the log to the disk, so that a checkpoint right after it need not wait. */
export function syncLog(file: string): void {
  // SQLite takes no locks on the log itself, so closing this descriptor drops none.
  const descriptor = openSync(`${file}-wal`, "r+");
  try {
    fdatasyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Returns the newest call in a file without its log; `undefined` if it cannot be read. Takes no locks. */
export function findNewestAlone(file: string): NewestCall | undefined {
  try {
    using client = openAlone(file);
    return findNewestCall(client).newestCall;
  } catch {
    return undefined;
  }
}

/** Whether a file contains a call without its log. Takes no locks. */
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
  // Bun requires eight bytes; SQLite writes the first four.
  const moved = new Int32Array(2);
  client.fileControl(constants.SQLITE_FCNTL_HAS_MOVED, moved);
  return moved[0] !== 0;
}

/**
 * Closes a connection, with a checkpoint first if its file was moved: on close, SQLite checkpoints only a file that
 * still has its name.
 */
export function closeWithLog(client: Database): void {
  if (hasMoved(client)) checkpoint(client, "passive");
  client.close(true);
}

/**
 * Renames the log of a file whose name another file has taken, because SQLite would apply it to that file. An empty log
 * is removed. Returns the log's new path.
 */
export function setLogAside(file: string): string | undefined {
  const aside = statSync(`${file}-wal`, { throwIfNoEntry: false })?.size
    ? `${file}.replaced-${timestamp()}-wal`
    : undefined;
  if (aside !== undefined) renameSync(`${file}-wal`, aside);
  removeLog(file);
  return aside;
}

/** Removes the log and its index after another file has taken the name. Processes that have them open keep them. */
export function removeLog(file: string): void {
  for (const suffix of ["-wal", "-shm"]) rmSync(file + suffix, { force: true });
}

/**
 * Removes a file that was truncated to zero bytes, so that a new file takes its name. SQLite would start a new database
 * in the old file, which breaks the connections that have it open. Returns false if the file has content.
 */
export function removeEmptied(file: string): boolean {
  const isEmpty = statSync(file, { throwIfNoEntry: false })?.size === 0;
  if (isEmpty) rmSync(file);
  return isEmpty;
}

/** The result for a file that something other than SQLite wrote to. */
export type Reconciliation = "log_kept" | "log_emptied" | "damaged";

/**
 * Determines whether the log still belongs to a file whose content may have been replaced, for example by a backup that
 * was copied over it. If not, empties the log and keeps a copy; the file alone may then be "damaged". Reads the whole
 * file.
 *
 * The log belongs to the file if both together form a sound database that contains the newest call of the file alone.
 * (Soundness is not enough: the log may contain every page of a small database.)
 * @throws SQLITE_BUSY while another process writes: try again.
 */
export function reconcile(file: string): Reconciliation {
  // A new connection has its own cache; the caches of others may contain pages of the old content.
  const client = new Database(file, { readwrite: true, create: false });
  try {
    const generation = readGeneration(file);
    const alone = readAlone(file);
    if (generation && isSound(client) && (!alone.isSound || hasGrownFrom(alone, client)))
      return "log_kept";
    // Other connections stay in WAL mode, but the header of a backup created by `VACUUM INTO` does not declare it.
    if (alone.isOurs) markWalMode(file);
    if (!emptyLog(client, file, generation)) return "log_kept";
    return alone.isSound ? "log_emptied" : "damaged";
  } finally {
    client.close(true);
  }
}

/** Returns a fingerprint that changes whenever the log restarts; `undefined` if it is empty. Takes no locks. */
function readGeneration(file: string): string | undefined {
  if (!existsSync(`${file}-wal`)) return undefined;
  // SQLite takes no locks on the log itself, so closing this descriptor drops none.
  const descriptor = openSync(`${file}-wal`, "r");
  try {
    const header = new Uint8Array(LOG_HEADER_BYTES);
    return readSync(descriptor, header) < header.length ? undefined : header.toHex();
  } finally {
    closeSync(descriptor);
  }
}

/** Checks the whole database, including its indexes. */
function isSound(client: Database): boolean {
  try {
    return client.query("pragma integrity_check(1)").values()[0]?.[0] === "ok";
  } catch (error) {
    // Other errors, such as a lock, do not concern the content.
    if ([1, 11, 26].includes(primaryResultCode(error) ?? 0)) return false;
    throw error;
  }
}

/** The content of a file without its log. */
interface Alone {
  readonly isSound: boolean;
  /** Sequence and id; `undefined` without calls. */
  readonly newestCall?: NewestCall | undefined;
  /** Whether the file has Toolmeter's tables. */
  readonly isOurs?: boolean;
}

/** Reads a file without its log and without locks. */
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

/** Whether a database is a later state of the file alone. */
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
 * Empties the log in place, so that every connection of every process continues with the content of the file. The next
 * connection that finds the index without a valid header rebuilds it from the log, and each connection discards its
 * cached pages (https://sqlite.org/walformat.html#recovery).
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
    // Nothing was written, so commit. A rollback would walk the index, which is now empty.
    if (client.inTransaction) client.run("commit");
  }
}

/** Excludes other writers. Errors other than a lock are ignored: SQLite cannot write to such content anyway. */
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
