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
import { settle } from "../file/settle.ts";
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

/** Longest wait for other recorders when a file is closed, in milliseconds. */
const CLOSE_WAIT_MS = 150;

/** How often a file is opened that changes meanwhile. */
const OPEN_TRIES = 3;

/** A connection of the writer's own, and its watch over the files. */
interface Opened {
  readonly client: Database;
  readonly writer: ConnectionWriter;
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
export class FileWriter implements Writer {
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
  async write(batch: readonly TelemetryRecord[]): Promise<readonly Rejection[]> {
    const startedAt = performance.now();
    try {
      return await whileBusy(startedAt + WRITE_WAIT_MS, () => this.#commit(batch, startedAt));
    } catch (error) {
      const isMisplaced = this.#change !== undefined || isDamage(error);
      if (isMisplaced && (await settle(this.#path))) {
        if (this.#change !== undefined) await this.#tryToLeave();
        else this.#setAside(error);
      }
      throw toAnalyticsError(error, this.#path);
    }
  }

  /** The same in the calling thread, for at most `timeoutMs` milliseconds of waiting: the end of a process. */
  writeSync(batch: readonly TelemetryRecord[], timeoutMs: number): readonly Rejection[] {
    const startedAt = performance.now();
    return whileBusySync(startedAt + timeoutMs, () => this.#commit(batch, startedAt));
  }

  /** Moves the log into the database, as far as nobody is in the way. Never waits, never throws. */
  checkpoint(mode: "passive" | "truncate"): void {
    try {
      this.#checkpoint(mode);
    } catch {
      // The next one does it, or another recorder does it now.
    }
  }

  /** Closes the connection, the log emptied if nobody else has the file open. Safe to call twice. */
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
      // To SQLite, a file that was overwritten looks damaged.
      if (this.#opened && this.#findChange(this.#opened) !== undefined) throw this.#replaced();
      // Whatever it was, a fresh connection sees what is there now.
      this.#drop();
      throw error;
    }
  }

  /** A log that others moved into the database meanwhile may also have been emptied: the batch is written again. */
  #commitWhole(opened: Opened, batch: readonly TelemetryRecord[]): readonly Rejection[] {
    for (;;) {
      const { content } = opened.watch;
      const { rejections } = opened.writer.commit(batch);
      if (this.#findChange(opened) !== undefined) throw this.#replaced();
      if (opened.watch.content === content) return rejections;
    }
  }

  /** Others do not touch the log before they can find a note of it. */
  #open(): Opened {
    return whileLogLocked(this.#path, () => this.#openUnchanged());
  }

  /** A file that changes while it is opened may have been overwritten: it is opened again. */
  #openUnchanged(): Opened {
    for (let triesLeft = OPEN_TRIES; ; triesLeft -= 1) {
      const before = statFile(this.#path);
      const opened = this.#tryOpen();
      if (triesLeft === 1 || opened.watch.content === (before && contentOf(before))) {
        opened.watch.note();
        this.#identity = opened.watch.identity;
        return opened;
      }
      opened.client.close(true);
    }
  }

  #tryOpen(): Opened {
    const { client } = openWhileLocked(this.#path, this.#warn);
    // The writer itself makes the session's row of a call; to have SQLite look for it takes a tenth of the time.
    client.run("pragma foreign_keys = off");
    // A checkpoint must not write to a file that was overwritten since it was looked at last.
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
      // The next look finds the same change.
    }
  }

  /**
   * Leaves a file that changed behind SQLite's back: it keeps what it had, and its log is nowhere else.
   * @throws If another process is in the way: try again.
   */
  #leave(): void {
    const opened = this.#opened;
    if (!opened) return;
    const { client, watch } = opened;
    try {
      whileLogLocked(watch.file, () => {
        // Since the last look another recorder may have taken care of it, or the log may have lost its name.
        this.#change = watch.compare();
        if (this.#change === undefined) return;
        if (this.#change === "overwritten" && !removeEmptied(watch.file)) this.#separateLog(watch);
        else this.#finishLog(client, watch);
      });
      if (this.#change === undefined) return;
    } catch (error) {
      if (isBusy(error)) throw error;
      this.#warn(`${this.#path} was replaced and could not be left whole: ${errorMessage(error)}.`);
    }
    this.#drop();
  }

  #separateLog(watch: FileWatch): void {
    const outcome = reconcile(watch.file);
    watch.accept();
    if (outcome !== "log_emptied") return;
    this.#warn(
      `Expected ${this.#path} to change only through SQLite, but something overwrote it, such as a backup that was copied there. It keeps its new content, and recording goes on in it.`,
    );
  }

  /** What the log holds belongs to the file that was opened, wherever that is now. */
  #finishLog(client: Database, watch: FileWatch): void {
    const isWhole = checkpoint(client, "passive");
    forgetLogOwner(watch.file, this.#recorderId);
    let place = "has all that was written to it";
    if (watch.hasLog) {
      if (isWhole) removeLog(watch.file);
      else place = `misses what is now in ${setLogAside(watch.file) ?? "its log"}`;
    }
    this.#warn(
      `Expected to write to ${this.#path}, but the file was moved, removed or replaced. Recording goes on in the file of that name; the other one ${place}.`,
    );
  }

  #setAside(cause: unknown): void {
    try {
      const found = statFile(this.#path);
      const isKnown = found !== undefined && identityOf(found) === this.#identity;
      const aside = setDamagedAside(this.#path, isKnown);
      if (aside === undefined) return;
      this.#warn(
        `Expected a sound database, but ${this.#path} is damaged (${errorMessage(cause)}). It is now ${aside}, with all its data; a new one is begun.`,
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
      // A connection on a broken file may not close cleanly; it is not used again.
    }
  }
}
