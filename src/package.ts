/** Where this package lies, as sources (`src/`) and as a bundle (`dist/`): both are one folder below its root. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('..', import.meta.url);

/** The Lua library that comes with Moonwire; scripts of the user come before it. */
export const LIBRARY_ROOT = fileURLToPath(new URL('lua', root));

/** The program, as it is run. */
export const CLI_FILE = fileURLToPath(new URL('dist/cli.js', root));

/** What is known of boards, a file each. */
export const BOARDS_FOLDER = fileURLToPath(new URL('boards', root));

/** The version in package.json. */
export function version(): string {
  return JSON.parse(readFileSync(new URL('package.json', root), 'utf8')).version;
}
