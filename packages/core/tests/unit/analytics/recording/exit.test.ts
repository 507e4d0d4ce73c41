import { afterEach, describe, expect, spyOn, test } from "bun:test";
import { atExit } from "../../../../src/analytics/recording/exit.ts";

const EVENTS = ["exit", "SIGINT", "SIGTERM", "SIGHUP"] as const;

const counts = () => EVENTS.map((event) => process.listenerCount(event));

const kill = spyOn(process, "kill").mockImplementation(() => true);

afterEach(() => {
  kill.mockClear();
});

const nextTick = () => new Promise<void>((resolve) => process.nextTick(resolve));

/** Real ends of real processes are in `tests/integration/exit.test.ts`. */
describe("atExit()", () => {
  test("has one listener of a kind for all steps, and none after the last is taken back", () => {
    const before = counts();
    const forget = [1, 2, 3].map(() => atExit(() => undefined));
    expect(counts()).toEqual(before.map((count) => count + 1));
    for (const step of forget) step();
    for (const step of forget) step();
    expect(counts()).toEqual(before);
  });

  test("runs each step when the process ends", () => {
    const ran: string[] = [];
    const forget = ["a", "b", "c"].map((name) => atExit(() => ran.push(name)));
    forget[1]?.();
    process.emit("exit", 0);
    expect(ran).toEqual(["a", "c"]);
    for (const step of forget) step();
  });

  test("on a signal that nobody else hears, runs the steps and raises it again", () => {
    const ran: string[] = [];
    const forget = atExit(() => ran.push("step"));
    process.emit("SIGTERM", "SIGTERM");
    expect(ran).toEqual(["step"]);
    expect(kill.mock.calls).toEqual([[process.pid, "SIGTERM"]]);
    expect(process.listenerCount("SIGTERM")).toBe(0);
    forget();
  });

  test("leaves a signal to others who hear it, as if it were not there, and listens again afterwards", async () => {
    const ran: string[] = [];
    const forget = atExit(() => ran.push("step"));
    const host = () => ran.push(`host, one of ${process.listenerCount("SIGHUP")}`);
    process.on("SIGHUP", host);
    process.emit("SIGHUP", "SIGHUP");
    expect(process.listenerCount("SIGHUP")).toBe(1);
    await nextTick();
    expect(process.listenerCount("SIGHUP")).toBe(2);
    process.emit("SIGHUP", "SIGHUP");
    expect(ran).toEqual(["host, one of 1", "host, one of 1"]);
    expect(kill).not.toHaveBeenCalled();
    await nextTick();
    forget();
    process.off("SIGHUP", host);
    expect(process.listenerCount("SIGHUP")).toBe(0);
  });

  test("does not show to a host that listened first", async () => {
    const counted: number[] = [];
    const host = () => counted.push(process.listenerCount("SIGHUP"));
    process.on("SIGHUP", host);
    const forget = atExit(() => undefined);
    process.emit("SIGHUP", "SIGHUP");
    await nextTick();
    forget();
    process.off("SIGHUP", host);
    expect(counted).toEqual([1]);
  });

  test("does not listen again when the last step was taken back meanwhile", async () => {
    const before = counts();
    const forget = atExit(() => undefined);
    const host = () => undefined;
    process.on("SIGINT", host);
    process.emit("SIGINT", "SIGINT");
    forget();
    await nextTick();
    process.off("SIGINT", host);
    expect(counts()).toEqual(before);
  });
});
