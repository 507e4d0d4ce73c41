const IPV4_LOOPBACK = /^127\.\d+\.\d+\.\d+$/;

/** Whether a host name, as normalized by `URL`, always refers to this machine. */
export function isLoopback(hostname: string): boolean {
  const name = hostname.toLowerCase().replace(/\.$/, "");
  return ["localhost", "::1", "[::1]"].includes(name) || IPV4_LOOPBACK.test(name);
}
