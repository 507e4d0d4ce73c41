import { expect, test } from "bun:test";
import { definitionOf } from "../../../src/protocol/definition.ts";

const TOOL = {
  name: "search",
  description: "Finds pages",
  inputSchema: { type: "object", properties: { query: { type: "string" } } },
};

test("a change to a part that a model reads makes another definition", () => {
  const hash = definitionOf(TOOL)?.hash;
  expect(hash).toMatch(/^[\da-f]{32}$/);
  for (const change of [
    { name: "find" },
    { description: "Finds sites" },
    { inputSchema: { type: "object" } },
    { outputSchema: { type: "object" } },
  ])
    expect(definitionOf({ ...TOOL, ...change })?.hash).not.toBe(hash ?? "");
});

test("the order of keys and other parts make no difference", () => {
  const { name, description, inputSchema } = TOOL;
  const { properties, type } = inputSchema;
  const other = { title: "Search", inputSchema: { properties, type }, description, name };
  expect(definitionOf(other)?.hash).toBe(definitionOf(TOOL)?.hash ?? "");
});

test("a tool without a name has no definition", () => {
  expect(definitionOf({ description: "nameless" })).toBeUndefined();
  expect(definitionOf({ ...TOOL, name: "" })).toBeUndefined();
});

test("its size is that of its JSON; a long one is cut, and its size is a lower bound", () => {
  expect(definitionOf(TOOL)).toMatchObject({
    definition: TOOL,
    bytes: Buffer.byteLength(JSON.stringify(TOOL)),
    tokens: Math.ceil(JSON.stringify(TOOL).length / 4),
  });
  const long = definitionOf({ ...TOOL, description: "x".repeat(400_000) });
  expect(long?.bytes).toBeGreaterThanOrEqual(400_000);
  expect(JSON.stringify(long?.definition).length).toBeLessThan(300_000);
});
