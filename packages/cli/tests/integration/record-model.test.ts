/**
 * The recorder against the model that it is not there: whatever both sides say, at any speed, and however they end,
 * each gets the same bytes, ends and exit codes as without it. `TOOLMETER_ROUNDS` raises the number of exchanges.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { closeSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { makePipe } from "../../src/record/descriptors.ts";
import { BROKEN, bytesAt, ENDINGS, type Exchange, isAt, type Step } from "../support/exchange.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const TOOLMETER = join(import.meta.dir, "../../src/toolmeter.ts");
const SERVER = join(import.meta.dir, "../programs/exchange.ts");
const BUN = process.execPath;
const ROUNDS = Number(process.env["TOOLMETER_ROUNDS"] ?? 0) || ENDINGS.length;

/** Only for a run that hangs: nothing takes so long. */
const HANGS_MS = 60_000;

let directory: ReturnType<typeof temporaryDirectory>;

beforeAll(() => {
  directory = temporaryDirectory();
});

afterAll(() => directory[Symbol.dispose]());

/** From nothing to more than all the buffers on the way hold. */
const size = fc.oneof(
  fc.integer({ min: 0, max: 300 }),
  fc.integer({ min: 0, max: 70_000 }),
  fc.integer({ min: 0, max: 800_000 }),
);

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("ask" as const), bytes: size }),
  fc.record({
    kind: fc.constant("answer" as const),
    bytes: size,
    writes: fc.integer({ min: 1, max: 10 }),
    pause: fc.integer({ min: 0, max: 20 }),
  }),
  fc.record({ kind: fc.constant("both" as const), asked: size, answered: size }),
);

/** Each ending as often as any other. */
let round = 0;
const ending = fc
  .constant(undefined)
  .map(() => ENDINGS[round++ % ENDINGS.length] ?? "server exits");

const exchange: fc.Arbitrary<Exchange> = fc.record({
  steps: fc.array(step, { maxLength: 4 }),
  ending,
  last: size,
  delay: fc.constantFrom(0, 0, 50, 700),
  code: fc.integer({ min: 0, max: 90 }),
  signal: fc.constantFrom("SIGKILL", "SIGSEGV", "SIGTERM"),
  output: fc.constantFrom("pipe", "socket"),
});

/** The client's side of an exchange: what it got, and how it ended. */
class Client {
  readonly #child;
  readonly #reader;
  readonly #closeOutput: () => Promise<void>;
  #rest = Buffer.alloc(0);
  #got = 0;
  #said = 0;

  constructor(words: readonly string[], output: Exchange["output"]) {
    const env = { ...process.env, TOOLMETER_DB: directory.file("a.db") };
    const options = { env, stdin: "pipe", stderr: "inherit" } as const;
    if (output === "socket") {
      const child = Bun.spawn([...words], { ...options, stdout: "pipe" });
      const reader = child.stdout.getReader();
      this.#child = child;
      this.#reader = reader;
      this.#closeOutput = () => reader.cancel();
    } else {
      const [readable, writable] = makePipe();
      this.#child = Bun.spawn([...words], { ...options, stdout: writable });
      closeSync(writable);
      const reader = Bun.file(readable).stream().getReader();
      this.#reader = reader;
      this.#closeOutput = async () => {
        await reader.cancel();
        closeSync(readable);
      };
    }
  }

  async follow({ steps, ending: how, last, delay }: Exchange) {
    for (const next of steps) {
      if (next.kind === "ask") await this.#say(next.bytes);
      else if (next.kind === "answer")
        await this.#hear(next.writes * Math.ceil(next.bytes / next.writes));
      else await Promise.all([this.#say(next.asked), this.#hear(next.answered)]);
    }
    if (how === "client ends input") await this.#child.stdin.end();
    if (how === "client stops reading" || how === "client leaves") await this.#closeOutput();
    else {
      await Bun.sleep(delay);
      await this.#hear(last);
    }
    if (how === "client leaves") await this.#child.stdin.end();
    if (how === "server closes input") {
      await this.#sayUntilBroken();
      await this.#closeOutput();
    }
    const isOver = ["client leaves", "client stops reading", "server closes input"].includes(how);
    const more = !isOver && (this.#rest.length > 0 || !(await this.#reader.read()).done);
    if (how === "server closes output") await this.#child.stdin.end();
    await this.#child.exited;
    if (!isOver) await this.#closeOutput();
    return { more, got: this.#got, code: this.#child.exitCode, signal: this.#child.signalCode };
  }

  /** Ends what hangs. */
  stop(): void {
    this.#child.kill("SIGTERM");
  }

  async #say(length: number): Promise<void> {
    await this.#child.stdin.write(bytesAt(this.#said, length));
    await this.#child.stdin.flush();
    this.#said += length;
  }

  async #sayUntilBroken(): Promise<void> {
    try {
      for (;;) {
        await this.#say(100);
        await Bun.sleep(5);
      }
    } catch (error) {
      expect(error).toMatchObject({ code: "EPIPE" });
    }
  }

  /** Reads exactly so many bytes, and compares them. */
  async #hear(length: number): Promise<void> {
    for (let missing = length; missing > 0;) {
      if (this.#rest.length === 0) {
        const { done, value } = await this.#reader.read();
        if (done) return;
        this.#rest = Buffer.from(value);
      }
      const part = this.#rest.subarray(0, missing);
      if (!isAt(this.#got, part))
        throw new Error(`Other bytes than were said, after ${this.#got}.`);
      this.#rest = this.#rest.subarray(part.length);
      this.#got += part.length;
      missing -= part.length;
    }
  }
}

async function run(script: Exchange, ...before: readonly string[]) {
  const client = new Client([...before, BUN, SERVER, JSON.stringify(script)], script.output);
  const timer = setTimeout(() => client.stop(), HANGS_MS);
  try {
    return await client.follow(script);
  } finally {
    clearTimeout(timer);
    client.stop();
  }
}

/** What a client sees without anything in between. */
function expected({ steps, ending: how, last, code, signal }: Exchange) {
  const isRead = how !== "client stops reading" && how !== "client leaves";
  const answered = steps.map((next) => {
    if (next.kind === "ask") return 0;
    return next.kind === "both" ? next.answered : next.writes * Math.ceil(next.bytes / next.writes);
  });
  const got = answered.reduce((sum, bytes) => sum + bytes, isRead ? last : 0);
  if (how === "server dies") return { more: false, got, code: null, signal };
  const isBroken = !isRead || how === "server closes input";
  return { more: false, got, code: isBroken ? BROKEN : code, signal: null };
}

const NUMBERS = { SIGKILL: 137, SIGSEGV: 139, SIGTERM: 143 };

test(
  "an exchange is the same with a recorder and without",
  async () => {
    await fc.assert(
      fc.asyncProperty(exchange, async (script) => {
        const [direct, recorded] = await Promise.all([
          run(script),
          run(script, BUN, TOOLMETER, "record"),
        ]);
        expect(direct).toEqual(expected(script));
        // A signal that ends the server is told as shells tell it.
        const { signal } = direct;
        const code = signal === null ? direct.code : NUMBERS[script.signal];
        expect(recorded).toEqual({ ...direct, code, signal: null });
      }),
      // A hang that shrinks would take hours.
      { numRuns: ROUNDS, endOnFailure: true },
    );
  },
  ROUNDS * HANGS_MS,
);
