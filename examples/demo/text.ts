/** One line of text, at most `width` terminal columns wide, and nothing in it that steers a terminal. */
export function elide(text: string, width: number): string {
  const line = Bun.stripANSI(text)
    .replaceAll(/[\s\p{Cc}\p{Cf}]+/gu, " ")
    .trim();
  if (Bun.stringWidth(line) <= width) return line;
  let kept = "";
  for (const { segment } of new Intl.Segmenter().segment(line)) {
    if (Bun.stringWidth(kept + segment) >= width) break;
    kept += segment;
  }
  return `${kept}…`;
}
