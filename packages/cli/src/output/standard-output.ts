/** Linux's `O_CLOEXEC` on the architectures that Bun supports. */
const CLOSE_ON_EXEC = 0o2_000_000;

/**
 * Returns a function that writes text to standard output, in order. It resolves when the text is written and rejects
 * with the system's error.
 *
 * Avoids `process.stdout`, because loading it takes longer than most commands.
 */
export function standardOutput(): (text: string) => Promise<void> {
  let sink: ReturnType<typeof Bun.stdout.writer> | undefined;
  let isClosed: boolean | undefined;
  return async (text) => {
    isClosed ??= await wasClosed();
    if (isClosed) throw Object.assign(new Error("EBADF: bad file descriptor"), { code: "EBADF" });
    // Created on demand: it makes standard output non-blocking and keeps it open, but `record` passes it to other
    // processes.
    sink ??= Bun.stdout.writer();
    await sink.write(text);
    await sink.flush();
  };
}

/**
 * Whether standard output was closed when the process started (`>&-`). The runtime then opens `/dev/null` in its place
 * with close-on-exec, which an inherited descriptor cannot have. Works only on Linux; returns false elsewhere.
 */
async function wasClosed(): Promise<boolean> {
  try {
    const [, flags = "0"] =
      /^flags:\s*([0-7]+)$/m.exec(await Bun.file("/proc/self/fdinfo/1").text()) ?? [];
    return (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) !== 0;
  } catch {
    return false;
  }
}
