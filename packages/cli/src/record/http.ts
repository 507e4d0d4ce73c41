import type { Server } from "node:http";
import { InputError } from "@toolmeter/present";
import { CommandError } from "../failures/command-error.ts";
import { EXIT } from "../failures/exit-codes.ts";
import type { Terminal } from "../output/terminal.ts";
import { HttpObserver } from "./http-observer.ts";
import { isLoopback } from "./loopback.ts";
import type { RecordOptions } from "./options.ts";
import { createProxy } from "./proxy.ts";
import { Target } from "./target.ts";

/**
 * Passes requests on to a server at a URL and records the calls in them: for streamable HTTP, and for the older
 * transport with server-sent events. Runs until it is stopped.
 * @param listen `host:port`; port 0 selects a free port. The default host 127.0.0.1 is reachable only from this
 * machine.
 */
export async function recordHttp(
  url: string,
  listen: string,
  options: RecordOptions,
  terminal: Terminal,
  stopped?: Promise<void>,
): Promise<number> {
  const target = parseTarget(url);
  const { hostname, port } = parseAddress(listen);
  const observer = new HttpObserver(options);
  const server = createProxy(target, isLoopback(hostname), observer);
  const address = `http://${hostname}:${await listening(server, hostname, port)}`;
  terminal.err(`Recording ${target.shown} at ${address}${target.pathname}. Stop with Ctrl-C.`);
  await (stopped ?? interruption());
  await close(server);
  await observer.end();
  return EXIT.interrupted;
}

function parseTarget(text: string): Target {
  const url = URL.parse(text);
  if (url === null || !["http:", "https:"].includes(url.protocol)) {
    // The text may contain a password or a key.
    const shown = text.replace(/[?#].*$/s, "").replace(/^([^@]*\/)?[^@]*@/s, "$1");
    throw new InputError(
      `Expected a URL such as http://localhost:3000/mcp, got ${JSON.stringify(shown)}.`,
    );
  }
  return new Target(url);
}

function parseAddress(listen: string): { readonly hostname: string; readonly port: number } {
  const [, hostname = "127.0.0.1", port] = /^(?:(.+):)?(\d+)$/.exec(listen) ?? [];
  if (port === undefined) {
    throw new InputError(
      `Expected an address such as 127.0.0.1:3001, got ${JSON.stringify(listen)}.`,
    );
  }
  return { hostname, port: Number(port) };
}

/** Starts listening. Resolves with the port. */
function listening(server: Server, hostname: string, port: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const refused = (error: Error) =>
    reject(
      new CommandError(
        `Expected to listen at ${hostname}:${port}, but the system refused (${error.message}). Choose another address.`,
      ),
    );
  server.once("error", refused);
  try {
    server.listen(port, hostname.replace(/^\[|\]$/g, ""), () => {
      const address = server.address();
      resolve(typeof address === "object" && address ? address.port : port);
    });
  } catch (error) {
    // The port number is invalid.
    refused(error instanceof Error ? error : new Error(String(error)));
  }
  return promise;
}

/** Closes all connections. Resolves when every exchange has ended. */
function close(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeAllConnections();
  return promise;
}

function interruption(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
      process.once(signal, () => resolve());
  });
}
