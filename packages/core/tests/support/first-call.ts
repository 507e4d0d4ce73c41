import { join } from "node:path";
import { z } from "zod";

const PROGRAM = join(import.meta.dir, "../integration/programs/first-call.ts");

const answerSchema = z.object({
  accepted: z.number(),
  dropped: z.number(),
  unjournaled: z.number(),
});

/** A process that has loaded everything and waits for its task; as a user without rights if `user` says so. */
export async function startRecorder(user?: "nobody") {
  let answered = Promise.withResolvers<unknown>();
  const child = Bun.spawn([process.execPath, PROGRAM, ...(user ? [user] : [])], {
    stdio: ["ignore", "inherit", "ignore"],
    ipc: (message: unknown) => answered.resolve(message),
    onExit: () => answered.reject(new Error("the recorder ended")),
  });
  await answered.promise;
  return {
    /** Records a call at once, and further ones for some milliseconds. */
    async record(file: string, milliseconds: number) {
      answered = Promise.withResolvers();
      child.send({ file, milliseconds });
      return answerSchema.parse(await answered.promise);
    },
    async kill() {
      // Nobody may be waiting for an answer.
      answered.promise.catch(() => undefined);
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
