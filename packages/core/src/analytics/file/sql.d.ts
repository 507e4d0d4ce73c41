/** A migration's text, taken in at build time: `import text from "./0000_init.sql" with { type: "text" }`. */
declare module "*.sql" {
  const text: string;
  export default text;
}
