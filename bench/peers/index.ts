/**
 * Compares Toolmeter with other products that watch MCP servers, each set up as its README describes, with local sinks:
 * `cd bench/peers && bun install && bun index.ts`.
 *
 * 1. The round trip of a tool that does nothing, each product in its own process, in turns: in memory, and over a pipe,
 *    where Toolmeter has the call on disk before the answer is sent.
 * 2. How many of five calls reach the sink when the server ends right after the last answer.
 * 3. What happens to a server whose sink is down, hangs or answers with errors.
 */
import { Database } from "bun:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAnalyticsDb, toolCalls } from "../../packages/core/src/analytics/index.ts";
import { PRODUCTS } from "./products.ts";

const ROUNDS = Number(process.env["TOOLMETER_BENCH_ROUNDS"] ?? 7);
const CALLS = 200;
const directory = mkdtempSync(join(tmpdir(), "toolmeter-peers-"));
const names = Object.keys(PRODUCTS);
let files = 0;

type Mood = "well" | "hangs" | "fails";

/** A sink that keeps the names of the calls it receives. */
class Sink implements Disposable {
  readonly seen = new Set<string>();
  readonly #server;

  constructor(mood: Mood = "well") {
    this.#server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      idleTimeout: 0,
      fetch: async (request) => {
        const body = new Uint8Array(await request.arrayBuffer());
        if (mood === "hangs") return new Promise<Response>(() => undefined);
        if (mood === "fails") return new Response("no", { status: 500 });
        const isZipped = body[0] === 0x1f && body[1] === 0x8b;
        const text = Buffer.from(isZipped ? Bun.gunzipSync(body) : body).toString("latin1");
        for (const [name] of text.matchAll(/survivor_\d/g)) this.seen.add(name);
        return Response.json({ success: true, session_id: "s", data: {}, results: [] });
      },
    });
  }

  get url(): string {
    return this.#server.url.origin;
  }

  [Symbol.dispose](): void {
    void this.#server.stop(true);
  }
}

function start(program: string, product: string, sink: string, db: string, ...more: string[]) {
  return Bun.spawn([process.execPath, join(import.meta.dir, program), product, sink, ...more], {
    env: { ...process.env, HOME: directory, TOOLMETER_DB: db },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "ignore",
  });
}

const file = () => join(directory, `${(files += 1)}.db`);

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

async function trips(): Promise<void> {
  const found = new Map<string, Record<string, Figures>[]>(names.map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of names) {
      using sink = new Sink();
      const child = start("trip.ts", name, sink.url, file(), String(CALLS));
      const lines = (await child.stdout.text()).trim().split("\n");
      found.get(name)?.push(JSON.parse(lines.at(-1) ?? "") as Record<string, Figures>);
      await child.exited;
    }
  }
  tell("1. Round trip in memory", ["small", "large"], found);
}

/** The same over a pipe, as most servers are used. */
async function pipes(): Promise<void> {
  const found = new Map<string, Record<string, Figures>[]>(names.map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of names) {
      using sink = new Sink();
      const child = start("server.ts", name, sink.url, file());
      const client = await connect(child);
      await roundTrips(client);
      found.get(name)?.push({ small: figures(await roundTrips(client)) });
      child.kill("SIGKILL");
      await child.exited;
    }
  }
  tell("1b. Round trip over stdio", ["small"], found);
}

async function roundTrips(client: RawClient): Promise<number[]> {
  const times: number[] = [];
  for (let call = 0; call < CALLS; call++) {
    times.push(await client.call("survivor_1"));
    await Bun.sleep(5);
  }
  return times;
}

interface Figures {
  /** Microseconds. */
  readonly p50: number;
  readonly p99: number;
}

function figures(milliseconds: readonly number[]): Figures {
  const sorted = milliseconds.toSorted((a, b) => a - b);
  const at = (share: number) => (sorted[Math.floor(sorted.length * share)] ?? NaN) * 1e3;
  return { p50: at(0.5), p99: at(0.99) };
}

function tell(
  title: string,
  sizes: readonly string[],
  found: ReadonlyMap<string, readonly Record<string, Figures>[]>,
): void {
  const bare = found.get("bare") ?? [];
  console.log(`\n${title}, ${ROUNDS} rounds of ${CALLS} calls 5 ms apart; medians of the rounds\n`);
  console.log(`| product | ${sizes.map((size) => `${size} p50 | p99 added`).join(" | ")} |`);
  console.log(`| --- ${"| --- | --- ".repeat(sizes.length)}|`);
  for (const name of names) {
    const ours = found.get(name) ?? [];
    const cells = sizes.flatMap((size) => {
      const ratio = median(
        ours.map((trip, index) => (trip[size]?.p50 ?? NaN) / (bare[index]?.[size]?.p50 ?? NaN)),
      );
      const added = median(
        ours.map((trip, index) => (trip[size]?.p99 ?? NaN) - (bare[index]?.[size]?.p99 ?? NaN)),
      );
      return [`${ratio.toFixed(2)} ×`, `${(added / 1e3).toFixed(2)} ms`];
    });
    console.log(`| ${name} | ${cells.join(" | ")} |`);
  }
}

interface RawClient {
  /** Calls a tool. Returns the time until the answer, in milliseconds. */
  call(name: string): Promise<number>;
}

/** A minimal client. */
async function connect(child: ReturnType<typeof start>): Promise<RawClient> {
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  let lastId = 0;
  let rest = "";
  const send = (message: object) => {
    void child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
    void child.stdin.flush();
  };
  const request = async (method: string, params: object) => {
    const id = (lastId += 1);
    send({ id, method, params });
    for (;;) {
      const lines = rest.split("\n");
      rest = lines.pop() ?? "";
      if (lines.some((line) => line.includes(`"id":${id}`) && !line.includes('"method"'))) return;
      const { value, done } = await reader.read();
      if (done) throw new Error("the server is gone");
      rest += decoder.decode(value, { stream: true });
    }
  };
  const clientInfo = { name: "bench", version: "1" };
  await request("initialize", { protocolVersion: "2025-06-18", capabilities: {}, clientInfo });
  send({ method: "notifications/initialized" });
  return {
    async call(name) {
      const since = performance.now();
      await request("tools/call", { name, arguments: {} });
      return performance.now() - since;
    },
  };
}

/** Makes five calls with different names. Returns the time of the slowest, in milliseconds. */
async function fiveCalls(child: ReturnType<typeof start>): Promise<number> {
  const client = await connect(child);
  let slowest = 0;
  for (let call = 1; call <= 5; call++)
    slowest = Math.max(slowest, await client.call(`survivor_${call}`));
  return slowest;
}

/** Counts the calls in the file: those with an outcome, and those with only a name. */
function recorded(db: string): string {
  using opened = createAnalyticsDb(db);
  const rows = opened.select({ status: toolCalls.status }).from(toolCalls).all();
  const whole = rows.filter(({ status }) => status === "success").length;
  return rows.length === whole ? `${whole}/5` : `${whole}/5 (+${rows.length - whole} abandoned)`;
}

async function ended(child: ReturnType<typeof start>, withinMs: number): Promise<string> {
  const since = performance.now();
  const isGone = await Promise.race([
    child.exited.then(() => true),
    Bun.sleep(withinMs).then(() => false),
  ]);
  if (isGone)
    return performance.now() - since < 1_500
      ? ""
      : `, after ${((performance.now() - since) / 1e3).toFixed(1)} s`;
  child.kill("SIGKILL");
  await child.exited;
  return `, never ended (${withinMs / 1e3} s)`;
}

async function survivors(): Promise<void> {
  console.log(
    "\n2. How many of five calls reach the sink when the server ends after the last answer\n",
  );
  console.log("| product | end of stdin | SIGTERM | SIGKILL |");
  console.log("| --- | --- | --- | --- |");
  for (const name of names.filter((each) => each !== "bare")) {
    const cells: string[] = [];
    for (const how of ["end of stdin", "SIGTERM", "SIGKILL"] as const) {
      using sink = new Sink();
      const db = file();
      const child = start("server.ts", name, sink.url, db);
      await fiveCalls(child);
      if (how === "end of stdin") await child.stdin.end();
      else child.kill(how);
      const late = await ended(child, 9_000);
      await Bun.sleep(300);
      cells.push(`${name === "toolmeter" ? recorded(db) : `${sink.seen.size}/5`}${late}`);
    }
    console.log(`| ${name} | ${cells.join(" | ")} |`);
  }
}

async function fates(): Promise<void> {
  console.log(
    "\n3. A server whose sink fails: slowest of five calls, and what becomes of the server in the next 10 s\n",
  );
  console.log("| product | down | hangs | answers with errors |");
  console.log("| --- | --- | --- | --- |");
  for (const name of names.filter((each) => each !== "bare" && each !== "toolmeter")) {
    const cells: string[] = [];
    for (const mood of ["down", "hangs", "fails"] as const) {
      using sink = mood === "down" ? undefined : new Sink(mood);
      cells.push(await fate(start("server.ts", name, sink?.url ?? "http://127.0.0.1:9", file())));
    }
    console.log(`| ${name} | ${cells.join(" | ")} |`);
  }
  // The sink of Toolmeter is the file: one that cannot be opened, and one that another process has locked.
  const locked = file();
  createAnalyticsDb(locked).close();
  using holder = new Database(locked);
  holder.run("begin immediate");
  const cells = [
    await fate(start("server.ts", "toolmeter", "", directory)),
    await fate(start("server.ts", "toolmeter", "", locked)),
  ];
  console.log(`| toolmeter | ${cells[0]} (cannot be opened) | ${cells[1]} (locked) | |`);
}

async function fate(child: ReturnType<typeof start>): Promise<string> {
  const slowest = await Promise.race([
    fiveCalls(child).catch(() => Number.NaN),
    Bun.sleep(60_000).then(() => Number.POSITIVE_INFINITY),
  ]);
  const isGone = await Promise.race([
    child.exited.then(() => true),
    Bun.sleep(10_000).then(() => false),
  ]);
  const shown = slowest < 1_000 ? `${slowest.toFixed(0)} ms` : `${(slowest / 1e3).toFixed(1)} s`;
  if (isGone) return `${shown}, **dies with code ${child.exitCode}**`;
  child.kill("SIGKILL");
  await child.exited;
  return `${shown}, lives`;
}

const SECTIONS = { trips, pipes, survivors, fates };
const asked = process.argv.slice(2);
try {
  for (const [name, section] of Object.entries(SECTIONS))
    if (asked.length === 0 || asked.includes(name)) await section();
} finally {
  rmSync(directory, { recursive: true, force: true });
}
