import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { isBusy } from "../../../../src/analytics/errors.ts";
import { openConnection } from "../../../../src/analytics/file/connection.ts";
import { SCHEMA_VERSION, migrate } from "../../../../src/analytics/file/migrations.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

/** More reads than are needed to identify a file. */
const READS = 12;

/**
 * Lets another connection, such as drizzle-kit's, create the schema right before the given read of any connection.
 * Returns whether that read came.
 */
function migrateBeforeRead(file: string, number: number) {
  const other = new Database(file);
  const query: unknown = Reflect.get(Database.prototype, "query");
  if (typeof query !== "function") throw new Error("Expected a method");
  const replaceQuery = (value: unknown) => Reflect.set(Database.prototype, "query", value);
  let reads = 0;
  let isOther = false;
  const interrupted = new Proxy(query, {
    apply: (target, client, values): unknown => {
      if (!isOther && reads++ === number) {
        isOther = true;
        tryToMigrate(other, file);
        isOther = false;
      }
      return Reflect.apply(target, client, values);
    },
  });
  replaceQuery(interrupted);
  return {
    get hasCome() {
      return reads > number;
    },
    [Symbol.dispose]: () => {
      replaceQuery(query);
      other.close();
    },
  };
}

function tryToMigrate(client: Database, file: string): void {
  try {
    migrate(client, file);
  } catch (error) {
    // It meets the transaction of the connection that identifies the file.
    if (!isBusy(error)) throw error;
  }
}

test("opens a new file that another connection migrates, whatever it has read of it by then", () => {
  let moments = 0;
  for (let read = 0; read < READS; read += 1) {
    using directory = temporaryDirectory();
    const file = directory.file("a.db");
    using migration = migrateBeforeRead(file, read);
    const { client } = openConnection(file, 0);
    expect(client.query("pragma user_version").values()).toEqual([[SCHEMA_VERSION]]);
    client.close(true);
    if (migration.hasCome) moments += 1;
  }
  expect(moments).toBeGreaterThan(3);
});
