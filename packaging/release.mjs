// What is released: version, day, maintainer.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './node.mjs';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));

const { version, description } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
/** That of package.json, in its first Debian revision. */
export const VERSION = `${version}-1`;
export const DESCRIPTION = description;

/** By the variables that Debian's own tools take it from. */
const { DEBFULLNAME = 'Moonwire', DEBEMAIL = 'moonwire@localhost' } = process.env;
export const MAINTAINER = `${DEBFULLNAME} <${DEBEMAIL}>`;

/** When the sources were last changed, in Unix seconds: nothing in a package is younger. */
export function sourceDate() {
  const { SOURCE_DATE_EPOCH } = process.env;
  return Number(SOURCE_DATE_EPOCH ?? run('git', ['log', '-1', '--format=%ct'], { cwd: ROOT }));
}
