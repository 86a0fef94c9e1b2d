/** Rules about `tls`, wherever it stands, and the files it names. */

import { formatPath, type Report, type Step } from './problems.js';
import { at, items } from './walk.js';

/** One `tls` of a file: where it stands, and what it says. */
interface Place {
  readonly steps: Step[];
  readonly tls: unknown;
  readonly side: 'server' | 'client';
}

/** Kinds of links and of sinks that can have it. */
const LINKS = ['tcp', 'websocket', 'mqtt'];
const SINKS = ['mqtt', 'http', 'redis'];

/** Every `tls` that is there. */
function places(read: unknown): Place[] {
  const list = (name: string, ...steps: Step[]): Step[][] =>
    items(read, 'engine', name).map(([item]) => [...item, ...steps]);
  const servers = [
    ...list('servers', 'tls'),
    ['engine', 'apiServer', 'tls'],
    ['center', 'apiServer', 'tls'],
    ['center', 'registry', 'tls'],
  ].map((steps) => ({ steps, side: 'server' as const }));
  const sinks = items(read, 'sinks').flatMap(([sink]) => SINKS.map((kind) => [...sink, kind, 'tls']));
  const links = LINKS.flatMap((kind) => list('links', kind, 'tls'));
  const clients = [...links, ['engine', 'centerTls'], ...sinks].map((steps) => ({
    steps,
    side: 'client' as const,
  }));
  return [...servers, ...clients]
    .map((place) => ({ ...place, tls: at(read, ...place.steps) }))
    .filter(({ tls }) => tls !== undefined);
}

/** Reports settings of `tls` that do not fit together. */
export function checkTls(read: unknown, report: Report): void {
  for (const { steps, tls, side } of places(read)) {
    const has = (key: Step): boolean => at(tls, key) !== undefined;
    if (at(tls, 'minVersion') === 'TLSv1.3' && at(tls, 'maxVersion') === 'TLSv1.2') {
      report([...steps, 'minVersion'], 'must not be newer than maxVersion');
    }
    if (has('cert') !== has('key')) report(steps, 'needs cert and key together');
    if (side === 'client') continue;
    if (!has('cert') && !has('key') && !has('psk')) report(steps, 'needs cert and key, or psk');
    if (!has('cert') && (has('ocsp') || items(tls, 'certificates').length > 0)) {
      report(steps, 'needs cert and key for all clients whose name no other certificate has');
    }
    if (has('ca')) continue;
    if (has('crl')) report([...steps, 'crl'], `needs ${formatPath([...steps, 'ca'])}`);
    if (at(tls, 'clientCert') === 'optional') {
      report([...steps, 'clientCert'], `needs ${formatPath([...steps, 'ca'])}`);
    }
  }
}

const FILES = ['cert', 'key', 'ca', 'crl', 'ocsp', 'psk'];

/** Every file that TLS needs: its setting, and the section it stands in. */
export function tlsFiles(read: unknown): { owner: unknown; key: Step; steps: readonly Step[] }[] {
  return places(read)
    .flatMap(({ steps, tls }) => [
      [steps, tls] as const,
      ...items(tls, 'certificates').map(([inner, item]) => [[...steps, ...inner], item] as const),
    ])
    .flatMap(([steps, owner]) => FILES.map((key) => ({ owner, key, steps })));
}
