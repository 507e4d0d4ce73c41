/** The ends of the recorder's streams: each side learns of the other's what it would learn without a recorder. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openAnalyticsReader, streamCalls } from "@toolmeter/core/queries";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";
import { until } from "@toolmeter/testing/until";

const TOOLMETER = join(import.meta.dir, "../../src/toolmeter.ts");
const SERVER = join(import.meta.dir, "../programs/server.ts");
const BROKEN = join(import.meta.dir, "../programs/broken.ts");
const BUN = process.execPath;

/** Only for a run that hangs. */
const HANGS_MS = 120_000;

let directory: ReturnType<typeof temporaryDirectory>;

/** The recorder as one word without blanks, for shells. */
let recorder: string;

beforeEach(() => {
  directory = temporaryDirectory();
  recorder = directory.file("recorder");
  writeFileSync(recorder, `#!/bin/sh\nexec '${BUN}' '${TOOLMETER}' record -- "$@"\n`, {
    mode: 0o700,
  });
});

afterEach(() => directory[Symbol.dispose]());

function spawn(...words: readonly string[]) {
  return Bun.spawn([...words], {
    cwd: directory.path,
    env: {
      ...process.env,
      RECORD: recorder,
      TOOLMETER_DB: directory.file("a.db"),
    },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
}

const recorded = (...words: readonly string[]) => spawn(BUN, TOOLMETER, "record", "--", ...words);

/** Reads what comes first, at least a byte. */
async function first(child: ReturnType<typeof spawn>) {
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  return { reader, text: Buffer.from(value ?? []).toString() };
}

/** Waits for a file that a server writes. */
async function fileAt(path: string): Promise<string> {
  await until(() => Bun.file(path).exists());
  return Bun.file(path).text();
}

describe("the end of a server", () => {
  test(
    "comes after all of its output, however late its client reads",
    async () => {
      // Later than the recorder waits for silent heirs of the server's output, and more than a pipe holds.
      // (`Bun.spawn` reads ahead: it is never late.)
      const child = spawn(
        "sh",
        "-c",
        "($RECORD sh -c 'sleep 4 & head -c 100000 /dev/zero; touch ended; exit 3'; echo $? > code) |" +
          "(while ! test -e ended; do sleep 0.1; done; sleep 3; wc -c)",
      );
      expect(Number(await child.stdout.text())).toBe(100_000);
      expect(await fileAt(directory.file("code"))).toBe("3\n");
    },
    HANGS_MS,
  );

  test(
    "closes its client's input, and fails the calls it was working on",
    async () => {
      const child = recorded(BUN, SERVER);
      const params = { name: "echo", arguments: { exit: 7 } };
      const call = { jsonrpc: "2.0", id: 1, method: "tools/call", params };
      void child.stdin.write(`${JSON.stringify(call)}\n`);
      await child.stdin.flush();
      await child.exited;
      expect(child.exitCode).toBe(7);
      using source = await openAnalyticsReader(directory.file("a.db"));
      expect([...streamCalls(source, {})]).toMatchObject([
        { request_id: "1", status: "abandoned", error_type: "server_ended" },
      ]);
    },
    HANGS_MS,
  );

  test(
    "leaves its output to the processes that still hold it",
    async () => {
      const child = recorded(
        "sh",
        "-c",
        `(while ! test -e go; do sleep 0.1; done; echo late) & echo hi; exit 3`,
      );
      const { reader, text } = await first(child);
      await child.exited;
      expect({ text, code: child.exitCode }).toEqual({ text: "hi\n", code: 3 });
      await Bun.write(directory.file("go"), "");
      const { value } = await reader.read();
      expect(Buffer.from(value ?? []).toString()).toBe("late\n");
      expect((await reader.read()).done).toBe(true);
    },
    HANGS_MS,
  );
});

describe("the end of a stream", () => {
  test(
    "is passed on while the server goes on: of its output, then of its input",
    async () => {
      const child = recorded("sh", "-c", "echo hi; exec >&-; cat > /dev/null; exit 4");
      expect(await child.stdout.text()).toBe("hi\n");
      expect(child.exitCode).toBeNull();
      await child.stdin.end();
      await child.exited;
      expect(child.exitCode).toBe(4);
    },
    HANGS_MS,
  );

  test(
    "is passed on to the client's side of an input that the server closed",
    async () => {
      const child = recorded(
        "sh",
        "-c",
        "exec <&-; echo hi; while ! test -e go; do sleep 0.1; done",
      );
      await first(child);
      const write = async () => {
        for (;;) {
          await child.stdin.write("x");
          await child.stdin.flush();
          await Bun.sleep(5);
        }
      };
      expect(await write().catch((error: unknown) => error)).toMatchObject({ code: "EPIPE" });
      await Bun.write(directory.file("go"), "");
      await child.exited;
      expect(child.exitCode).toBe(0);
    },
    HANGS_MS,
  );
});

describe("a client that reads no more", () => {
  const STUBBORN = `trap "" PIPE; echo hi; cat > /dev/null; while echo hi; do sleep 0.1; done; exit 42`;
  const LARGE = `while head -c 300000 /dev/zero; do sleep 0.1; done; exit 42`;

  test.each([
    ["one that never stops", ["yes"], 141],
    ["one that ignores SIGPIPE and the end of its input", ["sh", "-c", STUBBORN], 42],
    ["one with large messages", ["sh", "-c", LARGE], 42],
    // At its first write, as it would be without a recorder.
    ["one that has not written since", [BUN, BROKEN], 42],
  ])(
    "ends the server with a closed pipe: %s",
    async (_name, words, code) => {
      const child = recorded(...words);
      const { reader } = await first(child);
      await reader.cancel();
      if (words.includes(STUBBORN)) await child.stdin.end();
      await child.exited;
      expect(child.exitCode).toBe(code);
      const err = await child.stderr.text();
      // What the shell and its commands say about their pipe is theirs.
      expect(err.replaceAll(/^(?:sh|head): .*(?:Broken pipe|I\/O error).*\n/gim, "")).toBe("");
    },
    HANGS_MS,
  );
});

test(
  "a recorder that is killed closes its server's streams",
  async () => {
    const child = recorded("sh", "-c", "echo hi; cat > /dev/null; echo ended > ended");
    await first(child);
    child.kill("SIGKILL");
    expect(await fileAt(directory.file("ended"))).toBeDefined();
  },
  HANGS_MS,
);

test(
  "streams of any kind work as without a recorder",
  async () => {
    // `$RECORD` is empty, or the recorder.
    const lines = [
      "(read x; $RECORD cat) < in.txt",
      "$RECORD wc -c <&-",
      "(echo first; $RECORD sh -c 'echo second; exit 5'; echo $?) > out.txt; cat out.txt",
      "$RECORD sh -c 'wc -c; exit 6' < /dev/null > /dev/null; echo $?",
      "$RECORD cat in.txt > /dev/full; echo $?",
      "$RECORD sh -c 'exit 7' <&- >&- 2>&-; echo $?",
      // One pipe for both: writes to stderr go on to block.
      "($RECORD sh -c 'head -c 1000000 /dev/zero >&2; echo $? > code' 2>&1; cat code) | (sleep 0.5; wc -c); cat code",
      "(sleep 0.5; printf 'typed\\n'; sleep 0.3; printf '\\004'; sleep 0.5) | script -qec \"$RECORD sh -c 'cat; exit 8'\" /dev/null; echo $?",
    ];
    const run = async (line: string, prefix: string) => {
      const script = `cd $(mktemp -d -p .) && seq 30000 > in.txt\n${line}`;
      const child = spawn("sh", "-c", script.replaceAll("$RECORD", prefix));
      await child.stdin.end();
      const [out] = await Promise.all([child.stdout.text(), child.stderr.text()]);
      return { line, out };
    };
    const direct = await Promise.all(lines.map((line) => run(line, "")));
    const behind = await Promise.all(lines.map((line) => run(line, "$RECORD")));
    expect(behind).toEqual(direct);
  },
  HANGS_MS,
);
