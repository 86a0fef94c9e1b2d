// The production bundle: one file a command or entry point, one chunk per lazily imported library.
// Native add-ons (serialport's bindings) stay outside, since their binaries are found relative to their package.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const entries = {
  cli: 'src/cli/index.ts',
  index: 'src/index.ts',
  mux: 'src/mux/index.ts',
  'loop-watchdog-thread': 'src/boards/loop-watchdog-thread.ts',
};

const { metafile } = await build({
  metafile: true,
  entryPoints: Object.fromEntries(Object.entries(entries).filter(([, file]) => existsSync(file))),
  outdir: 'dist',
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  minifySyntax: true,
  legalComments: 'none',
  sourcemap: 'linked',
  sourcesContent: false,
  external: ['serialport', '@serialport/*', 'cbor-extract'],
  // Beside the entries, so that paths relative to a module are the same for all of them.
  chunkNames: 'chunk-[name]-[hash]',
  // CommonJS packages inside an ES module bundle still call require().
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
});
// Chunks of earlier builds go last, so that a command which runs meanwhile still finds its own.
for (const name of readdirSync('dist', { recursive: true })) {
  const path = `dist/${name}`;
  if (/\.js(\.map)?$/.test(path) && !(path in metafile.outputs)) rmSync(path);
}
if (process.argv.includes('--types')) {
  const tsc = spawnSync('npx', ['tsc', '-p', 'tsconfig.build.json'], { stdio: 'inherit' });
  process.exit(tsc.status ?? 1);
}
