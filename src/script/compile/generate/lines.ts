/** Marks of source lines within generated text, and the line breaks that they become at the end. */

/** Text that follows belongs to this line. No literal can hold the two characters. */
export function atLine(line: number): string {
  return `\x01${line}\x02`;
}

/** Puts every marked text on its line, as far as the order of the text allows. */
export function layOut(marked: string): string {
  let current = 1;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the marks are control characters, which no text has.
  return marked.replace(/\x01(\d+)\x02/g, (_, digits: string) => {
    const line = Number(digits);
    if (line <= current) return '';
    const breaks = '\n'.repeat(line - current);
    current = line;
    return breaks;
  });
}
