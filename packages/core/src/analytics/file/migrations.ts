import type { Database } from "bun:sqlite";
import { AnalyticsError } from "../errors.ts";
import { generated } from "./migrations.gen.ts";

/** One generated migration: drizzle-kit's journal entry and the text of its SQL file. */
interface Migration {
  readonly name: string;
  /** When drizzle-kit generated it, in milliseconds since 1970; drizzle-kit uses it as a watermark. */
  readonly createdAt: number;
  readonly sql: string;
}

const migrations: readonly Migration[] = generated;

/** `PRAGMA application_id` of a Toolmeter database: "TMTR". */
export const APPLICATION_ID = 0x544d5452;

/** `PRAGMA user_version` of a current file: the number of its migrations. */
export const SCHEMA_VERSION = migrations.length;

const NEWEST_KNOWN = migrations.at(-1)?.createdAt ?? 0;

/** Same table and columns as drizzle-kit's, so that each accepts files that the other migrated. */
const CREATE_BOOKKEEPING = `create table if not exists __drizzle_migrations (
  id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric)`;

/**
 * Whether the file already has every migration, so that opening it needs no write.
 *
 * Only reads, so another program's file stays unchanged. Must run inside a transaction: otherwise another process may
 * create the schema between two reads.
 * @throws AnalyticsError `foreign_database` or `newer_schema`.
 */
export function isCurrent(client: Database, path: string): boolean {
  const applicationId = pragma(client, "application_id");
  // Check this first: damage in another program's file must not be reported.
  if (applicationId !== APPLICATION_ID && applicationId !== 0) throw foreignDatabase(path);
  const version = pragma(client, "user_version");
  const newest = newestMigration(client);
  if (applicationId === 0 && newest === undefined && !isNew(client)) throw foreignDatabase(path);
  if (version > SCHEMA_VERSION || (newest ?? 0) > NEWEST_KNOWN) throw newerSchema(path);
  return applicationId === APPLICATION_ID && version === SCHEMA_VERSION && newest === NEWEST_KNOWN;
}

/**
 * Asserts that no newer Toolmeter changed the schema since the file was opened.
 * @throws AnalyticsError `newer_schema`.
 */
export function assertVersion(client: Database, path: string): void {
  if (pragma(client, "user_version") > SCHEMA_VERSION) throw newerSchema(path);
}

function foreignDatabase(path: string): AnalyticsError {
  return new AnalyticsError(
    "foreign_database",
    path,
    `Expected a Toolmeter database or a new file, got a database of another program at ${path}. Choose another path.`,
  );
}

function newerSchema(path: string): AnalyticsError {
  return new AnalyticsError(
    "newer_schema",
    path,
    `Expected schema version ${SCHEMA_VERSION} or older, got a newer one in ${path}. Update Toolmeter, or choose another path.`,
  );
}

/**
 * Applies the missing migrations in one transaction that excludes all other processes. The applied migrations are read
 * inside that transaction, so two processes never apply the same one.
 */
export function migrate(client: Database, path: string): void {
  client.run("begin immediate");
  try {
    if (isCurrent(client, path)) return void client.run("commit");
    client.run(CREATE_BOOKKEEPING);
    const newest = newestMigration(client) ?? 0;
    const record = client.prepare(
      "insert into __drizzle_migrations (hash, created_at) values (?, ?)",
    );
    for (const migration of migrations.filter(({ createdAt }) => createdAt > newest)) {
      client.run(migration.sql);
      record.run(migrationHash(migration), migration.createdAt);
    }
    record.finalize();
    client.run(`pragma application_id = ${APPLICATION_ID}`);
    client.run(`pragma user_version = ${SCHEMA_VERSION}`);
    client.run("commit");
  } catch (error) {
    if (client.inTransaction) client.run("rollback");
    throw error;
  }
}

/** drizzle's hash of a migration: SHA-256 of its file. */
function migrationHash(migration: Migration): string {
  return new Bun.CryptoHasher("sha256").update(migration.sql).digest("hex");
}

/** Returns the `createdAt` of the newest applied migration, or `undefined` if the file is not a Toolmeter database. */
function newestMigration(client: Database): number | undefined {
  const select =
    "select 1 from sqlite_schema where type = 'table' and name = '__drizzle_migrations'";
  if (client.query(select).values().length === 0) return undefined;
  const applied = client.query("select hash, created_at from __drizzle_migrations").values();
  const first = migrations[0] && migrationHash(migrations[0]);
  if (!applied.some(([hash]) => hash === first)) return undefined;
  return Math.max(...applied.map(([, createdAt]) => Number(createdAt)));
}

function isNew(client: Database): boolean {
  const objects = client.query("select count(*) from sqlite_schema").values()[0]?.[0];
  return objects === 0;
}

function pragma(client: Database, name: string): number {
  return Number(client.query(`pragma ${name}`).values()[0]?.[0]);
}
