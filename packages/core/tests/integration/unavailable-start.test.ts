/** Services that begin while nobody could open their file: what they accept is there in the end. */
import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { TelemetryService, createAnalyticsDb } from "../../src/analytics/index.ts";
import { startRecorder } from "../support/first-call.ts";
import { memoryLogger } from "../support/memory-logger.ts";
import { giveToNobody } from "../support/nobody.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

type Directory = ReturnType<typeof temporaryDirectory>;

/** Puts something in the way of `data/a.db`; returns how to take it away. */
type Obstacle = (file: (name: string) => string) => () => void;

const OBSTACLES: readonly (readonly [string, Obstacle])[] = [
  [
    "a file in place of its directory",
    (file) => {
      writeFileSync(file("data"), "");
      return () => {
        rmSync(file("data"));
        mkdirSync(file("data"), { mode: 0o777 });
      };
    },
  ],
  [
    "a link to a directory that is not there yet",
    (file) => {
      symlinkSync(file("volume/data"), file("data"));
      writeFileSync(file("volume"), "");
      return () => {
        rmSync(file("volume"));
        mkdirSync(file("volume/data"), { recursive: true });
      };
    },
  ],
  [
    "links in a circle",
    (file) => {
      symlinkSync(file("other"), file("data"));
      symlinkSync(file("data"), file("other"));
      return () => {
        rmSync(file("data"));
        mkdirSync(file("data"));
      };
    },
  ],
  [
    "a directory that may not be written to",
    (file) => {
      mkdirSync(file("data"));
      chmodSync(file("data"), 0o555);
      return () => chmodSync(file("data"), 0o777);
    },
  ],
  [
    "a directory that may not be looked into",
    (file) => {
      mkdirSync(file("data"));
      chmodSync(file("data"), 0o000);
      return () => chmodSync(file("data"), 0o777);
    },
  ],
  [
    "a file that may not be written to",
    (file) => {
      mkdirSync(file("data"));
      createAnalyticsDb(file("data/a.db")).close();
      chmodSync(file("data/a.db"), 0o444);
      return () => chmodSync(file("data/a.db"), 0o600);
    },
  ],
  [
    "a file that may not be read",
    (file) => {
      mkdirSync(file("data"));
      createAnalyticsDb(file("data/a.db")).close();
      chmodSync(file("data/a.db"), 0o000);
      return () => chmodSync(file("data/a.db"), 0o600);
    },
  ],
];

const recorder = await startRecorder("nobody");

afterAll(() => recorder.kill());

test.each(OBSTACLES)(
  "%s at the start loses no call",
  async (_name, obstruct) => {
    using directory = temporaryDirectory();
    const free = obstruct((name) => directory.file(name));
    giveTree(directory);
    const answer = recorder.record(directory.file("data/a.db"), 600);
    await Bun.sleep(300);
    free();
    giveTree(directory);
    const { accepted, dropped } = await answer;
    expect(dropped).toBe(0);
    expect(accepted).toBeGreaterThan(1);
    using db = createAnalyticsDb(directory.file("data/a.db"));
    expect(db.$client.query("select count(*) from tool_calls").values()).toEqual([[accepted]]);
  },
  30_000,
);

/** Makes the recorder's user the owner of all that is there. */
function giveTree({ path }: Directory): void {
  const names = [...new Bun.Glob("**").scanSync({ cwd: path, onlyFiles: false, absolute: true })];
  giveToNobody(path, ...names);
}

describe("an obstacle that does not pass", () => {
  test.each([
    ["a directory", "is_directory", (path: string) => mkdirSync(path)],
    [
      "a pipe",
      "not_a_database",
      (path: string) => expect(Bun.spawnSync(["mkfifo", path]).exitCode).toBe(0),
    ],
    ["a text", "not_a_database", (path: string) => writeFileSync(path, "no database".repeat(100))],
  ] as const)("%s in place of the file is refused at once", (_name, code, make) => {
    using directory = temporaryDirectory();
    make(directory.file("a.db"));
    const logger = memoryLogger();
    const begin = () => new TelemetryService(directory.file("a.db"), { logger });
    expect(begin).toThrow(expect.objectContaining({ code }));
  });
});
