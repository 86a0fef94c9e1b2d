// Writes what is generated from the entries of the Lua API: the reference in lua/README.md and lua/types/mix.lua.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'moonwire-docs-'));
try {
  const outfile = join(folder, 'reference.cjs');
  await build({
    entryPoints: [join(root, 'src/cli/reference.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    logLevel: 'error',
  });
  const { editorTypes, withReference } = await import(pathToFileURL(outfile));
  const readme = join(root, 'lua/README.md');
  writeFileSync(readme, withReference(readFileSync(readme, 'utf8')));
  mkdirSync(join(root, 'lua/types'), { recursive: true });
  writeFileSync(join(root, 'lua/types/mix.lua'), editorTypes());
} finally {
  rmSync(folder, { recursive: true, force: true });
}
