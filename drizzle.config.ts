import { defineConfig } from "drizzle-kit";

const file = process.env["TOOLMETER_DB"];

/** `generate` and `check` need no database; `migrate` works on the file that `TOOLMETER_DB` names. */
export default defineConfig({
  dialect: "sqlite",
  schema: "./packages/core/src/analytics/schema.ts",
  out: "./packages/core/drizzle",
  ...(file ? { dbCredentials: { url: `file:${file}` } } : {}),
});
