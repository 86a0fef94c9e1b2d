// npm run fuzz [-- NAME] [--seconds N] [--seed S]: see README.md.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundleInto } from '../../bench/support/bundle.mjs';

const folder = mkdtempSync(join(tmpdir(), 'moonwire-fuzz-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const outfile = join(folder, 'fuzz.mjs');
await bundleInto(["import './test/fuzz/main.ts';"], outfile);
await import(pathToFileURL(outfile).href);
