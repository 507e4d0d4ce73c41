import { dlopen } from "bun:ffi";
import { closeSync, openSync } from "node:fs";

/**
 * Calls of POSIX that neither Bun nor Node offers. None is variadic: `bun:ffi` cannot call those on every processor.
 * musl takes glibc's name for its own: https://git.musl-libc.org/cgit/musl/tree/ldso/dynlink.c (`load_library`).
 */
function open() {
  return dlopen(process.platform === "darwin" ? "libSystem.B.dylib" : "libc.so.6", {
    dup: { args: ["i32"], returns: "i32" },
    dup2: { args: ["i32", "i32"], returns: "i32" },
    pipe: { args: ["ptr"], returns: "i32" },
    poll: { args: ["ptr", "u64", "i32"], returns: "i32" },
  }).symbols;
}

let opened: ReturnType<typeof open> | undefined;

/** Opened when it is needed: Windows has none. */
const libc = () => (opened ??= open());

const POLLIN = 1;

/** `struct pollfd`: the descriptor, then the events that are asked for and those that are reported, 16 bits each. */
const pollfd = new Int32Array(2);

/** The two descriptors of a new pipe: one to read from, one to write to. Children of `Bun.spawn` inherit neither. */
export function makePipe(): readonly [number, number] {
  const ends = new Int32Array(2);
  if (libc().pipe(ends) !== 0) throw new Error("Expected a pipe, but the system has none left.");
  const [readable = -1, writable = -1] = ends;
  return [readable, writable];
}

/**
 * Moves an open file to a new descriptor, which is returned. `/dev/null` takes its place: closing the new descriptor
 * closes the file, and nothing can write to it by accident.
 */
export function takeOver(fd: number): number {
  const taken = libc().dup(fd);
  if (taken < 0) throw new Error("Expected a free file descriptor, but the system has none left.");
  const nothing = openSync("/dev/null", "r+");
  libc().dup2(nothing, fd);
  closeSync(nothing);
  return taken;
}

/** Whether a write would fail because the other end is closed. False for regular files. */
export function isBroken(fd: number): boolean {
  // Errors and hang-ups are reported without being asked for.
  return poll(fd, 0);
}

/** Whether a read would return at once, with data or the end of the file. */
export function isReadable(fd: number): boolean {
  return poll(fd, POLLIN);
}

function poll(fd: number, events: number): boolean {
  pollfd.set([fd, events]);
  return libc().poll(pollfd, 1, 0) > 0;
}
