import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import t from 'tap';

/** Which folders of `src` a folder may import (design §2); files directly in `src` are named with their ending. */
const MAY_IMPORT: Record<string, string[]> = {
  bytes: [],
  codecs: ['bytes'],
  transports: ['bytes'],
  mux: ['bytes'],
  script: ['bytes', 'codecs'],
  engine: ['bytes', 'codecs', 'transports', 'script'],
  store: ['bytes', 'codecs'],
  config: [],
  boards: ['package.ts'],
  // The design names no codecs for these two, but their messages are CBOR; the centre speaks the uplink's messages.
  uplink: ['bytes', 'codecs', 'mux', 'transports', 'store'],
  center: ['codecs', 'mux', 'transports', 'store', 'uplink'],
  sinks: ['bytes', 'codecs', 'store'],
  // Which node a client id belongs to is told by `store/ids.ts`.
  api: ['bytes', 'codecs', 'engine', 'center', 'store', 'package.ts'],
  // The primary's API asks workers what an engine's API asks its engine.
  workers: ['api', 'engine', 'store', 'transports', 'uplink'],
  'main.ts': ['center', 'config', 'main'],
  main: [
    'package.ts',
    'api',
    'boards',
    'center',
    'codecs',
    'config',
    'engine',
    'mux',
    'script',
    'sinks',
    'store',
    'transports',
    'uplink',
    'workers',
  ],
  'index.ts': [
    'bytes',
    'codecs',
    'config',
    'engine',
    'script',
    'sinks',
    'store',
    'transports',
    'main.ts',
    'package.ts',
  ],
  handover: ['engine'],
  cli: [
    'boards',
    'codecs',
    'config',
    'engine',
    'handover',
    'script',
    'store',
    'transports',
    'main.ts',
    'package.ts',
  ],
  'package.ts': [],
};
/** Leaves, open to all. */
const OPEN = ['errors.ts', 'log.ts'];
/** Their types only are open to all. */
const OPEN_TYPES = ['config'];
/** Parts of which another one may import types only. */
const TYPES_OF: Record<string, string[]> = {
  uplink: ['engine', 'script'],
  center: ['engine', 'script'],
  api: ['script'],
  handover: ['api', 'transports'],
  cli: ['api'],
};

const src = resolve('src');
const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
  .map((name) => join(src, name));

interface Import {
  from: string;
  to: string;
  typeOnly: boolean;
}

const IMPORT = /^(?:import|export)\s+(type\s+)?(?:[^'"]*?\sfrom\s+)?['"](\.[^'"]+)['"]/gm;
const DYNAMIC = /\bimport\(\s*['"](\.[^'"]+)['"]\s*\)/g;

function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8');
  const target = (path: string) => resolve(dirname(file), path.replace(/\.js$/, '.ts'));
  const found = [...text.matchAll(IMPORT)].map(([, type, path]) => ({
    from: file,
    to: target(path!),
    typeOnly: type !== undefined,
  }));
  const dynamic = [...text.matchAll(DYNAMIC)].map(([, path]) => ({
    from: file,
    to: target(path!),
    typeOnly: false,
  }));
  return [...found, ...dynamic];
}

const imports = files.flatMap(importsOf);

/** The folder of `src` a file belongs to, or the file itself where it lies directly in `src`. */
function partOf(file: string): string {
  const [part] = relative(src, file).split('/');
  return part!;
}

t.test('imports are found at all', async (t) => {
  t.ok(imports.length > 100, `${imports.length} imports`);
});

t.test('imports go in the direction of the design', async (t) => {
  const wrong = imports.filter(({ from, to, typeOnly }) => {
    const [a, b] = [partOf(from), partOf(to)];
    if (a === b || OPEN.includes(b)) return false;
    if (typeOnly && (OPEN_TYPES.includes(b) || TYPES_OF[a]?.includes(b))) return false;
    return !MAY_IMPORT[a]?.includes(b);
  });
  t.same(
    wrong.map(({ from, to }) => `${relative(src, from)} → ${relative(src, to)}`),
    [],
  );
});

t.test('every part of src is in the table', async (t) => {
  const parts = [...new Set(files.map(partOf))].filter((part) => !OPEN.includes(part));
  t.same(
    parts.filter((part) => !(part in MAY_IMPORT)),
    [],
  );
});

t.test('no file imports itself through others', async (t) => {
  const edges = new Map<string, string[]>();
  for (const { from, to, typeOnly } of imports) {
    if (!typeOnly) edges.set(from, [...(edges.get(from) ?? []), to]);
  }
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (file: string, path: string[]): void => {
    if (path.includes(file)) {
      cycles.push([...path.slice(path.indexOf(file)), file].map((f) => relative(src, f)).join(' → '));
      return;
    }
    if (done.has(file)) return;
    for (const next of edges.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  t.same(cycles, []);
});
