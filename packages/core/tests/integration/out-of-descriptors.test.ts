/** Services that begin while their process has hardly any free descriptors: the calls they accept are not lost. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { createAnalyticsDb } from "../../src/analytics/index.ts";
import { withDescriptors } from "../support/few-descriptors.ts";
import { run } from "../support/run.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";

const PROGRAM = join(import.meta.dir, "programs/out-of-descriptors.ts");

test.skipIf(process.platform === "win32").each([0, 3, 7])(
  "with %d descriptors left at the start, the process goes on and no call is lost",
  async (left) => {
    using directory = temporaryDirectory();
    const file = directory.file("a.db");
    const command = withDescriptors(64, [process.execPath, PROGRAM, file, `${left}`]);
    const { exitCode, stdout, stderr } = await run(command);
    expect(stderr).toContain("Expected 8 free file descriptors to start writing");
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ outcome: "failed", remaining: 0, written: 61 });
    using db = createAnalyticsDb(file);
    expect(db.$client.query("select count(*) from tool_calls").values()).toEqual([[61]]);
  },
  30_000,
);
