import type { Database } from "bun:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { whileBusy, whileBusySync } from "./busy.ts";
import { openConnection } from "./connection.ts";
import { AnalyticsError, errorMessage, isBusy, isDamage, toAnalyticsError } from "./errors.ts";
import { contentOf, identityOf, statFile } from "./file-identity.ts";
import { type FileChange, FileWatch } from "./file-watch.ts";
import { forgetLogOwner } from "./log-owner.ts";
import type { TelemetryRecord } from "./record.ts";
import { setDamagedAside } from "./repair.ts";
import {
  CHECKPOINT_PAGES,
  checkpoint,
  logState,
  reconcile,
  removeLog,
  setLogAside,
} from "./write-ahead-log.ts";
import { BUSY_WAIT_MS, type RecordRejection, type RecordWriter, Writer } from "./writer.ts";

/** How long a file must stay the same before it counts as whole, in milliseconds, and how often that is tried. */
const SETTLE_MS = 100;
const SETTLE_TRIES = 20;

/** A connection of the writer's own, and its watch over the files. */
interface Opened {
  readonly client: Database;
  readonly writer: Writer;
  readonly watch: FileWatch;
}

/** What the last commit took; sizes in bytes, times in milliseconds. */
export interface CommitCost {
  readonly commitMs: number;
  readonly lockWaitMs: number;
  readonly walBytes: number;
}

/**
 * Writes batches into a file through a connection of its own, and makes sure that they arrive: after each commit it
 * looks whether the database and its log are still the files of these names. If one was moved, removed,
 * replaced or overwritten, the old file keeps what it had, and the batch fails once and then goes into the file that
 * has the name now, or into a new one.
 *
 * A damaged database is moved aside whole, and a new one begun. Opens at the first write, and after errors.
 */
export class FileWriter implements RecordWriter {
  readonly #path: string;
  readonly #recorderId: string;
  readonly #warn: (message: string) => void;
  #opened: Opened | undefined;
  /** Of the file that was opened last. */
  #identity: string | undefined;
  /** What happened to the files; the connection stays open until they are taken care of. */
  #change: FileChange | undefined;
  #cost: CommitCost = { commitMs: 0, lockWaitMs: 0, walBytes: 0 };

  /** @param warn Told of a file that was replaced or moved aside. */
  constructor(path: string, recorderId: string, warn: (message: string) => void) {
    this.#path = path;
    this.#recorderId = recorderId;
    this.#warn = warn;
  }

  /** The connection, if one is open. */
  get client(): Database | undefined {
    return this.#opened?.client;
  }

  get cost(): CommitCost {
    return this.#cost;
  }

  /** Commits a batch; while another process holds the lock, tries again on a timer, for 300 ms. */
  async write(batch: readonly TelemetryRecord[]): Promise<readonly RecordRejection[]> {
    const startedAt = performance.now();
    try {
      return await whileBusy(startedAt + BUSY_WAIT_MS, () => this.#commit(batch, startedAt));
    } catch (error) {
      if (this.#change !== undefined && (await settle(this.#path))) this.#leave();
      throw toAnalyticsError(error, this.#path);
    }
  }

  /** The same in the calling thread, for at most `timeoutMs` milliseconds of waiting: the end of a process. */
  writeSync(batch: readonly TelemetryRecord[], timeoutMs: number): readonly RecordRejection[] {
    const startedAt = performance.now();
    return whileBusySync(startedAt + timeoutMs, () => this.#commit(batch, startedAt));
  }

  /** Moves the log into the database, as far as nobody is in the way. Never waits, never throws. */
  checkpoint(mode: "passive" | "truncate"): void {
    const opened = this.#opened;
    try {
      if (!opened || this.#findChange(opened) !== undefined) return;
      checkpoint(opened.client, mode);
      opened.watch.accept();
    } catch {
      // The next one does it.
    }
  }

  /** Closes the connection, the log emptied if nobody else has the file open. Safe to call twice. */
  close(): void {
    this.checkpoint("truncate");
    if (this.#change !== undefined) this.#leave();
    this.#drop();
    forgetLogOwner(this.#path, this.#recorderId);
  }

  #commit(batch: readonly TelemetryRecord[], startedAt: number): readonly RecordRejection[] {
    const begunAt = performance.now();
    try {
      const opened = (this.#opened ??= this.#open());
      const rejections = this.#commitWhole(opened, batch);
      if (opened.watch.pagesToCheckpoint >= CHECKPOINT_PAGES) this.checkpoint("passive");
      this.#cost = {
        commitMs: performance.now() - begunAt,
        lockWaitMs: begunAt - startedAt,
        walBytes: opened.watch.logBytes,
      };
      return rejections;
    } catch (error) {
      if (isBusy(error) || this.#change !== undefined) throw error;
      // To SQLite, a file that was overwritten looks damaged.
      if (this.#opened && this.#findChange(this.#opened) !== undefined) throw this.#replaced();
      // Whatever it was, a fresh connection sees what is there now.
      this.#drop();
      // If it is not set aside, something still writes to it, or another process takes care of it.
      if (isDamage(error) && !this.#setAside(error)) throw this.#replaced();
      throw error;
    }
  }

  /** If the database file changed meanwhile, its log may have been emptied, too: the batch is written again. */
  #commitWhole(opened: Opened, batch: readonly TelemetryRecord[]): readonly RecordRejection[] {
    for (;;) {
      const { content } = opened.watch;
      const rejections = opened.writer.commit(batch);
      if (this.#findChange(opened) !== undefined) throw this.#replaced();
      if (opened.watch.content === content) return rejections;
    }
  }

  #open(): Opened {
    const { client } = openConnection(this.#path, 0, this.#warn);
    // The writer itself makes the session's row of a call; to have SQLite look for it takes a tenth of the time.
    client.run("pragma foreign_keys = off");
    // A checkpoint must not write to a file that was overwritten since it was looked at last.
    if (logState(client)) client.run("pragma wal_autocheckpoint = 0");
    const watch = new FileWatch(client, this.#path, this.#recorderId);
    this.#identity = watch.identity;
    return { client, writer: new Writer(client, this.#path, this.#recorderId), watch };
  }

  #findChange({ watch }: Opened): FileChange | undefined {
    return (this.#change = watch.findChange());
  }

  #replaced(): AnalyticsError {
    return new AnalyticsError(
      "replaced",
      this.#path,
      `${this.#path} was moved, removed, replaced or overwritten.`,
    );
  }

  /** Leaves a file that changed behind SQLite's back: it keeps what it had, and its log is nowhere else. */
  #leave(): void {
    const { client, watch } = this.#opened ?? {};
    try {
      if (!client || !watch) return;
      if (this.#change === "overwritten") this.#separateLog(watch);
      else this.#finishLog(client, watch);
    } catch (error) {
      // It is tried again: the next look finds the same change.
      if (isBusy(error)) return;
      this.#warn(`${this.#path} was replaced and could not be left whole: ${errorMessage(error)}.`);
    }
    this.#drop();
  }

  #separateLog({ file }: FileWatch): void {
    if (reconcile(file) !== "log_emptied") return;
    this.#warn(
      `Expected ${this.#path} to change only through SQLite, but something overwrote it, such as a backup that was copied there. It keeps its new content, and recording goes on in it.`,
    );
  }

  /** What the log holds belongs to the file that was opened, wherever that is now. */
  #finishLog(client: Database, watch: FileWatch): void {
    const isWhole = checkpoint(client, "passive");
    let place = "has all that was written to it";
    if (watch.hasLog) {
      if (isWhole) removeLog(watch.file);
      else place = `misses what is now in ${setLogAside(watch.file) ?? "its log"}`;
    }
    this.#warn(
      `Expected to write to ${this.#path}, but the file was moved, removed or replaced. Recording goes on in the file of that name; the other one ${place}.`,
    );
  }

  #setAside(cause: unknown): boolean {
    try {
      const found = statFile(this.#path);
      const isKnown = found !== undefined && identityOf(found) === this.#identity;
      const aside = setDamagedAside(this.#path, isKnown);
      if (aside === undefined) return false;
      this.#warn(
        `Expected a sound database, but ${this.#path} is damaged (${errorMessage(cause)}). It is now ${aside}, with all its data; a new one is begun.`,
      );
    } catch (error) {
      this.#warn(`${this.#path} is damaged and could not be moved aside: ${errorMessage(error)}.`);
    }
    return true;
  }

  #drop(): void {
    const client = this.#opened?.client;
    this.#opened = undefined;
    this.#change = undefined;
    try {
      client?.close(true);
    } catch {
      // A connection on a broken file may not close cleanly; it is not used again.
    }
  }
}

/** Waits until the file stays the same, as it does once a copy is complete. False if it still changes after 2 s. */
async function settle(path: string): Promise<boolean> {
  const look = () => {
    const found = statFile(path);
    return found && identityOf(found) + contentOf(found);
  };
  for (let left = SETTLE_TRIES; left > 0; left -= 1) {
    const before = look();
    await sleep(SETTLE_MS);
    if (look() === before) return true;
  }
  return false;
}
