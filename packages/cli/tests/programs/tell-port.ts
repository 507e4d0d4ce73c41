/** Preloaded into a server that is told to listen on port 0: writes the port it got to standard error. */
import { Server } from "node:http";

// oxlint-disable-next-line typescript/unbound-method -- it is called with its server below.
const { listen } = Server.prototype;

Server.prototype.listen = function (this: Server, ...options: unknown[]) {
  this.once("listening", () => {
    const address = this.address();
    if (address !== null && typeof address === "object") console.error(`port=${address.port}`);
  });
  return Reflect.apply(listen, this, options);
};
