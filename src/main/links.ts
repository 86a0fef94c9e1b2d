/** Links that are added while an engine runs: how they are checked, and where they are kept. */

import { realpathSync } from 'node:fs';
import { sep } from 'node:path';
import { readLink } from '../config/one-link.js';
import type { Config, LinkConfig } from '../config/schema.js';
import type { Author, LinkBook } from '../engine/added-links.js';
import { tlsOf } from '../engine/link-open.js';
import { MoonwireError } from '../errors.js';
import type { Logger } from '../log.js';
import { LIBRARY_ROOT } from '../package.js';
import type { KeyValue } from '../store/keyvalue.js';
import type { Store } from '../store/store.js';
import { withPorts } from './engine.js';

/**
 * Links as they would be written in the configuration, kept as JSON. Their entry scripts must lie in `script.roots`; so
 * must the certificates of those that scripts add.
 */
export class StoredLinks implements LinkBook {
  private readonly map: KeyValue;
  private readonly roots: readonly string[];

  constructor(
    private readonly config: Config,
    store: Store,
    private readonly log: Logger,
  ) {
    this.map = store.part('links');
    this.roots = [...config.script.roots, LIBRARY_ROOT];
  }

  async read(written: unknown, { script }: Author): Promise<LinkConfig> {
    const link = readLink(written, [...this.roots, process.cwd()]);
    this.checkInside(link.entry, 'entry');
    for (const key of ['cert', 'key', 'ca'] as const) {
      const file = tlsOf(link)?.[key];
      if (script !== undefined && file !== undefined) this.checkInside(file, `${link.kind}.tls.${key}`);
    }
    const { config } = this;
    const resolved = await withPorts({ ...config, engine: { ...config.engine, links: [link] } }, this.log);
    return resolved.engine.links[0]!;
  }

  *kept(): Iterable<readonly [string, unknown]> {
    for (const name of [...this.map.keys()]) {
      yield [name, JSON.parse(Buffer.from(this.map.get(name)!).toString())];
    }
  }

  async keep(name: string, written: unknown): Promise<void> {
    const kept = this.map.set(name, Buffer.from(JSON.stringify({ ...Object(written), name })));
    await Promise.all([kept, this.map.flush()]);
  }

  async forget(name: string): Promise<void> {
    await Promise.all([this.map.delete(name), this.map.flush()]);
  }

  private checkInside(file: string, where: string): void {
    const real = realpathSync(file);
    if (this.roots.some((root) => real.startsWith(realpathSync(root) + sep))) return;
    throw new MoonwireError('forbidden', `${where} must lie in one of script.roots`, where);
  }
}
