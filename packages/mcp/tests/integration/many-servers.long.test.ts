/** As `many-servers.test.ts`, for longer. */
import { describe, expect, test } from "bun:test";
import { TELLS_DESCRIPTORS } from "../support/descriptors.ts";
import { INLINE, serveMany } from "../support/server-per-request.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const COUNT = 10_000;

describe.skipIf(!TELLS_DESCRIPTORS)("10,000 servers, one per request", () => {
  test.each(INLINE)(
    "with its own %s, each %s, shares one file",
    async (_option, end, optionsOf) => {
      using directory = temporaryDirectory();
      const path = directory.file("a.db");
      const served = await serveMany(COUNT, end, path, () => optionsOf(path));
      expect(served).toMatchObject({ mostJournals: 1, calls: COUNT });
      expect(served.furtherDescriptors).toBeLessThan(16);
      expect(served.kept).toBeLessThan(100);
    },
    60_000,
  );
});
