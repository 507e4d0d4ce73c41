import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { parseExactly } from "../../src/transfer/exact-json.ts";

const again = (text: string) => JSON.stringify(parseExactly(text));

test.each(["1234567890123456789", "-0", "1e400", "0.10", '{"id":9007199254740993,"list":[1.0,2]}'])(
  "writes %s again as it was",
  (text) => {
    expect(again(text)).toBe(text);
  },
);

test("ordinary numbers stay numbers", () => {
  expect(parseExactly('{"a":[1,-2.5,true,null,"x"]}')).toEqual({ a: [1, -2.5, true, null, "x"] });
});

test("any JSON keeps its values", () => {
  fc.assert(
    fc.property(fc.json(), (text) => expect(JSON.parse(again(text))).toEqual(JSON.parse(text))),
  );
});
