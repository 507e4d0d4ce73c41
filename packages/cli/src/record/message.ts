const BYTE_ORDER_MARK = "\uFEFF";

/** The JSON-RPC message of a text, or nothing if it is none: servers print other things too. */
export function parseMessage(text: string): unknown {
  if (!text.includes('"jsonrpc"')) return undefined;
  try {
    return JSON.parse(text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text);
  } catch {
    return undefined;
  }
}
