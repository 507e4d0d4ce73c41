import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { openAnalyticsReader } from "@toolmeter/core/queries";
import { listServers } from "../../src/clients/configuration.ts";
import { changeText } from "../../src/clients/files.ts";
import { CLIENTS, locate } from "../../src/clients/locations.ts";
import { ownCommand } from "../../src/own-command.ts";
import { plant } from "../support/hostile-directory.ts";
import { toolmeter } from "../support/toolmeter.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";
import { unless } from "@toolmeter/testing/unless";

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
const commandsIn = async () =>
  listServers(await Bun.file(config).text(), "mcpServers", config).flatMap(({ command }) =>
    command ? [command.words] : [],
  );
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
    expect(out).toContain("web: at a URL, not changed");
    expect(err).toContain("Changed. Backup:");
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
    expect((await install("--server", "files")).out).toContain("files: already recorded");
    expect(await Bun.file(config).text()).toBe(once);
  });

  test("can be taken back: the same bytes as before", async () => {
    await Bun.write(config, SERVERS);
    await install();
    expect((await uninstall()).code).toBe(0);
    expect(await Bun.file(config).text()).toBe(SERVERS);
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
      err: expect.stringContaining("got a syntax error"),
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

describe("a configuration that cannot be changed", () => {
  /** Runs both commands: each says what is wrong, and leaves the file and its directory as they were. */
  async function expectRefusal(message: string | RegExp, file = config) {
    const before = readdirSync(directory.path);
    for (const command of ["install", "uninstall"]) {
      const outcome = await toolmeter([command, "cursor", "--config", file]);
      expect(outcome.err).toMatch(message);
      expect(outcome.err).not.toContain("    at ");
      expect(outcome).toMatchObject({ code: 1, out: "" });
    }
    expect(readdirSync(directory.path)).toEqual(before);
  }

  const servers = (inside: string) => `{\n  "mcpServers": {\n    ${inside}\n  }\n}`;
  const server = (inside: string) => servers(`"s": { ${inside} }`);

  test.each([
    [
      server(`"command": "npx", "args": "-y pkg"`),
      `"args" to be a list of strings.*got a string in line 3`,
    ],
    [server(`"command": "npx", "args": [{}]`), "got an object in line 3"],
    [server(`"command": "npx", "args": ["--port", 80]`), "got a number in line 3"],
    [server(`"command": "npx", "args": null`), "got a null in line 3"],
    [server(`"command": ["npx", "-y"]`), `"command" to be the name of a program, got an array`],
    [server(`"command": ""`), "got an empty string"],
    [
      server(`"command": "a", "command": "b"`),
      `"command" once, but it occurs in line 3 and in line 3`,
    ],
    [server(`"command": "a", "args": [], "args": []`), `"args" once`],
    [servers(`"s": null`), `server "s": Expected an object, got a null`],
    [servers(`"s": ["npx"]`), "Expected an object, got an array"],
    [
      servers(`"s": { "command": "a" },\n "s": { "command": "b" }`),
      `"s" once, but it occurs in line 3 and in line 4. Remove one`,
    ],
    [`{"mcpServers": []}`, `"mcpServers" to be an object, got an array in line 1`],
    [`{"mcpServers": {}, "mcpServers": {}}`, `"mcpServers" once`],
    [`{"projects": {"/a": {"mcpServers": 1}}}`, "to be an object, got a number"],
    ["[]", "the configuration to be an object, got an array"],
    ["null", "to be an object, got a null"],
    ["", "the file is empty. Write {} into it, or remove it"],
    [`{"mcpServers": {}`, "got a syntax error \\(CloseBraceExpected in line 1\\)"],
  ])("is left as it is, with a word: no. %#", async (text, message) => {
    await Bun.write(config, text);
    await expectRefusal(new RegExp(message));
    expect(await Bun.file(config).text()).toBe(text);
  });

  test("no UTF-8", async () => {
    const text = Buffer.from(`\uFEFF${SERVERS}`, "utf16le");
    await Bun.write(config, text);
    await expectRefusal("in another encoding. Save it as UTF-8");
    expect(await Bun.file(config).bytes()).toEqual(new Uint8Array(text));
  });

  test("a directory, a pipe, and what is not there", async () => {
    await expectRefusal("is not one. Name the configuration file", directory.path);
    Bun.spawnSync(["mkfifo", config]);
    await expectRefusal("is not one. Name the configuration file");
    await expectRefusal(/none.json does not exist/, directory.file("none.json"));
  });

  test("read-only, or in a place where nothing can be written", async () => {
    await Bun.write(config, SERVERS);
    chmodSync(config, 0o444);
    const { code, err } = await install();
    expect({ code, err }).toMatchObject({ code: 1, err: expect.stringContaining("chmod u+w") });
    expect(await Bun.file(config).text()).toBe(SERVERS);
    // There is no room for a longer name beside it.
    const long = directory.file(`${"x".repeat(250)}.json`.slice(-250));
    await Bun.write(long, SERVERS);
    const refused = await toolmeter(["install", "cursor", "--config", long]);
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("(ENAMETOOLONG)") });
    expect(await Bun.file(long).text()).toBe(SERVERS);
    expect(readdirSync(directory.path)).toHaveLength(2);
  });

  test("changed by its client meanwhile", async () => {
    await Bun.write(config, SERVERS);
    let calls = 0;
    const change = (text: string) => {
      calls += 1;
      // The first look decides whether there is anything to change.
      if (calls === 2) writeFileSync(config, "{}");
      return `${text} `;
    };
    const error = await changeText(config, change).catch(String);
    expect(error).toContain("its client or an editor changed it. Try again.");
    expect(await Bun.file(config).text()).toBe("{}");
  });

  test("a faulty server does not stand in the way of the others, if they are named", async () => {
    await Bun.write(config, servers(`"bad": 1, "good": { "command": "uvx" }`));
    await expectRefusal("Or select only other servers: --server");
    expect((await install("--server", "good")).code).toBe(0);
    expect((await uninstall("--server", "good")).code).toBe(0);
    expect(await Bun.file(config).text()).toBe(servers(`"bad": 1, "good": { "command": "uvx" }`));
  });
});

describe("install and uninstall", () => {
  test("keep a byte order mark, and every byte that is none of their own", async () => {
    const text = `\uFEFF{\r\n\t"mcpServers" : {"s":{"args" : [ ] ,"command":"\\u0061"},}, // x\r\n}\r\n\r\n`;
    await Bun.write(config, text);
    expect((await install()).code).toBe(0);
    expect(readFileSync(config, "utf8")).toStartWith("\uFEFF{\r\n\t");
    expect((await uninstall()).code).toBe(0);
    expect(readFileSync(config, "utf8")).toBe(text);
  });

  test("at once, eight times: one records, the others find it recorded", async () => {
    await Bun.write(config, SERVERS);
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => install()));
    expect(outcomes.map(({ code }) => code)).toEqual(Array.from({ length: 8 }, () => 0));
    expect(outcomes.filter(({ err }) => err.includes("Changed."))).toHaveLength(1);
    expect(readdirSync(directory.path)).toHaveLength(2);
    await uninstall();
    expect(await Bun.file(config).text()).toBe(SERVERS);
  });

  test("go on after one that was killed", async () => {
    await Bun.write(config, SERVERS);
    const part = `${config}.toolmeter.part`;
    await Bun.write(part, "half");
    utimesSync(part, 1, 1);
    expect((await install()).code).toBe(0);
    expect(await read()).toMatchObject({ mcpServers: { files: { command: program } } });
  });

  test("--dry-run shows the commands that are written then, and writes none", async () => {
    await Bun.write(config, SERVERS);
    const shown = await install("--dry-run", "--db", "~/x y.db");
    expect(readdirSync(directory.path)).toEqual(["config.json"]);
    const written = await install("--db", "~/x y.db");
    expect(shown.out.replace("Nothing was changed: --dry-run.\n", "")).toBe(written.out);
    expect(written.out).toContain(Bun.$.escape(join(homedir(), "x y.db")));
    const commands = await commandsIn();
    expect(commands).toHaveLength(2);
    for (const words of commands) {
      const line = words.map((word) => Bun.$.escape(word)).join(" ");
      expect(shown.out).toContain(`    + ${line}\n`);
    }
  });

  test("say that a shell's line is recorded, and leave it", async () => {
    const text = JSON.stringify({
      mcpServers: { s: { command: "sh", args: ["-c", "toolmeter record npx x"] } },
    });
    await Bun.write(config, text);
    expect((await install()).out).toContain("s: already recorded");
    expect((await uninstall()).out).toContain(
      "s: recorded in a way that cannot be undone automatically",
    );
    expect(await Bun.file(config).text()).toBe(text);
  });

  test.skipIf(
    unless(process.getuid?.() === 0, "the owner of a rewritten configuration, which needs root"),
  )("by root leave the file to its owner", async () => {
    await Bun.write(config, SERVERS);
    chownSync(config, 1234, 1234);
    await install();
    expect(statSync(config)).toMatchObject({ uid: 1234, gid: 1234 });
  });

  test("find the configuration of Claude Code where CLAUDE_CONFIG_DIR says", () => {
    process.env["CLAUDE_CONFIG_DIR"] = "/elsewhere";
    try {
      expect(locate("claude-code", { home: "/home/me", cwd: "/project" }).files).toEqual([
        "/elsewhere/.claude.json",
        "/project/.mcp.json",
      ]);
    } finally {
      delete process.env["CLAUDE_CONFIG_DIR"];
    }
  });
});

test("what install writes records its server from any directory, whatever files are there", async () => {
  const answer = `{"jsonrpc":"2.0","id":1,"result":{"content":[]}}`;
  // A server in Bun would obey the files itself.
  const server = { command: "sh", args: ["-c", `read -r line; echo '${answer}'`] };
  await Bun.write(config, JSON.stringify({ mcpServers: { server } }));
  await install("--db", directory.file("a.db"));
  const [command = []] = await commandsIn();
  const hostile = directory.file("hostile");
  mkdirSync(hostile);
  await plant(hostile, true);
  const call = {
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: { name: "a", arguments: {} },
  };
  const client = Bun.spawn([...command], {
    cwd: hostile,
    stdin: Buffer.from(`${JSON.stringify(call)}\n`),
    stderr: "ignore",
  });
  expect(await client.stdout.text()).toBe(`${answer}\n`);
  await client.exited;
  using source = await openAnalyticsReader(directory.file("a.db"));
  expect(source.$client.query("select tool_name from tool_calls").values()).toEqual([["a"]]);
  expect(existsSync(join(hostile, "code-ran"))).toBe(false);
}, 30_000);

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
