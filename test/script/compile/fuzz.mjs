// npm run fuzz:lua [-- --seconds N --seed S]: random programs in compiled code and in Debian's lua5.3. Stops at the first
// that differ, with their seed, and ends with 1 then.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const ROOT = new URL('../../../', import.meta.url);
const folder = mkdtempSync(join(tmpdir(), 'moonwire-fuzz-'));
try {
  const outfile = join(folder, 'fuzz.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL('fuzz.ts', import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: ['cbor-extract'],
    // The library and optional packages are found from where the sources are.
    define: { 'import.meta.url': JSON.stringify(new URL('src/bundle.js', ROOT).href) },
    banner: {
      js: `import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(${JSON.stringify(ROOT.href)});`,
    },
    logLevel: 'error',
  });
  await import(pathToFileURL(outfile).href);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
