/** A stdio server that answers each request with an empty result. `--preload @toolmeter/mcp/auto` records it. */
process.stdin.on("data", (chunk: Buffer) => {
  for (const line of chunk.toString().split("\n")) {
    if (line === "") continue;
    const { jsonrpc, id } = JSON.parse(line) as { readonly jsonrpc?: string; readonly id: number };
    process.stdout.write(`${JSON.stringify({ jsonrpc, id, result: {} })}\n`);
  }
});
