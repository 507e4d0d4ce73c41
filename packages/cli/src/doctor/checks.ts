import { existsSync } from "node:fs";
import { readdir, stat, statfs } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { AnalyticsError, createAnalyticsDb, errorMessage } from "@toolmeter/core";
import { livingRecorders, openAnalyticsReader, recordingHealth } from "@toolmeter/core/queries";
import { bytes } from "@toolmeter/present";
import { version } from "../../package.json";
import type { Finding } from "./finding.ts";

const MIN_BUN = "1.4.5";

/** Less free space than this causes a warning, in bytes. */
const MIN_FREE_BYTES = 200_000_000;

/** Longest wait for the write lock, in milliseconds. */
const LOCK_WAIT_MS = 2_000;

const WEEK_MS = 604_800_000;

/** Checks the versions of Toolmeter and Bun. */
export function checkVersions(): readonly Finding[] {
  const isNew = Bun.semver.order(Bun.version, MIN_BUN) >= 0;
  const detail = `toolmeter ${version}, Bun ${Bun.version}, ${process.platform} ${process.arch}`;
  return [
    isNew
      ? { check: "versions", status: "ok", detail }
      : {
          check: "versions",
          status: "fail",
          detail,
          fix: `Upgrade to Bun ${MIN_BUN} or later: bun upgrade`,
        },
  ];
}

/** Checks whether recording is disabled. */
export function checkSwitch(): readonly Finding[] {
  const value = process.env["TOOLMETER_DISABLED"] ?? "";
  if (["", "0", "false"].includes(value))
    return [{ check: "recording", status: "ok", detail: "enabled" }];
  return [
    {
      check: "recording",
      status: "fail",
      detail: `disabled by TOOLMETER_DISABLED=${value}`,
      fix: "unset TOOLMETER_DISABLED",
    },
  ];
}

/** Checks the file's existence and permissions, and the free disk space. */
export async function checkPlace(file: string): Promise<readonly Finding[]> {
  let directory = dirname(file);
  while (!existsSync(directory) && dirname(directory) !== directory) directory = dirname(directory);
  const { bavail, bsize } = await statfs(directory);
  const free = bavail * bsize;
  const room: Finding =
    free < MIN_FREE_BYTES
      ? {
          check: "disk",
          status: "warn",
          detail: `${bytes(free)} free`,
          fix: "Free some space, or: toolmeter prune --older-than 30d",
        }
      : { check: "disk", status: "ok", detail: `${bytes(free)} free` };
  if (!existsSync(file)) {
    return [
      { check: "file", status: "ok", detail: `${file} will be created with the first record` },
      room,
    ];
  }
  const { mode, size } = await stat(file);
  const others = mode & 0o077;
  const detail = `${file}, ${bytes(size)}, permissions ${(mode & 0o777).toString(8)}`;
  return [
    others === 0 || process.platform === "win32"
      ? { check: "file", status: "ok", detail }
      : {
          check: "file",
          status: "warn",
          detail: `${detail}: accessible to other users`,
          fix: `chmod 600 ${Bun.$.escape(file)}`,
        },
    room,
  ];
}

/** Checks whether the file can be read and written now, and its settings and recent losses. */
export async function checkDatabase(file: string, isDeep: boolean): Promise<readonly Finding[]> {
  if (!existsSync(file)) return [];
  try {
    using source = await openAnalyticsReader(file);
    const pragma = (name: string) => source.$client.query(`pragma ${name}`).values()[0]?.[0];
    const sqlite = source.$client.query("select sqlite_version()").values()[0]?.[0];
    const journalMode = String(pragma("journal_mode"));
    const detail = `SQLite ${String(sqlite)}, journal_mode ${journalMode}, synchronous ${String(pragma("synchronous"))}, auto_vacuum ${String(pragma("auto_vacuum"))}, schema ${String(pragma("user_version"))}`;
    const damage = isDeep ? String(pragma("quick_check")) : "ok";
    const { accepted, dropped, lastError } = recordingHealth(source, {
      since: Date.now() - WEEK_MS,
    });
    const lost = Object.entries(dropped).filter(([, count]) => count > 0);
    return [
      journalMode === "wal"
        ? { check: "database", status: "ok", detail }
        : {
            check: "database",
            status: "warn",
            detail,
            fix: "The file system does not support shared memory: move the file to a local disk (TOOLMETER_DB)",
          },
      ...(isDeep ? [toIntegrity(damage)] : []),
      lost.length === 0
        ? { check: "losses, 7 days", status: "ok", detail: `none of ${accepted} records` }
        : {
            check: "losses, 7 days",
            status: "warn",
            detail: lost
              .map(([reason, count]) => `${count} ${reason.replaceAll("_", " ")}`)
              .join(", "),
            fix: lastError === null ? "toolmeter health" : `Last error: ${lastError}`,
          },
      await writability(file),
    ];
  } catch (error) {
    const isOurs = error instanceof AnalyticsError;
    const detail = errorMessage(error);
    return [
      {
        check: "database",
        status: "fail",
        detail,
        fix: isOurs ? "See the result" : "toolmeter doctor --deep",
      },
    ];
  }
}

function toIntegrity(damage: string): Finding {
  return damage === "ok"
    ? { check: "integrity", status: "ok", detail: "no damage found" }
    : {
        check: "integrity",
        status: "fail",
        detail: damage,
        fix: "Move the file away, so that a new one is created; or recover it: sqlite3 <file> .recover",
      };
}

/** Acquires and releases the write lock, which writers hold only for milliseconds. */
async function writability(file: string): Promise<Finding> {
  const check = "write lock";
  const deadline = performance.now() + LOCK_WAIT_MS;
  for (;;) {
    try {
      using db = createAnalyticsDb(file, { openTimeoutMs: LOCK_WAIT_MS });
      db.$client.run("begin immediate");
      db.$client.run("rollback");
      return { check, status: "ok", detail: "available" };
    } catch (error) {
      const detail = errorMessage(error);
      if (performance.now() > deadline) {
        const fix = "End the process that holds it, or allow writing to the file";
        return { check, status: "fail", detail: `not acquired within 2 s (${detail})`, fix };
      }
    }
    await Bun.sleep(20);
  }
}

/** Counts the recording processes and lists files that were set aside. */
export async function checkJournals(file: string): Promise<readonly Finding[]> {
  const names = await readdir(`${file}.journal`).catch(() => []);
  const living = livingRecorders(file).length;
  const aside = [
    ...names.filter((name) => name.endsWith(".damaged")),
    ...(await readdir(dirname(file)).catch(() => [])).filter((name) =>
      name.startsWith(`${basename(file)}.damaged-`),
    ),
  ];
  return [
    {
      check: "journals",
      status: "ok",
      detail: `${living} ${living === 1 ? "process is" : "processes are"} recording`,
    },
    ...(aside.length === 0
      ? []
      : [
          {
            check: "set aside",
            status: "warn" as const,
            detail: aside.join(", "),
            fix: "These files are damaged. Inspect them, then remove them",
          },
        ]),
  ];
}
