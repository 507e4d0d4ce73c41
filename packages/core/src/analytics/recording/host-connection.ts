import { mkdirSync } from "node:fs";
import { canonicalPath } from "../file/canonical-path.ts";
import { journalDirectory } from "../file/journal-directory.ts";
import { forgetLogOwner, noteLogOwner } from "../file/log-owner.ts";
import type { Destination } from "./destination.ts";

/** The host's own connection, if it passed an open database. It shares the write-ahead log with the writer. */
export class HostConnection {
  readonly #client: Destination["$client"];
  readonly #recorderId: string;
  /** The path of the file when its log was noted, because a symbolic link may lead to another file by now. */
  #notedFile: string | undefined;

  /** Notes that this process uses the log. */
  constructor({ path, $client }: Destination, recorderId: string) {
    this.#client = $client;
    this.#recorderId = recorderId;
    if (!$client) return;
    try {
      mkdirSync(journalDirectory(path), { recursive: true, mode: 0o700 });
      this.#notedFile = canonicalPath(path);
      noteLogOwner($client, this.#notedFile, recorderId);
    } catch {
      // The note is optional; without its directory it is skipped.
    }
  }

  /** Rolls back a transaction that the host left open at exit: it holds the lock, and nobody will commit it. */
  rollBack(): void {
    try {
      if (this.#client?.inTransaction) this.#client.run("rollback");
    } catch {
      // The connection is closed already.
    }
  }

  /** Removes the note of the log. */
  forget(): void {
    if (this.#notedFile) forgetLogOwner(this.#notedFile, this.#recorderId);
  }
}
