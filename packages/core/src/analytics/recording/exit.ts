/** Runs when the process ends, synchronously; must not throw. */
type LastStep = () => void;

/** Signals that end a process by default and let it say a last word. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

const steps = new Set<LastStep>();

/**
 * Runs a step when the process ends in any way but an abort or SIGKILL: naturally, by `process.exit`, by an
 * error, or by a signal. The exit code, or the signal, stays what it is. Returns how to take the step back.
 *
 * One set of listeners serves all steps, and goes with the last of them.
 */
export function atExit(step: LastStep): () => void {
  if (steps.size === 0) install();
  steps.add(step);
  return () => {
    if (steps.delete(step) && steps.size === 0) uninstall();
  };
}

function install(): void {
  process.on("exit", runSteps);
  // First of all listeners: whoever counts them when its turn comes must not count ours.
  for (const signal of SIGNALS) process.prependListener(signal, onSignal);
}

function uninstall(): void {
  process.off("exit", runSteps);
  for (const signal of SIGNALS) process.off(signal, onSignal);
}

function runSteps(): void {
  for (const step of steps) step();
}

/**
 * A listener switches the signal's default off. So ours stands back: with others there, they alone decide;
 * with none, the last steps run and the signal is raised again, to end the process as it would have.
 */
function onSignal(signal: NodeJS.Signals): void {
  process.off(signal, onSignal);
  if (process.listenerCount(signal) === 0) {
    runSteps();
    process.kill(process.pid, signal);
    return;
  }
  // The host may go on; once its listeners have run, the next signal finds us again.
  process.nextTick(() => {
    if (steps.size > 0 && !process.listeners(signal).includes(onSignal)) {
      process.prependListener(signal, onSignal);
    }
  });
}
