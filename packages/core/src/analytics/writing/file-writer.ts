import type { Database } from "bun:sqlite";
import { WRITE_WAIT_MS, whileBusy, whileBusySync } from "../file/busy.ts";
import { openWhileLocked } from "../file/connection.ts";
import { AnalyticsError, errorMessage, isBusy, isDamage, toAnalyticsError } from "../errors.ts";
import { contentOf, identityOf, statFile } from "../file/identity.ts";
import { type FileChange, FileWatch } from "../file/watch.ts";
import { whileLogLocked } from "../file/log-lock.ts";
import { forgetLogOwner } from "../file/log-owner.ts";
import type { TelemetryRecord } from "../records/record.ts";
import { setDamagedAside } from "../file/repair.ts";
import { untilStable } from "../file/stable.ts";
import {
  CHECKPOINT_PAGES,
  checkpoint,
  logState,
  reconcile,
  removeLog,
  removeEmptied,
  setLogAside,
} from "../file/write-ahead-log.ts";
import { ConnectionWriter } from "./connection-writer.ts";
import type { Writer } from "./writer.ts";
import type { Rejection } from "./batcher.ts";

/** Longest wait for other recorders when closing a file, in milliseconds. */
const CLOSE_WAIT_MS = 150;

/** Maximum number of attempts to open a file that changes while it is opened. */
const OPEN_TRIES = 3;

/** The writer's connection and the watch over its files. */
interface Opened {
  readonly client: Database;
  readonly writer: ConnectionWriter;
  readonly watch: FileWatch;
}

/** The cost of one commit; sizes in bytes, times in milliseconds. */
export interface CommitCost {
  readonly commitMs: number;
  readonly lockWaitMs: number;
  readonly walBytes: number;
}

/**
 * Writes batches into a file through a separate connection, and verifies that they arrive: after each commit it checks
 * whether the database and its log are still the files with these names. If one was moved, removed, replaced or
 * overwritten, the old file keeps its data and the batch fails once; the retry writes it to the file that now has the
 * name, or to a new one.
 *
 * A damaged database is moved aside as a whole and replaced by a new one. Opens the file at the first write, and again
 * after errors.
 */
export class FileWriter implements Writer {
  readonly #path: string;
  readonly #recorderId: string;
  readonly #warn: (message: string) => void;
  #opened: Opened | undefined;
  /** Identity of the file that was opened last. */
  #identity: string | undefined;
  /** A detected change of the files. The connection stays open until the change is handled. */
  #change: FileChange | undefined;
  #cost: CommitCost = { commitMs: 0, lockWaitMs: 0, walBytes: 0 };

  /** @param warn Called if a file was replaced or moved aside. */
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

  /** Commits a batch. Retries for 300 ms, without blocking the thread, while another process holds the lock. */
  async write(batch: readonly TelemetryRecord[]): Promise<readonly Rejection[]> {
    const startedAt = performance.now();
    try {
      return await whileBusy(startedAt + WRITE_WAIT_MS, () => this.#commit(batch, startedAt));
    } catch (error) {
      const isMisplaced = this.#change !== undefined || isDamage(error);
      if (isMisplaced && (await untilStable(this.#path))) {
        if (this.#change !== undefined) await this.#tryToLeave();
        else this.#setAside(error);
      }
      throw toAnalyticsError(error, this.#path);
    }
  }

  /** Commits like `write`, but blocks the thread for at most `timeoutMs` milliseconds; for process exit. */
  writeSync(batch: readonly TelemetryRecord[], timeoutMs: number): readonly Rejection[] {
    const startedAt = performance.now();
    return whileBusySync(startedAt + timeoutMs, () => this.#commit(batch, startedAt));
  }

  /** Moves the log into the database as far as other processes allow. Never waits, never throws. */
  checkpoint(mode: "passive" | "truncate"): void {
    try {
      this.#checkpoint(mode);
    } catch {
      // A later checkpoint, or another recorder, does it.
    }
  }

  /** Closes the connection, and empties the log if no other process has the file open. Safe to call twice. */
  close(): void {
    try {
      whileBusySync(performance.now() + CLOSE_WAIT_MS, () => {
        this.#checkpoint("truncate");
        if (this.#change !== undefined) this.#leave();
      });
    } catch {
      // The last process that closes the file empties the log.
    }
    this.#drop();
    forgetLogOwner(this.#path, this.#recorderId);
  }

  #checkpoint(mode: "passive" | "truncate"): void {
    const watch = this.#opened?.watch;
    if (!watch) return;
    this.#change = whileLogLocked(watch.file, () => watch.checkpoint(mode));
  }

  #commit(batch: readonly TelemetryRecord[], startedAt: number): readonly Rejection[] {
    const begunAt = performance.now();
    try {
      const opened = (this.#opened ??= this.#open());
      const rejections = this.#commitWhole(opened, batch);
      if (opened.watch.pagesToCheckpoint >= CHECKPOINT_PAGES) this.checkpoint("passive");
      if (this.#change !== undefined) throw this.#replaced();
      this.#cost = {
        commitMs: performance.now() - begunAt,
        lockWaitMs: begunAt - startedAt,
        walBytes: opened.watch.logBytes,
      };
      return rejections;
    } catch (error) {
      if (isBusy(error) || this.#change !== undefined) throw error;
      // An overwritten file looks damaged to SQLite.
      if (this.#opened && this.#findChange(this.#opened) !== undefined) throw this.#replaced();
      // After any other error, reopen the file in its current state.
      this.#drop();
      throw error;
    }
  }

  /**
   * Commits again if the database file changed meanwhile: another process may have emptied the log with the batch in
   * it.
   */
  #commitWhole(opened: Opened, batch: readonly TelemetryRecord[]): readonly Rejection[] {
    for (;;) {
      const { content } = opened.watch;
      const { rejections } = opened.writer.commit(batch);
      if (this.#findChange(opened) !== undefined) throw this.#replaced();
      if (opened.watch.content === content) return rejections;
    }
  }

  /** Holds the log's lock, so that other processes do not touch the log before its note is written. */
  #open(): Opened {
    return whileLogLocked(this.#path, () => this.#openUnchanged());
  }

  /** Reopens a file that changes while it is opened, because it may have been overwritten, or its log removed. */
  #openUnchanged(): Opened {
    for (let triesLeft = OPEN_TRIES; ; triesLeft -= 1) {
      const before = statFile(this.#path);
      const opened = this.#tryOpen();
      const isUnchanged = opened.watch.content === (before && contentOf(before));
      if (triesLeft === 1 || (isUnchanged && !opened.watch.hasLostLog)) {
        opened.watch.note();
        this.#identity = opened.watch.identity;
        return opened;
      }
      opened.client.close(true);
    }
  }

  #tryOpen(): Opened {
    const { client } = openWhileLocked(this.#path, this.#warn);
    // The writer itself creates the session row of a call; SQLite's check would take a tenth of the time.
    client.run("pragma foreign_keys = off");
    // A checkpoint must not write to a file that was overwritten since the last check.
    if (logState(client)) client.run("pragma wal_autocheckpoint = 0");
    const watch = new FileWatch(client, this.#path, this.#recorderId);
    return { client, writer: new ConnectionWriter(client, this.#path, this.#recorderId), watch };
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

  async #tryToLeave(): Promise<void> {
    try {
      await whileBusy(performance.now() + WRITE_WAIT_MS, () => this.#leave());
    } catch {
      // The next check finds the same change.
    }
  }

  /**
   * Closes a file that was changed by something other than SQLite, so that it keeps its data and no other file gets its
   * log.
   * @throws If another process holds a lock: try again.
   */
  #leave(): void {
    const opened = this.#opened;
    if (!opened) return;
    const { client, watch } = opened;
    try {
      whileLogLocked(watch.file, () => {
        // Since the last check, another recorder may have handled the change, or the log may have been removed.
        this.#change = watch.compare();
        if (this.#change === undefined) return;
        if (this.#change === "overwritten" && !removeEmptied(watch.file)) this.#separateLog(watch);
        else this.#finishLog(client, watch);
      });
      if (this.#change === undefined) return;
    } catch (error) {
      if (isBusy(error)) throw error;
      this.#warn(
        `${this.#path} was replaced, and its write-ahead log could not be saved: ${errorMessage(error)}.`,
      );
    }
    this.#drop();
  }

  #separateLog(watch: FileWatch): void {
    const outcome = reconcile(watch.file);
    watch.accept();
    if (outcome !== "log_emptied") return;
    this.#warn(
      `Expected only SQLite to change ${this.#path}, but it was overwritten, for example by a backup. It keeps its new content, and recording continues in it.`,
    );
  }

  /** Moves the log into the opened file, wherever that file is now, or renames the log. */
  #finishLog(client: Database, watch: FileWatch): void {
    const isWhole = checkpoint(client, "passive");
    forgetLogOwner(watch.file, this.#recorderId);
    let state = "is complete";
    if (watch.hasLog) {
      if (isWhole) removeLog(watch.file);
      else state = `lacks the records in ${setLogAside(watch.file) ?? "its log"}`;
    }
    this.#warn(
      `Expected to write to ${this.#path}, but the file was moved, removed or replaced. Recording continues in the file that now has this name; the old file ${state}.`,
    );
  }

  #setAside(cause: unknown): void {
    try {
      const found = statFile(this.#path);
      const isKnown = found !== undefined && identityOf(found) === this.#identity;
      const aside = setDamagedAside(this.#path, isKnown);
      if (aside === undefined) return;
      this.#warn(
        `Expected a sound database, but ${this.#path} is damaged (${errorMessage(cause)}). It was moved to ${aside} with all its data; recording continues in a new file.`,
      );
    } catch (error) {
      if (isBusy(error)) return;
      this.#warn(`${this.#path} is damaged and could not be moved aside: ${errorMessage(error)}.`);
    }
  }

  #drop(): void {
    const client = this.#opened?.client;
    this.#opened = undefined;
    this.#change = undefined;
    try {
      client?.close(true);
    } catch {
      // A connection to a broken file may not close cleanly; it is not used again.
    }
  }
}
