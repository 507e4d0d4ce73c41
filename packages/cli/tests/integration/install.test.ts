import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, readdirSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { CLIENTS, locate } from "../../src/clients/locations.ts";
import { ownCommand } from "../../src/own-command.ts";
import { toolmeter } from "../support/toolmeter.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

let directory: ReturnType<typeof temporaryDirectory>;
let config: string;

beforeEach(() => {
  directory = temporaryDirectory();
  config = directory.file("config.json");
});

afterEach(() => directory[Symbol.dispose]());

const SERVERS = `{
    // kept as it is
    "mcpServers": {
        "github": { "command": "npx", "args": ["-y", "server-github"], "env": { "TOKEN": "t" } },
        "files": {
            "command": "uvx"
        },
        "web": { "url": "https://example.com/mcp" },
    },
    "other": [1,2]
}
`;

const read = async (file = config): Promise<unknown> =>
  Bun.JSONC.parse(await Bun.file(file).text());
const install = (...words: readonly string[]) =>
  toolmeter(["install", "cursor", "--config", config, ...words]);
const uninstall = (...words: readonly string[]) =>
  toolmeter(["uninstall", "cursor", "--config", config, ...words]);
const [program, ...own] = ownCommand();

describe("install", () => {
  test("puts the recorder in front of each command, and leaves all else alone", async () => {
    await Bun.write(config, SERVERS);
    const { code, out, err } = await install();
    expect(code).toBe(0);
    expect(out).toContain("- npx -y server-github\n");
    expect(out).toContain("record -- npx -y server-github\n");
    expect(out).toContain("web: at a URL, left alone");
    expect(err).toContain("Changed. The file as it was:");
    expect(await read()).toEqual({
      mcpServers: {
        github: {
          command: program,
          args: [...own, "record", "--", "npx", "-y", "server-github"],
          env: { TOKEN: "t" },
        },
        files: { command: program, args: [...own, "record", "--", "uvx"] },
        web: { url: "https://example.com/mcp" },
      },
      other: [1, 2],
    });
    expect(await Bun.file(config).text()).toContain("    // kept as it is\n");
  });

  test("keeps the file as it was beside it, with its permissions", async () => {
    await Bun.write(config, SERVERS);
    chmodSync(config, 0o600);
    await install();
    const backup = readdirSync(directory.path).find((name) => name.endsWith(".backup")) ?? "";
    expect(await Bun.file(directory.file(backup)).text()).toBe(SERVERS);
    for (const name of [backup, "config.json"])
      expect(statSync(directory.file(name)).mode & 0o777).toBe(0o600);
  });

  test("does nothing twice, nothing with --dry-run, and only what is asked for", async () => {
    await Bun.write(config, SERVERS);
    expect((await install("--dry-run")).out).toContain("Nothing was changed");
    expect(await Bun.file(config).text()).toBe(SERVERS);
    await install("--server", "files", "--db", "mine.db");
    expect(await read()).toMatchObject({
      mcpServers: {
        github: { command: "npx" },
        files: { args: [...own, "record", "--db", join(process.cwd(), "mine.db"), "--", "uvx"] },
      },
    });
    const once = await Bun.file(config).text();
    expect((await install("--server", "files")).out).toContain("files: recorded already");
    expect(await Bun.file(config).text()).toBe(once);
  });

  test("can be taken back: the same servers as before", async () => {
    await Bun.write(config, SERVERS);
    await install();
    expect((await uninstall()).code).toBe(0);
    expect(await read()).toEqual(
      Bun.JSONC.parse(SERVERS.replace('"command": "uvx"', '"command": "uvx", "args": []')),
    );
    expect((await uninstall()).out).toContain("github: not recorded");
  });

  test("knows the servers of projects, and those of VS Code", async () => {
    const server = { command: "node", args: ["server.js"] };
    await Bun.write(
      config,
      JSON.stringify({ projects: { "/work": { mcpServers: { mine: server } } } }),
    );
    const { out } = await toolmeter(["install", "claude-code", "--config", config]);
    expect(out).toContain("mine (/work)");
    expect(await read()).toMatchObject({
      projects: {
        "/work": { mcpServers: { mine: { args: [...own, "record", "--", "node", "server.js"] } } },
      },
    });
    await Bun.write(config, JSON.stringify({ servers: { mine: server } }));
    await toolmeter(["install", "vscode", "--config", config]);
    expect(await read()).toMatchObject({ servers: { mine: { command: program } } });
  });

  test("follows a link, and keeps it", async () => {
    await Bun.write(config, SERVERS);
    symlinkSync(config, directory.file("link.json"));
    await toolmeter(["install", "cursor", "--config", directory.file("link.json")]);
    expect(await read()).toMatchObject({ mcpServers: { files: { command: program } } });
  });

  test("changes nothing that it cannot read", async () => {
    await Bun.write(config, "{ not json at all");
    expect(await install()).toMatchObject({
      code: 1,
      err: expect.stringContaining("cannot be read"),
    });
    expect(await Bun.file(config).text()).toBe("{ not json at all");
    await Bun.write(config, "{}");
    expect((await install()).out).toContain("no servers");
  });

  test("says where it looked when there is nothing", async () => {
    const home = process.env["HOME"];
    process.env["HOME"] = directory.path;
    try {
      expect(await toolmeter(["install", "claude-desktop"])).toMatchObject({
        code: 1,
        err: expect.stringContaining("claude_desktop_config.json"),
      });
    } finally {
      process.env["HOME"] = home;
    }
    expect((await toolmeter(["install", "netscape"])).code).toBe(2);
  });
});

test.each(["linux", "darwin", "win32"] as const)("on %s every client has its files", (platform) => {
  for (const client of CLIENTS) {
    const { files, title } = locate(client, { home: "/home/me", cwd: "/work", platform });
    expect(title).not.toBe("");
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) expect(file).toEndWith(".json");
  }
  expect(locate("vscode", { home: "/home/me", cwd: "/work", platform: "darwin" }).files[0]).toBe(
    "/home/me/Library/Application Support/Code/User/mcp.json",
  );
});
