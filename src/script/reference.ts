/** The reference of the Lua API (Markdown) and its editor types (LuaCATS), both written from its entries. */

import type { ApiFunction, ApiType, ApiValue } from './api.js';

/** A chapter of the reference. */
export interface ApiSection {
  title: string;
  /** Where its functions may be called. */
  where: string;
  // biome-ignore lint/suspicious/noExplicitAny: entries of all hosts stand beside each other; none is called here.
  entries: readonly ApiFunction<any>[];
  constants?: readonly ApiValue[];
}

/** How values of each type look in Lua. */
const LUA_TYPES: Record<ApiType, string> = {
  bytes: 'string',
  string: 'string',
  text: 'string',
  number: 'number',
  integer: 'integer',
  boolean: 'boolean',
  value: 'any',
  options: 'table',
  function: 'function',
  raw: 'any',
};

/** What the reference says of types whose name in Lua does not say it. */
const REFERENCE_TYPES: Partial<Record<ApiType, string>> = {
  bytes: 'string of bytes',
  text: 'string, UTF-8',
  value: 'plain data',
};

/** The reference, a section a chapter; headings begin with `###`. Ends with a line break. */
export function referenceOf(sections: readonly ApiSection[]): string {
  const parts = sections.flatMap(({ title, where, entries, constants = [] }) => [
    `### ${title}`,
    `May be called in: ${where}.`,
    ...(constants.length > 0 ? [constants.map(item).join('\n')] : []),
    ...entries.map((entry) => describe(entry)),
  ]);
  return `${parts.join('\n\n')}\n`;
}

// biome-ignore lint/suspicious/noExplicitAny: as above.
type Entry = ApiFunction<any>;

function describe(entry: Entry): string {
  const results = entry.returns.map(({ name }) => name).join(', ');
  const syntax = `${results === '' ? '' : `${results} = `}${entry.name}(${parameters(entry.params)})`;
  return [
    `#### \`${syntax}\``,
    entry.doc,
    [
      ...entry.params.map(item),
      ...entry.returns.map((result) => `${item(result)} (result)`),
      `- waits: ${waiting(entry)}; on failure: ${failing(entry)}`,
    ].join('\n'),
    `\`\`\`lua\n${entry.example}\n\`\`\``,
  ].join('\n\n');
}

/** `a, b[, c[, …]]` */
function parameters(params: readonly ApiValue[]): string {
  return params
    .map(({ name, optional, rest }, i) => {
      const comma = i === 0 ? '' : ', ';
      if (rest) return `${comma}…`;
      return optional ? `[${comma}${name}]` : `${comma}${name}`;
    })
    .join('');
}

function item({ name, type, optional, rest, doc }: ApiValue): string {
  const kind = REFERENCE_TYPES[type] ?? LUA_TYPES[type];
  const shape = rest ? `${kind}, any number of them` : optional ? `${kind}, optional` : kind;
  return `- \`${name}\`: ${shape}${doc === undefined ? '' : `; ${doc}`}`;
}

function waiting({ waits }: Entry): string {
  if (typeof waits === 'function') return 'depending on its arguments, as said above';
  return waits ? 'yes, so only in handlers that may wait' : 'no';
}

function failing({ failure }: Entry): string {
  return failure === 'error' ? 'the error' : '`nil, error`, where it can fail; misuse raises';
}

/** Editor types: a definition file for Lua language servers that read LuaCATS. */
export function editorTypesOf(sections: readonly ApiSection[]): string {
  const entries = sections.flatMap((section) => section.entries);
  const constants = sections.flatMap((section) => section.constants ?? []);
  const kinds = unique(entries.flatMap(({ name }) => (name.includes(':') ? [name.split(':')[0]!] : [])));
  const tables = unique(
    [...entries, ...constants].flatMap(({ name }) => {
      const path = name.split('.').slice(0, -1);
      return path.map((_, i) => path.slice(0, i + 1).join('.'));
    }),
  );
  return `${[
    '---@meta\n-- Editor types of the Lua API. Written by `npm run docs`; changes belong into its entries in src/.',
    ...tables.map((table) => `${table} = {}`),
    ...kinds.map((kind) => `---@class mix.${kind}\nlocal ${kind} = {}`),
    ...constants.map(({ name, type, doc }) => `---${line(doc)}\n---@type ${LUA_TYPES[type]}\n${name} = nil`),
    ...entries.map((entry) => declaration(entry, kinds)),
  ].join('\n\n')}\n`;
}

function declaration(
  { name, doc, params, returns, failure, waits }: Entry,
  kinds: readonly string[],
): string {
  const typeOf = (value: ApiValue): string =>
    value.type === 'raw' && kinds.includes(value.name) ? `mix.${value.name}` : LUA_TYPES[value.type];
  const names = params.map((param) => (param.rest ? '...' : param.name));
  return [
    `---${line(doc)}`,
    ...(waits === true ? ['---@async'] : []),
    ...params.map((param, i) => {
      const suffix = param.optional ? '?' : '';
      return `---@param ${names[i]}${suffix} ${typeOf(param)} ${line(param.doc)}`.trimEnd();
    }),
    // Any result may be nil, with an error behind it.
    ...returns.map((result) => `---@return ${typeOf(result)}? ${result.name} ${line(result.doc)}`.trimEnd()),
    ...(failure === 'error' || returns.length === 1 ? ['---@return string? error'] : []),
    `function ${name}(${names.join(', ')}) end`,
  ].join('\n');
}

function line(text = ''): string {
  return text.replaceAll('\n', ' ');
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
