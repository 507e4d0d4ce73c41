import { mkdirSync } from "node:fs";
import { canonicalPath } from "../file/canonical-path.ts";
import { journalDirectory } from "../file/journal-directory.ts";
import { forgetLogOwner, noteLogOwner } from "../file/log-owner.ts";
import type { Destination } from "./destination.ts";

/** The connection of the host, if it handed an open database over: it shares the write-ahead log with the writer. */
export class HostConnection {
  readonly #client: Destination["$client"];
  readonly #recorderId: string;
  /** Where the file was when its log was noted: a symbolic link may name another file since. */
  #notedFile: string | undefined;

  /** From now on the log is noted as in use in this process. */
  constructor({ path, $client }: Destination, recorderId: string) {
    this.#client = $client;
    this.#recorderId = recorderId;
    if (!$client) return;
    try {
      mkdirSync(journalDirectory(path), { recursive: true, mode: 0o700 });
      this.#notedFile = canonicalPath(path);
      noteLogOwner($client, this.#notedFile, recorderId);
    } catch {
      // Without a directory for it there is no note.
    }
  }

  /** A transaction that the host left open would keep the lock from us, and nobody will commit it any more. */
  rollBack(): void {
    try {
      if (this.#client?.inTransaction) this.#client.run("rollback");
    } catch {
      // The connection was closed.
    }
  }

  /** Removes the note of the log. */
  forget(): void {
    if (this.#notedFile) forgetLogOwner(this.#notedFile, this.#recorderId);
  }
}
