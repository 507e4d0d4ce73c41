import { join } from "node:path";

export const root = join(import.meta.dir, "../..");

export interface Page {
  /** From the root of the repository. */
  readonly path: string;
  readonly text: string;
}

/** The pages that match one of some patterns. */
export async function pages(...patterns: readonly string[]): Promise<readonly Page[]> {
  const paths = patterns.flatMap((each) => [...new Bun.Glob(each).scanSync({ cwd: root })]);
  return Promise.all(
    paths.toSorted().map(async (path) => ({ path, text: await Bun.file(join(root, path)).text() })),
  );
}

/** What a user reads: the README and the pages that it leads to. */
export const manual = await pages("README.md", "docs/*.md");

export const readme = manual.find(({ path }) => path === "README.md")?.text ?? "";

/** The fenced blocks of one language in a text. */
export function blocksOf(text: string, language: string): readonly string[] {
  const fence = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm");
  return [...text.matchAll(fence)].map(([, code]) => code ?? "");
}

/** The same in the whole manual. */
export function blocks(language: string): readonly string[] {
  return manual.flatMap(({ text }) => blocksOf(text, language));
}

/** The text without its fenced blocks. */
export function prose(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```$/gm, "");
}

/** The inline code of a text. */
export function inlineCode(text: string): readonly string[] {
  return [...prose(text).matchAll(/`([^`]+)`/g)].map(([, code]) => code ?? "");
}
