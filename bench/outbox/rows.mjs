// What the outbox costs: reports a second, bytes written, a long backlog drained beside live reports, memory.
// Each measurement runs in a process of its own, on the disk this folder is on.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PROCESS = fileURLToPath(new URL('process.mjs', import.meta.url));
const BACKLOG = 1_000_000;
const BUDGET = 2;
const FULL_BYTES = 32 * 2 ** 20;

const MiB = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const rate = (perSecond) => `${Math.round(perSecond)}/s`;

export async function outboxRows(note) {
  const folder = mkdtempSync(join(ROOT, 'dist', 'bench-outbox-'));
  const bundle = join(folder, 'outbox.mjs');
  try {
    await build({
      stdin: {
        contents: `export { Clock } from './src/store/clock.ts';
          export { MemoryKeyValue } from './src/store/keyvalue.ts';
          export { Outbox } from './src/store/outbox.ts';
          export { cborCodec } from './src/codecs/cbor.ts';
          export { silentLogger } from './src/log.ts';`,
        resolveDir: ROOT,
      },
      outfile: bundle,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      external: ['cbor-x'],
    });
    const measure = async (task, argument, data = task + argument) => {
      const args = ['--expose-gc', PROCESS, bundle, join(folder, data), task, String(argument)];
      return JSON.parse((await run(process.execPath, args)).stdout);
    };
    return await rowsOf(measure, note);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function rowsOf(measure, note) {
  const rows = [];
  for (const together of [1, 10, 100, 1000]) {
    note(`outbox: durable reports, ${together} a commit`);
    const { perSecond, ratio, size } = await measure('durable', together);
    rows.push({
      what: `Outbox: bytes written of a durable report of ${size}, ${together} a commit`,
      figure: `${ratio.toFixed(2)}×`,
      ...(together >= 100 && { budget: `≤ ${BUDGET}×`, met: ratio <= BUDGET }),
      details: `${rate(perSecond)}`,
    });
  }
  note('outbox: eco reports');
  const eco = await measure('eco', 200_000);
  rows.push({
    what: 'Outbox: eco reports, taken and acknowledged',
    figure: rate(eco.perSecond),
    details: 'never on disk',
  });
  note(`outbox: ${BACKLOG} reports written`);
  const filled = await measure('fill', BACKLOG, 'backlog');
  rows.push({
    what: `Outbox: ${BACKLOG} eco reports written without a link`,
    figure: rate(filled.perSecond),
    details: `${MiB(filled.bytes)} on disk`,
  });
  for (const limit of [1000, 1_000_000]) {
    note(`outbox: backlog drained, at most ${limit} a second`);
    const { records, perSecond, opened, before, highest, median, slow } = await measure(
      'drain',
      limit,
      'backlog',
    );
    rows.push({
      what: `Outbox: backlog of ${records} drained, ${limit === 1000 ? 'at the default of 1000/s, for 10 s' : 'without a limit'}`,
      figure: rate(perSecond),
      details:
        `opened in ${(opened / 1000).toFixed(1)} s; RssAnon ${MiB(before)} before, at most ${MiB(highest)}; ` +
        `live reports meanwhile offered after ${median.toFixed(1)} ms, the slowest hundredth ${slow.toFixed(1)} ms`,
    });
  }
  note('outbox: full');
  const full = await measure('full', FULL_BYTES);
  rows.push({
    what: `Outbox: RssAnon more with ${full.records} reports, full at ${MiB(FULL_BYTES)} on disk`,
    figure: MiB(full.after - full.before),
    details: `highest on the way ${MiB(full.highest - full.before)}`,
  });
  return rows;
}
