/**
 * The configuration that ran last, kept with the durable state: a gateway far away starts with it when its file was
 * changed into one that cannot be used.
 */

import { readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import * as v from 'valibot';
import { type LoadedConfig, type LoadOptions, parseConfig, readConfig } from './load.js';
import { store } from './sections/store.js';
import { readYaml } from './yaml.js';

const NAME = 'last-good.json';

const kept = v.object({ file: v.string(), text: v.string() });

/** Keeps the text of a file whose configuration runs. Rejects with what the file system says. */
export async function keepLastGood(folder: string, file: string, text: string): Promise<void> {
  if (read(folder, file) === text) return;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, NAME);
  // A file that was cut by a power failure would be none.
  await writeFile(`${path}.new`, JSON.stringify({ file: resolve(file), text }), { mode: 0o600, flush: true });
  await rename(`${path}.new`, path);
}

/**
 * The configuration with which `file` ran last; undefined when there is none, when the file says the same now, or when
 * it cannot be used any more. Whatever is wrong in the file, where it says that the state is, it is looked for.
 */
export function lastGood(
  file: string,
  options: LoadOptions = {},
): (LoadedConfig & { readonly text: string }) | undefined {
  const now = textOf(file);
  const text = read(folderOf(now, options), file);
  if (text === undefined || text === now) return undefined;
  try {
    return { ...parseConfig(text, file, options), text };
  } catch {
    return undefined;
  }
}

function textOf(file: string): string | undefined {
  try {
    return readConfig(file);
  } catch {
    return undefined;
  }
}

function read(folder: string, file: string): string | undefined {
  try {
    const found = v.parse(kept, JSON.parse(readFileSync(join(folder, NAME), 'utf8')));
    return found.file === resolve(file) ? found.text : undefined;
  } catch {
    return undefined;
  }
}

/** Where a configuration says its state is, even one that is wrong elsewhere. */
function folderOf(text: string | undefined, { env = process.env, cwd = process.cwd() }: LoadOptions): string {
  const tree = Object(text === undefined ? undefined : readYaml(text, env).value);
  const section = v.safeParse(store, tree.store ?? {});
  const { path } = section.success ? section.output : v.parse(store, {});
  return resolve(cwd, path);
}
