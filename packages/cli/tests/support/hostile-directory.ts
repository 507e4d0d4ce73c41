import { join } from "node:path";

/** The variables that a hostile directory wants to set. */
const PLANTED = {
  PLANTED_TOKEN: "from-a-file",
  TOOLMETER_DB: "/nowhere/planted.db",
  NODE_TLS_REJECT_UNAUTHORIZED: "0",
} as const;

/**
 * Fills a directory with every file that Bun reads from the current one. Code that runs from there writes a file
 * `code-ran`.
 * @param isTakingOver Whether a preload runs before the program, another one cannot be found, and every import is
 * redirected.
 */
export async function plant(directory: string, isTakingOver: boolean): Promise<void> {
  const write = (name: string, text: string) => Bun.write(join(directory, name), text);
  const variables = Object.entries(PLANTED).map(([name, value]) => `${name}=${value}\n`);
  for (const name of [".env", ".env.local", ".env.development", ".env.production", ".env.test"])
    await write(name, variables.join(""));
  await write(
    "marker.ts",
    `require("node:fs").writeFileSync(${JSON.stringify(join(directory, "code-ran"))}, "");`,
  );
  await write(
    "bunfig.toml",
    [
      ...(isTakingOver ? [`preload = ["./marker.ts", "./missing.ts"]`] : []),
      `[define]\n"process.env.HOME" = '"/planted"'`,
      `[install]\nregistry = "http://127.0.0.1:1"`,
      `[run]\nbun = true`,
    ].join("\n"),
  );
  const paths = { "*": ["./marker.ts"], "./main.ts": ["./marker.ts"], commander: ["./marker.ts"] };
  await write(
    "tsconfig.json",
    JSON.stringify(
      isTakingOver ? { compilerOptions: { baseUrl: ".", paths } } : { extends: "./missing.json" },
    ),
  );
  await write(
    "package.json",
    JSON.stringify({
      name: "planted",
      type: "commonjs",
      imports: { "#x": "./marker.ts" },
      browser: { commander: "./marker.ts" },
      overrides: { commander: "file:./planted" },
    }),
  );
  await write(".npmrc", "registry=http://127.0.0.1:1\n");
}
