import type { Socket } from "node:net";
import { latestSessions, openAnalyticsReader, streamCalls } from "@toolmeter/core/queries";
import { recordHttp } from "../../src/record/http.ts";
import { temporaryDirectory } from "@toolmeter/testing/temporary-directory";
import { memoryTerminal } from "./toolmeter.ts";
import { type RawServer, rawServer } from "./wire.ts";
import { until } from "@toolmeter/testing/until";

/** A recorder before a URL, until it is stopped. */
export async function recorderOf(target: URL | string, path: string) {
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();
  const { terminal, written } = memoryTerminal();
  const done = recordHttp(String(target), "127.0.0.1:0", { path }, terminal, stopped);
  await until(() => written.err !== "");
  const url = new URL(/at (http:\S+)\. Stop/.exec(written.err)?.[1] ?? "");
  return {
    url,
    port: Number(url.port),
    /** What was said on standard error. */
    said: () => written.err,
    /** Stops it, and resolves with its exit code. */
    async end() {
      stop();
      return done;
    },
    /** Stops it, and resolves with what it recorded. */
    async stop() {
      stop();
      await done;
      using source = await openAnalyticsReader(path);
      return { calls: [...streamCalls(source, {})], sessions: latestSessions(source, {}, -1) };
    },
  };
}

/** Targets and recorders, which end with the test. */
export async function httpBench() {
  const stack = new AsyncDisposableStack();
  const directory = temporaryDirectory();
  stack.defer(() => directory[Symbol.dispose]());
  const serving = async (answer: (socket: Socket, head: string) => void): Promise<RawServer> =>
    stack.use(await rawServer(answer));
  const recording = async (target: URL | string) => {
    const recorder = await recorderOf(target, directory.file("a.db"));
    stack.defer(async () => void (await recorder.end()));
    return recorder;
  };
  return {
    stack,
    serving,
    recording,
    /** A target that gives one answer, and a recorder before it. */
    async recorded(answer: string | ((socket: Socket, head: string) => void)) {
      const target = await serving(
        typeof answer === "string" ? (socket) => void socket.write(answer, "latin1") : answer,
      );
      return { target, recorder: await recording(target.url) };
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
