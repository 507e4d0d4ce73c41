import { dlopen } from "bun:ffi";
import { closeSync, openSync } from "node:fs";

/**
 * POSIX functions that neither Bun nor Node provides. None is variadic, because `bun:ffi` cannot call variadic
 * functions on every processor. musl also accepts glibc's name: https://git.musl-libc.org/cgit/musl/tree/ldso/dynlink.c
 * (`load_library`).
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

/** Opened on demand, because Windows does not have it. */
const libc = () => (opened ??= open());

const POLLIN = 1;

/** `struct pollfd`: the descriptor, then the requested and the returned events, 16 bits each. */
const pollfd = new Int32Array(2);

/** Creates a pipe. Returns its descriptors for reading and for writing; children of `Bun.spawn` inherit neither. */
export function makePipe(): readonly [number, number] {
  const ends = new Int32Array(2);
  if (libc().pipe(ends) !== 0) throw new Error("Expected a new pipe, but the system has no more.");
  const [readable = -1, writable = -1] = ends;
  return [readable, writable];
}

/**
 * Moves an open file to a new descriptor and returns that. The old descriptor then refers to `/dev/null`, so that
 * closing the new descriptor closes the file, and no other code can write to it by accident.
 */
export function takeOver(fd: number): number {
  const taken = libc().dup(fd);
  if (taken < 0) throw new Error("Expected a free file descriptor, but the system has no more.");
  const nothing = openSync("/dev/null", "r+");
  libc().dup2(nothing, fd);
  closeSync(nothing);
  return taken;
}

/** Whether a write would fail because the other end is closed. False for regular files. */
export function isBroken(fd: number): boolean {
  // Errors and hang-ups are always reported.
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
