// npm run soak [-- --hours 8 | --minutes 10] [--seed S] [--write]: see README.md.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundleInto } from '../../bench/support/bundle.mjs';

const folder = mkdtempSync(join(tmpdir(), 'moonwire-soak-bundle-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const outfile = join(folder, 'soak.mjs');
await bundleInto(["import './test/soak/soak.ts';"], outfile);
await import(pathToFileURL(outfile).href);
