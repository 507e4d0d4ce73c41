import { expect, test } from "bun:test";
import { until } from "@toolmeter/testing/until";
import { TargetState } from "../../../src/protocol/target-state.ts";
import { ToolListing } from "../../../src/protocol/tool-listing.ts";

function listing(target = new TargetState()) {
  const learned: string[] = [];
  const tools = new ToolListing({
    target,
    open: () => undefined,
    learned: (_telemetry, hashes) => void learned.push(...hashes),
    guard: (work) => work(),
  });
  return { tools, learned, target };
}

const tool = (name: string, description: string) => ({ name, description });

test("a conversation has its own listing, else the latest of the target", () => {
  const first = listing();
  first.tools.learn({ tools: [tool("a", "one"), tool("b", "one")] });
  const second = listing(first.target);
  expect(second.tools.hashOf("a")).toBe(first.tools.hashOf("a") ?? "");
  second.tools.learn({ tools: [tool("a", "two")] });
  expect(second.tools.hashOf("a")).not.toBe(first.tools.hashOf("a") ?? "");
  expect(second.tools.hashOf("b")).toBe(first.tools.hashOf("b") ?? "");
  expect(first.tools.hashes).toEqual(first.learned);
  expect(second.tools.hashes).toEqual(second.learned);
});

test("what is no listing teaches nothing", () => {
  const { tools, learned } = listing();
  for (const result of [{}, { tools: 7 }, { tools: [null, 7, {}] }]) tools.learn(result);
  expect(learned).toEqual([]);
  expect(tools.hashOf("a")).toBeUndefined();
});

test("a long listing is read in parts, up to 1,000 tools", async () => {
  const { tools, learned } = listing();
  const many = Array.from({ length: 1_200 }, (_, i) => tool(`tool-${i}`, "x".repeat(1_000)));
  tools.learn({ tools: many });
  expect(learned.length).toBeLessThan(1_000);
  await until(() => learned.length === 1_000);
  expect(tools.hashOf("tool-999")).toBeDefined();
  expect(tools.hashOf("tool-1000")).toBeUndefined();
});
