import type { Page } from "./page.ts";
import { type Format, render } from "./render.ts";
import type { Terminal } from "./terminal.ts";

/** The options of every command that prints a page. */
export interface PrintOptions {
  readonly format?: Format | undefined;
  readonly json?: true | undefined;
  readonly color?: boolean | undefined;
  readonly quiet?: true | undefined;
}

/** Prints a page in the requested format. */
export async function print(
  page: Page,
  options: PrintOptions,
  zone: string,
  terminal: Terminal,
): Promise<void> {
  const format = options.json ? "json" : (options.format ?? "table");
  const hasColor = terminal.hasColor && options.color !== false;
  const text = render(page, { format, zone, quiet: options.quiet }, { ...terminal, hasColor });
  await terminal.out(text);
}
