import { fileURLToPath } from "node:url";
import { until } from "@toolmeter/testing/until";

export interface RunningExample {
  readonly finished: Promise<FinishedExample>;
  /** Resolves when the program has said this on stderr. */
  said(text: string): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

export interface FinishedExample {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Whether a process that it started is still there. */
  readonly leftProcesses: boolean;
}

export interface ExampleOptions {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
}

/** Starts a program of `examples/`, as a user does, in a process group of its own. */
export function startExample(name: string, { cwd, env }: ExampleOptions = {}): RunningExample {
  const program = fileURLToPath(new URL(`../${name}`, import.meta.url));
  const child = Bun.spawn([process.execPath, program], {
    cwd: cwd ?? process.cwd(),
    env: { ...process.env, TOOLMETER_DISABLED: "", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
    // A program that hangs fails its test and is gone.
    timeout: 25_000,
    killSignal: "SIGKILL",
  });
  let stderr = "";
  const readStderr = async () => {
    const decoder = new TextDecoder();
    for await (const bytes of child.stderr) stderr += decoder.decode(bytes, { stream: true });
  };
  const finish = async () => {
    const [exitCode, stdout] = await Promise.all([child.exited, child.stdout.text(), readStderr()]);
    return { exitCode, stdout, stderr, leftProcesses: hasProcesses(child.pid) };
  };
  return {
    finished: finish(),
    said: (text) => until(() => stderr.includes(text)),
    kill: (signal) => child.kill(signal),
  };
}

/** Whether the process group has members. */
function hasProcesses(group: number): boolean {
  try {
    return process.kill(-group, 0);
  } catch {
    return false;
  }
}
