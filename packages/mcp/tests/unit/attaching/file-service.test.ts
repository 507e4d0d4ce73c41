import { describe, expect, spyOn, test } from "bun:test";
import { rmSync } from "node:fs";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";
import { fileService } from "../../../src/attaching/file-service.ts";
import { ledger } from "../../support/ledger.ts";

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const service = (path: string, config = {}) => fileService(path, config, silent);

describe("the service of a file", () => {
  test("is one for the same values, in any order, and another one for others", () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    const one = service(path, { batchSize: 10, flushIntervalMs: 20 });
    expect(service(path, { flushIntervalMs: 20, batchSize: 10 })).toBe(one);
    expect(service(path, { batchSize: 10, flushIntervalMs: 21 })).not.toBe(one);
    expect(service(directory.file("b.db"), { batchSize: 10, flushIntervalMs: 20 })).not.toBe(one);
  });

  test("closes its file when 16 others are open that were used later", async () => {
    using directory = temporaryDirectory();
    const all = Array.from({ length: 17 }, (_, i) => service(directory.file(`${i}.db`)));
    const [first, second, ...others] = all;
    first?.open();
    second?.open();
    for (const other of others.slice(0, 14)) other.open();
    first?.open();
    others[14]?.open();
    expect(first?.telemetry).toBeDefined();
    expect(second?.telemetry).toBeUndefined();
    await Promise.all(all.map((each) => each.shutdown()));
  });

  test("keeps its file open while a call is in flight, however many others are opened", async () => {
    using directory = temporaryDirectory();
    const path = directory.file("busy.db");
    const busy = service(path);
    const call = busy.open()?.startToolCall({ toolName: "long", requestId: 1 });
    const others = Array.from({ length: 20 }, (_, i) => service(directory.file(`${i}.db`)));
    for (const other of others) other.open();
    call?.end({ status: "success" });
    await Promise.all([busy, ...others].map((each) => each.shutdown()));
    expect(ledger(path).lines).toEqual(["long success - 1"]);
  });

  test("counts no call as lost while recording is switched off", async () => {
    using directory = temporaryDirectory();
    const off = service(directory.file("a.db"), { enabled: false });
    expect(off.open()).toBeUndefined();
    off.missed();
    expect(off.state).toMatchObject({ isRecording: false, unrecorded: 0, error: undefined });
    await off.shutdown();
  });

  test("looks again after one second at a file that could not be opened, not before", async () => {
    using directory = temporaryDirectory();
    const path = directory.file("a.db");
    await Bun.write(path, "another program's file".repeat(100));
    using now = spyOn(performance, "now");
    now.mockReturnValue(50_000);
    const refused = service(path);
    expect(refused.open()).toBeUndefined();
    refused.missed();
    rmSync(path);
    now.mockReturnValue(50_999);
    expect(refused.open()).toBeUndefined();
    expect(refused.state).toMatchObject({ unrecorded: 1, error: expect.stringContaining(path) });
    now.mockReturnValue(51_000);
    expect(refused.open()).toBeDefined();
    expect(refused.state).toMatchObject({ error: undefined, isRecording: true });
    now.mockRestore();
    await refused.shutdown();
  });
});
