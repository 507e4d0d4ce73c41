import { defineConfig } from "drizzle-kit";
export default defineConfig({ dialect: "sqlite", schema: "./packages/core/src/analytics/schema.ts", out: "./packages/core/drizzle", dbCredentials: { url: "file:/tmp/lab/kit.db" } });
