import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Journal } from "../../src/analytics/journal/journal.ts";
import { journalDirectory, lockName } from "../../src/analytics/file/journal-directory.ts";
import { FileLock } from "../../src/analytics/file/lock.ts";
import { fillUp, smallDisk } from "@toolmeter/testing/small-disk";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const RECORDER = "01990000-0000-7000-8000-000000000000";

/** More in the long run: `bun run soak journal`. */
const ROUNDS = Number(process.env["TOOLMETER_ROUNDS"] ?? 25);

const length = fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 400_000 }));
/** Which of the calls in flight. */
const nth = fc.nat(5);

const step = fc.oneof(
  fc.record({ kind: fc.constant("append"), length }),
  fc.record({ kind: fc.constant("start"), length }),
  fc.record({ kind: fc.constant("outcome"), nth, length }),
  fc.record({ kind: fc.constant("end"), nth, length }),
  fc.record({ kind: fc.constant("drop"), nth }),
  fc.record({ kind: fc.constant("release"), count: fc.nat(4) }),
  fc.record({
    kind: fc.constantFrom("remove lock", "remove segments", "remove directory"),
  }),
  fc.record({ kind: fc.constantFrom("lock elsewhere", "unlock elsewhere", "recover elsewhere") }),
  fc.record({ kind: fc.constantFrom("block directory", "unblock directory") }),
  fc.record({ kind: fc.constantFrom("fill disk", "free disk") }),
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** A line that waits, and the call in flight that it ends. */
interface Waiting {
  readonly line: string;
  readonly callId?: string;
}

/** A journal, what was done to it, and what a reader finds. */
class History {
  readonly #directory: string;
  readonly #lockPath: string;
  readonly journal: Journal;
  readonly #room: string;
  waiting: Waiting[] = [];
  /** The newest line of each call in flight. */
  readonly running = new Map<string, string>();
  /** What other processes took in: it is in the database. */
  readonly #recovered = new Set<string>();
  #elsewhere: FileLock | undefined;
  #disk: ReturnType<typeof fillUp> | undefined;
  #next = 0;
  /** The most bytes that waited and were in flight at one time. */
  #peak = 0;

  constructor(directory: string) {
    this.#room = directory;
    const database = join(directory, "a.db");
    this.#directory = journalDirectory(database);
    this.#lockPath = join(this.#directory, lockName(RECORDER));
    this.journal = new Journal(database, RECORDER, () => undefined);
  }

  #line(name: string, size: number): string {
    return `${this.#next++} ${name} ${"x".repeat(size)}\n`;
  }

  #running(index: number): string | undefined {
    return [...this.running.keys()][index];
  }

  #follow(id: string, size: number): void {
    const line = this.#line(id, size);
    this.running.set(id, line);
    this.journal.follow(id, line);
  }

  apply(action: Step): void {
    switch (action.kind) {
      case "append": {
        const line = this.#line("line", action.length);
        this.waiting.push({ line });
        this.journal.append(line);
        return;
      }
      case "start":
        this.#follow(`call-${this.#next}.`, action.length);
        return;
      case "outcome": {
        const id = this.#running(action.nth);
        if (id !== undefined) this.#follow(id, action.length);
        return;
      }
      case "end": {
        const callId = this.#running(action.nth);
        if (callId === undefined) return;
        this.running.delete(callId);
        const line = this.#line(callId, action.length);
        this.waiting.push({ line, callId });
        this.journal.append(line, callId);
        return;
      }
      case "drop": {
        const id = this.#running(action.nth);
        if (id === undefined) return;
        this.running.delete(id);
        this.journal.settle(id);
        return;
      }
      case "release":
        this.journal.release(this.waiting.splice(0, action.count).length);
        return;
      case "remove lock":
        this.#tryTo(() => rmSync(this.#lockPath));
        return;
      case "remove segments":
        for (const path of this.#segments()) rmSync(path);
        return;
      case "remove directory":
        rmSync(this.#directory, { recursive: true, force: true });
        return;
      case "lock elsewhere":
        this.#tryTo(() => (this.#elsewhere ??= FileLock.tryAcquire(this.#lockPath)));
        return;
      case "unlock elsewhere":
        this.#elsewhere?.remove();
        this.#elsewhere = undefined;
        return;
      case "recover elsewhere":
        if (this.#elsewhere) {
          for (const line of this.found()) this.#recovered.add(line);
          for (const path of this.#segments()) rmSync(path);
        }
        return;
      case "block directory":
        rmSync(this.#directory, { recursive: true, force: true });
        this.#tryTo(() => writeFileSync(this.#directory, ""));
        return;
      case "unblock directory":
        this.#unblock();
        return;
      case "fill disk":
        this.#disk ??= fillUp(this.#room);
        return;
      case "free disk":
        this.#disk?.free();
        this.#disk = undefined;
    }
  }

  /** Whatever was in the way is gone. */
  clear(): void {
    this.#unblock();
    this.#disk?.free();
    this.#disk = undefined;
    this.#elsewhere?.remove();
    this.#elsewhere = undefined;
  }

  #unblock(): void {
    if (existsSync(this.#directory) && statSync(this.#directory).isFile()) rmSync(this.#directory);
  }

  #tryTo(run: () => unknown): void {
    try {
      run();
    } catch {
      // Nothing is there, or no room.
    }
  }

  #segments(): readonly string[] {
    try {
      return readdirSync(this.#directory)
        .filter((name) => name.endsWith(".jsonl"))
        .map((name) => join(this.#directory, name));
    } catch {
      return [];
    }
  }

  get bytes(): number {
    return this.#segments().reduce((sum, path) => sum + statSync(path).size, 0);
  }

  /** The lines that a reader of the files finds. */
  found(): ReadonlySet<string> {
    return new Set(
      this.#segments().flatMap((path) =>
        readFileSync(path, "utf8")
          .split(/(?<=\n)/)
          .slice(1),
      ),
    );
  }

  /** How many of the waiting lines the next process would find, or at least a line of the call that they end. */
  get kept(): number {
    const lines = [...this.found(), ...this.#recovered];
    return this.waiting.filter(
      ({ line, callId }) =>
        lines.includes(line) ||
        (callId !== undefined && lines.some((other) => other.includes(` ${callId} `))),
    ).length;
  }

  checkClaims(): void {
    const claimed = this.waiting.length - this.journal.unwritten;
    // What another process took in may be kept in the database only.
    if (this.#recovered.size > 0) expect(this.kept).toBeGreaterThanOrEqual(claimed);
    else expect(this.kept).toBe(claimed);
  }

  checkSize(): void {
    const live = [...this.waiting.map(({ line }) => line), ...this.running.values()];
    const bytes = live.reduce((sum, line) => sum + line.length, 0);
    this.#peak = Math.max(this.#peak, bytes);
    expect(this.bytes).toBeLessThanOrEqual(2 * this.#peak + 1_048_576 + 400_100);
  }
}

const disk = smallDisk(16);
afterAll(() => disk[Symbol.dispose]());

describe("a journal, whatever happens to its files,", () => {
  const temporary = temporaryDirectory();
  const room = disk.isMounted ? disk.path : temporary.path;
  beforeAll(() => expect(existsSync(room)).toBe(true));
  afterAll(() => temporary[Symbol.dispose]());

  test("has what it claims, is bounded, and has everything once nothing is in the way", () => {
    const property = fc.property(fc.array(step, { maxLength: 40, size: "max" }), (steps) => {
      const history = new History(room);
      try {
        for (const action of steps) {
          if (!disk.isMounted && action.kind === "fill disk") continue;
          history.apply(action);
          // Under load it does not look with every line; with a release it always does.
          history.journal.release(0);
          history.checkClaims();
          history.checkSize();
        }
        history.clear();
        history.journal.release(0);
        expect(history.journal.unwritten).toBe(0);
        expect(history.kept).toBe(history.waiting.length);
        for (const line of history.running.values()) expect(history.found()).toContain(line);
      } finally {
        history.clear();
        history.journal.remove();
        rmSync(join(room, "a.db.journal"), { recursive: true, force: true });
      }
    });
    fc.assert(property, { numRuns: ROUNDS });
  }, 600_000);

  test("leaves behind at its end just what it claims", () => {
    const property = fc.property(fc.array(step, { maxLength: 40, size: "max" }), (steps) => {
      const history = new History(room);
      try {
        for (const action of steps) {
          if (!disk.isMounted && action.kind === "fill disk") continue;
          history.apply(action);
        }
        history.journal.close();
        history.checkClaims();
      } finally {
        history.clear();
        rmSync(join(room, "a.db.journal"), { recursive: true, force: true });
      }
    });
    fc.assert(property, { numRuns: ROUNDS });
  }, 600_000);
});
