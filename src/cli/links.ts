/** `moonwire links`: where the links of an engine stand, and those that are added and removed while it runs. */

import { readFileSync } from 'node:fs';
import { describeProblems } from '../config/problems.js';
import { readYaml } from '../config/yaml.js';
import { MoonwireError, messageOf } from '../errors.js';
import type { ApiClient } from './api-client.js';
import type { ApiOptions } from './api-commands.js';
import { EXIT } from './exit.js';
import { ago, print, printJson, rowsOf, textOf } from './output.js';
import { type Column, shortDuration, table } from './table.js';

type Row = Record<string, unknown>;

const LINKS: readonly Column<Row>[] = [
  { heading: 'LINK', cell: ({ name, added }) => `${textOf(name)}${added === true ? '+' : ''}` },
  { heading: 'KIND', cell: ({ kind }) => textOf(kind) },
  { heading: 'STATE', cell: ({ state }) => textOf(state) },
  { heading: 'ADDRESS', cell: ({ address, addresses }) => textOf(address ?? [addresses].flat()[0]) },
  { heading: 'SINCE', right: true, cell: ({ since }) => ago(since) },
  { heading: 'NEXT', right: true, cell: ({ next_try: next }) => until(next) },
  { heading: 'OPENED', right: true, cell: ({ opened }) => textOf(opened) },
  { heading: 'FAILED', right: true, cell: ({ failed }) => textOf(failed) },
  { heading: 'ERROR', cell: ({ last_error: error }) => textOf(error) },
];

/** Prints all links, those that were added with a +; returns the exit code. */
export async function listLinks(client: ApiClient, { json }: ApiOptions): Promise<number> {
  const links = rowsOf((await client.get('/v1/links')).links);
  if (json) links.forEach(printJson);
  else print(table(LINKS, links));
  return EXIT.done;
}

/** Adds the link that a file of YAML or JSON describes; returns the exit code, and throws what is wrong with it. */
export async function addLink(client: ApiClient, file: string, { json }: ApiOptions): Promise<number> {
  const link = await client.create('/v1/links', readLinkFile(file));
  if (json) printJson(link);
  else print(`link ${textOf(link.name)} was added`);
  return EXIT.done;
}

/** Takes away a link that was added; returns the exit code, and throws what keeps it. */
export async function removeLink(client: ApiClient, name: string, { json }: ApiOptions): Promise<number> {
  await client.delete(`/v1/links/${encodeURIComponent(name)}`);
  if (json) printJson({ link: name, removed: true });
  else print(`link ${name} was removed`);
  return EXIT.done;
}

/** What a file says, with variables of this environment in it. */
function readLinkFile(file: string): object {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new MoonwireError('not_found', messageOf(error), file);
  }
  const { value, problems } = readYaml(text, process.env);
  if (problems.length > 0)
    throw new MoonwireError('invalid_argument', describeProblems(problems, file).join('\n'), file);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new MoonwireError('invalid_argument', `${file} must hold the settings of one link`, file);
  return value;
}

function until(time: unknown): string {
  return typeof time === 'number' ? shortDuration(Math.max(0, time - Date.now() / 1000)) : '';
}
