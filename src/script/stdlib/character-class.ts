/** Character classes as tables of 256 entries, 1 where the byte belongs (the "C" locale, as devices speak). */

/** One entry a byte: 1 when it belongs to the class, else 0. */
export type CharacterClass = Uint8Array;

/** The class of the bytes that `test` accepts. */
export function classOf(test: (byte: number) => boolean): CharacterClass {
  const table = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) if (test(byte)) table[byte] = 1;
  return table;
}

/** The bytes of a class of ASCII characters, written as a regular expression's set. */
function ascii(set: string): CharacterClass {
  const matcher = new RegExp(`^[${set}]$`);
  return classOf((byte) => byte < 128 && matcher.test(String.fromCharCode(byte)));
}

/** All bytes: the pattern ".". */
export const ANY: CharacterClass = classOf(() => true);

const LOWER_CASE: Record<string, CharacterClass> = {
  a: ascii('A-Za-z'),
  c: ascii('\\x00-\\x1f\\x7f'),
  d: ascii('0-9'),
  g: ascii('!-~'),
  l: ascii('a-z'),
  p: ascii('!-\\/:-@\\[-`{-~'),
  s: ascii('\\t-\\r '),
  u: ascii('A-Z'),
  w: ascii('A-Za-z0-9'),
  x: ascii('A-Fa-f0-9'),
  z: ascii('\\x00'),
};

const NAMED = new Map<number, CharacterClass>();
for (const [letter, members] of Object.entries(LOWER_CASE)) {
  NAMED.set(letter.charCodeAt(0), members);
  NAMED.set(
    letter.toUpperCase().charCodeAt(0),
    classOf((byte) => members[byte] === 0),
  );
}

/** The class named by the letter after "%" (upper case: its complement); undefined for any other character. */
export function namedClass(letter: number): CharacterClass | undefined {
  return NAMED.get(letter);
}
