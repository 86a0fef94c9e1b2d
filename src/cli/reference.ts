/** What `npm run docs` writes: the generated part of lua/README.md, and lua/types/mix.lua. */

import { luaApi } from '../engine/mix/index.js';
import { editorTypesOf, referenceOf } from '../script/reference.js';
import { testSection } from './test-functions.js';

const BEGIN = '<!-- reference: written by `npm run docs` from the entries in src/; changes belong there -->';
const END = '<!-- end of the reference -->';

/** Everything that scripts may call. */
export const documented = [...luaApi, testSection];

/** The content of lua/types/mix.lua. */
export function editorTypes(): string {
  return editorTypesOf(documented);
}

/** A README with its generated part brought up to date. Throws when it has no markers. */
export function withReference(readme: string): string {
  const [from, to] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`the README has no lines "${BEGIN}" and "${END}"`);
  return `${readme.slice(0, from)}${BEGIN}\n\n${referenceOf(documented)}\n${readme.slice(to)}`;
}
