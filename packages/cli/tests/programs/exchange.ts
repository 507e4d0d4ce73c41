/** The server of an exchange: `bun exchange.ts <script as JSON>`. It blocks on each of its streams. */
import { closeSync, readSync, writeSync } from "node:fs";
import { BROKEN, bytesAt, type Exchange, isAt } from "../support/exchange.ts";

/** The exit code of a server that was told something else than the script says. */
const WRONG = 99;

const { steps, ending, last, code, signal } = JSON.parse(process.argv[2] ?? "") as Exchange;
const buffer = Buffer.alloc(65_536);
let read = 0;
let written = 0;

for (const step of steps) {
  if (step.kind === "ask") hear(step.bytes);
  else if (step.kind === "answer") {
    for (let part = 0; part < step.writes; part += 1) {
      say(Math.ceil(step.bytes / step.writes));
      Bun.sleepSync(step.pause);
    }
  } else {
    say(step.answered);
    hear(step.asked);
  }
}
switch (ending) {
  case "client ends input":
    hearEnd();
    say(last);
    break;
  case "server exits":
    say(last);
    break;
  case "server dies":
    say(last);
    process.kill(process.pid, signal);
    Bun.sleepSync(60_000);
    break;
  case "server closes output":
    say(last);
    closeSync(1);
    hearEnd();
    break;
  case "server closes input":
    closeSync(0);
    say(last);
    sayUntilBroken();
    break;
  case "client leaves":
    hearEnd();
    sayUntilBroken();
    break;
  case "client stops reading":
    sayUntilBroken();
    break;
}
process.exit(code);

/** Reads exactly so many bytes. */
function hear(length: number): void {
  for (const end = read + length; read < end;) {
    const count = readSync(0, buffer, 0, Math.min(buffer.length, end - read), null);
    if (count === 0 || !isAt(read, buffer.subarray(0, count))) process.exit(WRONG);
    read += count;
  }
}

function hearEnd(): void {
  if (readSync(0, buffer, 0, 1, null) !== 0) process.exit(WRONG);
}

function say(length: number): void {
  const bytes = bytesAt(written, length);
  try {
    for (let done = 0; done < length;) done += writeSync(1, bytes, done);
  } catch (error) {
    process.exit((error as NodeJS.ErrnoException).code === "EPIPE" ? BROKEN : WRONG);
  }
  written += length;
}

function sayUntilBroken(): never {
  for (;;) {
    say(100);
    Bun.sleepSync(5);
  }
}
