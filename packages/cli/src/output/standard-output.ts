/** `O_CLOEXEC` as Linux has it on the architectures that Bun runs on. */
const CLOSE_ON_EXEC = 0o2_000_000;

/**
 * Writes text to the process's standard output, in order. Resolves when it is taken; rejects with the system's error.
 *
 * Loads nothing: `process.stdout` takes longer than most answers.
 */
export function standardOutput(): (text: string) => Promise<void> {
  let sink: ReturnType<typeof Bun.stdout.writer> | undefined;
  let isClosed: boolean | undefined;
  return async (text) => {
    isClosed ??= await wasClosed();
    if (isClosed) throw Object.assign(new Error("EBADF: bad file descriptor"), { code: "EBADF" });
    // Made when it is needed: it makes standard output non-blocking and keeps it open, and `record` hands it to others.
    sink ??= Bun.stdout.writer();
    await sink.write(text);
    await sink.flush();
  };
}

/**
 * Whether standard output was closed when the process began (`>&-`). The runtime then opens `/dev/null` in its place,
 * with close-on-exec, which no inherited descriptor can have. Known on Linux only.
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
