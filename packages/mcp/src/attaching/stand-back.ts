/** `auto` observes the process's own streams. It stops when a server on them is instrumented: each call counts once. */
const KEY = Symbol.for("toolmeter.auto");

/** Sets what stops observing standard input and output. */
export function onStandBack(stop: () => void): void {
  Reflect.set(globalThis, KEY, stop);
}

/** Stops `auto`, if it is active. */
export function standBack(): void {
  const stop: unknown = Reflect.get(globalThis, KEY);
  if (typeof stop === "function") stop();
}
