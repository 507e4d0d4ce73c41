/** `auto` reads the process's own input and output; where a server is instrumented by name, it must not count too. */
const KEY = Symbol.for("toolmeter.auto");

/** Says how to stop observing standard input and output. */
export function onStandBack(stop: () => void): void {
  Reflect.set(globalThis, KEY, stop);
}

export function standBack(): void {
  const stop: unknown = Reflect.get(globalThis, KEY);
  if (typeof stop === "function") stop();
}
