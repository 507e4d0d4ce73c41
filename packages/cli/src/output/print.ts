import type { Page } from "./page.ts";
import { type Format, render } from "./render.ts";
import type { Terminal } from "./terminal.ts";

/** The options of every command that answers with a page. */
export interface PrintOptions {
  readonly format?: Format | undefined;
  readonly json?: true | undefined;
  readonly color?: boolean | undefined;
  readonly quiet?: true | undefined;
}

/** Writes a page in the format that was asked for. */
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
