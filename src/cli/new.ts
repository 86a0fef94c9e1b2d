/** `moonwire new`: a protocol to start from, with its test and a sample entry. */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { MoonwireError } from '../errors.js';
import { LIBRARY_ROOT } from '../package.js';

/** What a protocol's name looks like: it is a file's name, and a part of a module's name. */
const NAME = /^[a-z][a-z0-9_]{0,39}$/;

/** Each template with the file it becomes. */
const FILES = {
  'protocol.lua': (name: string) => `protocols/${name}.lua`,
  'test.lua': (name: string) => `protocols/${name}_test.lua`,
  'entry.lua': (name: string) => `entry.${name}.lua`,
};

/**
 * Writes the files of a new protocol into `folder` and tells what comes next. Throws MoonwireError:
 * `invalid_argument` for a bad name, `conflict` when one of the files exists (then none is written).
 */
export function newProtocol(name: string, folder: string): void {
  if (!NAME.test(name)) {
    throw new MoonwireError(
      'invalid_argument',
      `a protocol's name has 1 to 40 lower-case letters, digits and _, and begins with a letter; "${name}" does not`,
    );
  }
  const files = Object.entries(FILES).map(([template, target]) => ({
    template: join(LIBRARY_ROOT, 'templates/protocol', template),
    target: join(folder, target(name)),
  }));
  for (const { target } of files) {
    if (existsSync(target)) throw new MoonwireError('conflict', `${target} exists; nothing was written`);
  }
  for (const { template, target } of files) {
    mkdirSync(dirname(target), { recursive: true });
    // Never over a file that came up in between.
    writeFileSync(target, readFileSync(template, 'utf8').replaceAll('NAME', name), { flag: 'wx' });
    process.stdout.write(`wrote ${target}\n`);
  }
  process.stdout.write(`try it: moonwire test ${join(folder, FILES['test.lua'](name))} --watch\n`);
}
