#!/usr/bin/env node
/**
 * Runs Bun with the given arguments on a machine that needs only Node 18 and npm:
 *
 *     node scripts/bun.mjs run examples/demo.ts
 *
 * Uses the first Bun that is at least the version of `packageManager` in package.json: the one that runs this file, the
 * one on PATH, or the one in `.tools`. If there is none, installs exactly that version into `.tools`, from npm. Then
 * installs the dependencies if bun.lock has changed, and runs Bun: arguments, standard streams, exit code and signals
 * pass through. Prints its own messages to stderr.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const isWindows = process.platform === "win32";
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tools = join(root, ".tools");
/** The npm package names the program `bun.exe` on every system. Windows finds `bun` only under that name. */
const ownBun = join(tools, "node_modules", isWindows ? "bun/bin/bun.exe" : ".bin/bun");
/** Holds the hash of the bun.lock that the dependencies were installed from. */
const stamp = join(root, "node_modules", ".installed-from-lock");
const pinned = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).packageManager.slice(4);

try {
  const bun = findBun() ?? exclusively(() => findBun() ?? installBun());
  if (!isInstalled()) exclusively(() => isInstalled() || installDependencies(bun));
  handOver(bun, process.argv.slice(2));
} catch (error) {
  say(error.message);
  process.exitCode = 1;
}

function findBun() {
  const directories = (process.env.PATH ?? "").split(delimiter).filter(Boolean);
  const onPath = directories.map((directory) => join(directory, isWindows ? "bun.exe" : "bun"));
  const itself = process.versions.bun ? [process.execPath] : [];
  return [...itself, ...onPath, ownBun].find((path) => existsSync(path) && isRecent(path));
}

/** Whether a program runs and reports at least the pinned version. */
function isRecent(path) {
  const { stdout } = spawnSync(path, ["--version"], { encoding: "utf8", timeout: 10_000 });
  const found = /^\d+\.\d+\.\d+/.exec(stdout ?? "")?.[0].split(".");
  if (!found) return false;
  const differences = pinned.split(".").map((part, i) => Number(found[i]) - Number(part));
  return (differences.find((difference) => difference !== 0) ?? 0) >= 0;
}

function installBun() {
  say(`found no Bun ${pinned} or later; installing it from npm into .tools (once, about 100 MB) …`);
  // Runs the package's install script by hand: npm 12 runs none, and a user may have disabled them.
  const flags = "--prefix . --no-save --ignore-scripts --include=optional --no-audit --no-fund";
  // One string for a shell, because npm is a .cmd file on Windows. Nothing in it needs quotes.
  step(`npm install ${flags} bun@${pinned}`, [], { cwd: tools, shell: true });
  step(process.execPath, [join(tools, "node_modules/bun/install.js")], { cwd: tools });
  if (isRecent(ownBun)) return ownBun;
  throw new Error(
    `Expected bun@${pinned} to run on ${process.platform} ${process.arch}; it does not.`,
  );
}

function isInstalled() {
  return existsSync(stamp) && readFileSync(stamp, "utf8") === lockState();
}

function installDependencies(bun) {
  const state = lockState();
  say("installing the dependencies …");
  step(bun, ["install", "--frozen-lockfile"], { cwd: root });
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, state);
}

function lockState() {
  return String(statSync(join(root, "bun.lock")).mtimeMs);
}

/** Runs a task while no other process runs one here. Ignores the lock of a process that has ended. */
function exclusively(task) {
  const lock = join(tools, "lock");
  mkdirSync(tools, { recursive: true });
  for (let tries = 0; !takeLock(lock); tries += 1) {
    if (tries === 0) say(`waiting for the other process that is installing (see ${lock}) …`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  }
  try {
    return task();
  } finally {
    rmSync(lock, { force: true });
  }
}

function takeLock(lock) {
  try {
    writeFileSync(lock, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
  try {
    process.kill(Number(readFileSync(lock, "utf8")), 0);
  } catch (error) {
    if (error.code === "ESRCH") rmSync(lock, { force: true });
  }
  return false;
}

function step(command, args, options) {
  const { status, signal, error } = spawnSync(command, args, {
    stdio: ["ignore", 2, 2],
    ...options,
  });
  if (status === 0) return;
  const outcome = error?.message ?? `ended with ${signal ?? status}`;
  throw new Error(
    `\`${[command, ...args].join(" ")}\`: ${outcome}. Bun ${pinned}: https://bun.com`,
  );
}

function handOver(bun, args) {
  process.env.PATH = [dirname(bun), process.env.PATH].filter(Boolean).join(delimiter);
  // Listen first: a signal that arrives right after the start would kill this process and leave the child behind.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
    process.on(signal, () => child.kill(signal));
  const child = spawn(bun, args, { stdio: "inherit" });
  child.on("exit", (code, signal) => {
    process.exitCode = code ?? 128 + constants.signals[signal];
    if (signal === null) return;
    // The parent process sees the same signal as if it had started Bun.
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

function say(text) {
  console.error(`scripts/bun.mjs: ${text}`);
}
