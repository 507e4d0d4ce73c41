/** Every link in the README and the pages around it leads somewhere. */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { manual, pages, prose, readme, root } from "./support/manual.ts";

const others = await pages("CONTRIBUTING.md", "CHANGELOG.md", "devflow/docs/plans/*.md");

/** The anchors that GitHub gives to the headings of a page. */
function anchors(text: string): readonly string[] {
  return [...prose(text).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/** The links of a page that lead into the repository. */
function links(text: string): readonly string[] {
  return [...prose(text).matchAll(/\]\(([^)]+)\)/g)]
    .map(([, target]) => target ?? "")
    .filter((target) => !/^https?:/.test(target));
}

async function isThere(from: string, link: string): Promise<boolean> {
  const [file = "", anchor] = link.split("#");
  const target = file === "" ? join(root, from) : join(root, dirname(from), file);
  if (!existsSync(target)) return false;
  return anchor === undefined || anchors(await Bun.file(target).text()).includes(anchor);
}

test.each([...manual, ...others])("the links of $path lead to files and headings", async (page) => {
  const broken: string[] = [];
  for (const link of links(page.text)) if (!(await isThere(page.path, link))) broken.push(link);
  expect(broken).toEqual([]);
});

test("the README leads to every page of the manual", () => {
  const found = new Set(links(readme));
  const pagesBehind = manual.map(({ path }) => path).filter((path) => path !== "README.md");
  expect(pagesBehind.length).toBeGreaterThan(3);
  expect(pagesBehind.filter((path) => !found.has(path))).toEqual([]);
});

test("the README is short enough to be read", () => {
  expect(readme.trimEnd().split("\n").length).toBeLessThanOrEqual(150);
});
