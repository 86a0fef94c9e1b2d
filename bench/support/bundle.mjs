// Sources of the project as one module for Node.js, bundled as production does.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = new URL('../../', import.meta.url);

/** Bundles what `lines` (statements of a module in the project's folder) export into the file `outfile`. */
export async function bundleInto(lines, outfile) {
  await build({
    stdin: { contents: lines.join('\n'), resolveDir: fileURLToPath(ROOT), loader: 'ts' },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    minifySyntax: true,
    external: ['cbor-extract'],
    // The library and optional packages are found from where the sources are.
    define: { 'import.meta.url': JSON.stringify(new URL('src/bundle.js', ROOT).href) },
    banner: {
      js: `import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(${JSON.stringify(ROOT.href)});`,
    },
    logLevel: 'error',
  });
}
