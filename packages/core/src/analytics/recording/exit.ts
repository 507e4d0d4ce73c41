/** Runs when the process ends, synchronously; must not throw. */
type LastStep = () => void;

/** Signals that end a process by default and can be handled. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

const steps = new Set<LastStep>();

/**
 * Runs a step when the process ends: normally, by `process.exit`, by an error or by a signal, but not by an abort or
 * SIGKILL. The exit code or signal does not change. Returns a function that removes the step.
 *
 * All steps share one set of listeners, which is removed with the last step.
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
  // Prepended and removed when called, so that later listeners that count the listeners do not count ours.
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
 * A listener disables the signal's default action, so ours must not change the outcome: if other listeners exist, they
 * alone decide; otherwise the steps run and the signal is raised again, with its default action.
 */
function onSignal(signal: NodeJS.Signals): void {
  process.off(signal, onSignal);
  if (process.listenerCount(signal) === 0) {
    runSteps();
    process.kill(process.pid, signal);
    return;
  }
  // The process may continue. After the host's listeners have run, reinstall ours for the next signal.
  process.nextTick(() => {
    if (steps.size > 0 && !process.listeners(signal).includes(onSignal)) {
      process.prependListener(signal, onSignal);
    }
  });
}
