import { existsSync } from "node:fs";
import { readdir, stat, statfs } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { AnalyticsError, createAnalyticsDb, errorMessage } from "@toolmeter/core";
import { livingRecorders, openAnalyticsReader, recordingHealth } from "@toolmeter/core/queries";
import { bytes } from "@toolmeter/present";
import { version } from "../../package.json";
import type { Finding } from "./finding.ts";

const MIN_BUN = "1.4.5";

/** Less free space than this, in bytes, is worth a word. */
const MIN_FREE_BYTES = 200_000_000;

/** Longest wait for the write lock, in milliseconds. */
const LOCK_WAIT_MS = 2_000;

const WEEK_MS = 604_800_000;

/** What runs. */
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
          fix: `Expected Bun ${MIN_BUN} or later: bun upgrade`,
        },
  ];
}

/** Whether recording is switched off. */
export function checkSwitch(): readonly Finding[] {
  const value = process.env["TOOLMETER_DISABLED"] ?? "";
  if (["", "0", "false"].includes(value))
    return [{ check: "recording", status: "ok", detail: "is switched on" }];
  return [
    {
      check: "recording",
      status: "fail",
      detail: `is switched off by TOOLMETER_DISABLED=${value}`,
      fix: "unset TOOLMETER_DISABLED",
    },
  ];
}

/** The place of the file: its directory, its permissions, room for it. */
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
          detail: `${bytes(free)} are free`,
          fix: "Free some space, or: toolmeter prune --older-than 30d",
        }
      : { check: "disk", status: "ok", detail: `${bytes(free)} are free` };
  if (!existsSync(file)) {
    return [
      { check: "file", status: "ok", detail: `${file} will be made by the first record` },
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
          detail: `${detail}: others may read it`,
          fix: `chmod 600 ${Bun.$.escape(file)}`,
        },
    room,
  ];
}

/** Whether the file can be read and written now, and what it is set to. */
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
            fix: "Its file system has no shared memory: put the file on a local disk (TOOLMETER_DB)",
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
            fix: lastError === null ? "toolmeter health" : `The last error: ${lastError}`,
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
        fix: isOurs ? "As it says" : "toolmeter doctor --deep",
      },
    ];
  }
}

function toIntegrity(damage: string): Finding {
  return damage === "ok"
    ? { check: "integrity", status: "ok", detail: "the whole file is sound" }
    : {
        check: "integrity",
        status: "fail",
        detail: damage,
        fix: "Move the file away; a new one is begun. Or: sqlite3 <file> .recover",
      };
}

/** Takes the write lock, and gives it back: whoever writes holds it for milliseconds. */
async function writability(file: string): Promise<Finding> {
  const check = "write lock";
  const deadline = performance.now() + LOCK_WAIT_MS;
  for (;;) {
    try {
      using db = createAnalyticsDb(file, { openTimeoutMs: LOCK_WAIT_MS });
      db.$client.run("begin immediate");
      db.$client.run("rollback");
      return { check, status: "ok", detail: "is free" };
    } catch (error) {
      const detail = errorMessage(error);
      if (performance.now() > deadline) {
        const fix = "End the process that holds it, or allow writing";
        return { check, status: "fail", detail: `could not be had for 2 s (${detail})`, fix };
      }
    }
    await Bun.sleep(20);
  }
}

/** Journals of processes that live, and what was set aside. */
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
      detail: `${living} ${living === 1 ? "process records" : "processes record"} now`,
    },
    ...(aside.length === 0
      ? []
      : [
          {
            check: "set aside",
            status: "warn" as const,
            detail: aside.join(", "),
            fix: "They could not be read whole. Look at them, then remove them",
          },
        ]),
  ];
}
