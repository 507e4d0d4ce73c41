/** Sets environment variables (`undefined` removes one) until the end of the test: `using _ = …`. */
export function environment(variables: Record<string, string | undefined>): Disposable {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  for (const [name, value] of Object.entries(variables)) set(name, value);
  return {
    [Symbol.dispose]: () => {
      for (const [name, value] of before) set(name, value);
    },
  };
}

function set(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}
