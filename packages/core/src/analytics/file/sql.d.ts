/** A migration's text, bundled at build time: `import text from "./0000_init.sql" with { type: "text" }`. */
declare module "*.sql" {
  const text: string;
  export default text;
}
