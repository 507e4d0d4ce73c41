/** As `many-servers.test.ts`, for longer. */
import { describe } from "bun:test";
import { LISTS_DESCRIPTORS } from "../support/descriptors.ts";
import { testServers } from "../support/server-per-request.ts";

describe.skipIf(!LISTS_DESCRIPTORS)("10,000 servers, one per request", () => testServers(10_000));
