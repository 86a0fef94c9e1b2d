import { readdirSync, readFileSync } from 'node:fs';

/** All of lua/ by path within it, scripts and device templates: what a test engine takes as its scripts. */
export const library: Readonly<Record<string, string>> = Object.fromEntries(
  (readdirSync('lua', { recursive: true }) as string[])
    .filter((path) => /\.(lua|yaml)$/.test(path))
    .map((path) => [path, readFileSync(`lua/${path}`, 'utf8')]),
);
