import { expect, test } from "bun:test";
import fc from "fast-check";
import { type ServerEntry, listServers } from "../../src/clients/configuration.ts";
import { edited, withRecorder, withoutRecorder } from "../../src/clients/edits.ts";
import { findRecorder } from "../../src/clients/recorder-command.ts";

const RECORDERS = [
  ["/opt/toolmeter", "record"],
  ["/bin/bun", "--no-env-file", "/x y/toolmeter.ts", "record", "--db", "/d/ü.db"],
] as const;

/** What may stand between two tokens. */
const gap = fc.constantFrom(
  "",
  "",
  " ",
  "\n",
  "\r\n\t\t",
  "\n      ",
  " /* , ] */ ",
  ' // , "args": []\n  ',
);

/** A text in JSON, as it is or with every letter escaped. */
const text = (value: fc.Arbitrary<string>) =>
  fc.tuple(value, fc.boolean()).map(([each, isEscaped]) => {
    if (!isEscaped) return JSON.stringify(each);
    const letters = each.split("").map((letter) => letter.charCodeAt(0).toString(16));
    return `"${letters.map((code) => `\\u${code.padStart(4, "0")}`).join("")}"`;
  });

const word = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("-y", "--", "a b", "ü\n", ""));
const program = fc.constantFrom("npx", "uvx", "/a b/ü", "C:\\x\\node.exe", "record");

/** A list or an object with gaps, and perhaps a comma behind its last part. */
const joined = (open: string, parts: readonly string[], close: string) =>
  fc
    .tuple(
      fc.array(gap, { minLength: parts.length * 2 + 2, maxLength: parts.length * 2 + 2 }),
      fc.boolean(),
    )
    .map(([gaps, isTrailing]) => {
      const inside = parts.map((part, index) => `${gaps[index * 2]}${part}${gaps[index * 2 + 1]}`);
      const tail = isTrailing && parts.length > 0 ? `,${gaps.at(-1)}` : gaps.at(-1);
      return `${open}${inside.join(",")}${tail}${close}`;
    });

const property = (name: string, value: fc.Arbitrary<string>) =>
  fc.tuple(gap, value, gap).map(([before, each, after]) => `"${name}"${before}:${after}${each}`);

const server = fc
  .tuple(
    text(program),
    fc.option(fc.array(text(word), { maxLength: 4 }).chain((words) => joined("[", words, "]"))),
    fc.boolean(),
    fc.boolean(),
  )
  .chain(([command, args, isArgsFirst, hasOthers]) =>
    fc
      .tuple(
        property("command", fc.constant(command)),
        args === null ? fc.constant(undefined) : property("args", fc.constant(args)),
      )
      .map(([own, list]) =>
        [
          ...(isArgsFirst ? [list, own] : [own, list]),
          ...(hasOthers ? [`"env": { "args": "[1,]" }`] : []),
        ].filter((part) => part !== undefined),
      ),
  )
  .chain((parts) => joined("{", parts, "}"));

const configuration = fc
  .tuple(fc.array(server, { maxLength: 3 }), fc.boolean(), gap)
  .chain(([servers, hasMark, end]) =>
    joined(
      "{",
      servers.map((each, index) => `"s${index}": ${each}`),
      "}",
    )
      .chain((list) => property("mcpServers", fc.constant(list)))
      .chain((list) => joined("{", [`"other": [1,2 ]`, list], "}"))
      .map((all) => `${hasMark ? "\uFEFF" : ""}${all}${end}`),
  );

const read = (all: string) => listServers(all, "mcpServers", "a.json");
const commands = (all: string) => read(all).map(({ command }) => command?.words);
const change = (
  all: string,
  editsOf: (command: NonNullable<ServerEntry["command"]>) => ReturnType<typeof withRecorder>,
) =>
  edited(
    all,
    read(all).flatMap(({ command }) => (command ? editsOf(command) : [])),
  );

test("any configuration: the recorder is in front of every command, and taken out again it leaves the same bytes", () => {
  fc.assert(
    fc.property(configuration, fc.constantFrom(...RECORDERS), (before, recorder) => {
      const recorded = change(before, (command) => withRecorder(before, command, recorder));
      for (const [index, words] of commands(recorded).entries()) {
        const original = commands(before)[index] ?? [];
        const end = (words ?? []).length - original.length;
        expect(words?.slice(end)).toEqual([...original]);
        expect(words?.slice(0, recorder.length)).toEqual([...recorder]);
        expect(findRecorder(words ?? [])).toMatchObject({ start: 0, end });
      }
      const restored = change(recorded, (command) => {
        const found = findRecorder(command.words);
        return typeof found === "object" ? withoutRecorder(recorded, command, found) : [];
      });
      expect(restored).toBe(before);
    }),
    { numRuns: 100 * Number(process.env["TOOLMETER_ROUNDS"] ?? 1) },
  );
}, 120_000);

test.each([
  // As it is in the README.
  [
    `"command": "toolmeter", "args": ["record", "npx", "-y", "x"]`,
    `"command": "npx", "args": ["-y", "x"]`,
  ],
  [
    `"command": "toolmeter", "args": ["record", "--db", "d", "uvx"]`,
    `"command": "uvx", "args": []`,
  ],
  [`"command": "toolmeter", "args": ["record", "uvx", ]`, `"command": "uvx", "args": []`],
  [`"args": ["record", "--", "uvx"], "command": "toolmeter"`, `"args": [], "command": "uvx"`],
  [
    `"command": "npx", "args": ["-y", "@toolmeter/cli", "record", "uvx", "x"]`,
    `"command": "uvx", "args": ["x"]`,
  ],
  [
    `"command": "env", "args": ["A=1", "toolmeter", "record", "uvx", "x"]`,
    `"command": "env", "args": ["A=1", "uvx", "x"]`,
  ],
])("takes apart what others wrote: %s", (written, expected) => {
  const wrap = (inside: string) => `{"mcpServers": {"s": {${inside}}}}`;
  const before = wrap(written);
  const restored = change(before, (command) => {
    const found = findRecorder(command.words);
    return typeof found === "object" ? withoutRecorder(before, command, found) : [];
  });
  expect(restored).toBe(wrap(expected));
});

test("puts its words on lines of their own, where the others are", () => {
  const list = (...words: readonly string[]) => words.map((each) => `\n      "${each}"`).join(",");
  const wrap = (command: string, ...words: readonly string[]) =>
    `{"mcpServers": {"s": {\n    "command": "${command}",\n    "args": [${list(...words)}\n    ]}}}`;
  const before = wrap("npx", "-y", "x");
  const recorded = change(before, (command) => withRecorder(before, command, RECORDERS[0]));
  expect(recorded).toBe(wrap("/opt/toolmeter", "record", "--", "npx", "-y", "x"));
  const bare = `{"mcpServers": {"s": {\n    "command": "npx"\n}}}`;
  expect(change(bare, (command) => withRecorder(bare, command, RECORDERS[0]))).toBe(
    `{"mcpServers": {"s": {\n    "command": "/opt/toolmeter",\n    "args": ["record", "--", "npx"]\n}}}`,
  );
});
