/**
 * Links that are added while the engine runs, by the API or by scripts, beside those of the configuration, which only
 * their file changes.
 */

import type { EngineConfig, LinkConfig } from '../config/schema.js';
import { MoonwireError, messageOf } from '../errors.js';
import { ScriptError } from '../script/script-error.js';
import type { Engine } from './engine.js';
import type { Inheritance } from './handover/saved.js';
import type { LinkStatus } from './link-status.js';

/** Longest link as JSON; a place in the store holds 64 KiB. */
const MAX_BYTES = 32 * 1024;

/** Who changes a link: the API, or the script of the server or link of that name. */
export type Author = { readonly script?: string };

/** What the engine needs of its owner to have such links. */
export interface LinkBook {
  /** Checks a link as it is written. Rejects with MoonwireError, whose `where` is the path to the first fault. */
  read(written: unknown, author: Author): Promise<LinkConfig>;
  /** Those that are kept over restarts, as they were written. */
  kept(): Iterable<readonly [name: string, written: unknown]>;
  /** Keeps one; resolves when it is on disk, rejects with `overloaded` while the disk refuses. */
  keep(name: string, written: unknown): Promise<void>;
  /** Keeps it no more. */
  forget(name: string): Promise<void>;
}

/** A link as lists show it. */
export interface LinkInfo extends LinkStatus {
  /** It is none of the configuration's. */
  readonly added: boolean;
  /** It is not kept over a restart. */
  readonly temporary?: boolean;
}

export class AddedLinks {
  /** By name: whether it is temporary. */
  private readonly added = new Map<string, boolean>();
  /** Those on their way. */
  private coming = 0;

  constructor(private readonly engine: Engine) {}

  /** All links, those of the configuration first. */
  list(): LinkInfo[] {
    return this.engine.links.map((link) => {
      const temporary = this.added.get(link.config.name);
      return { ...link.status(), added: temporary !== undefined, ...(temporary && { temporary }) };
    });
  }

  /**
   * Adds those that were kept; with an `inheritance` they take from it what is theirs, and rest. One that cannot be used
   * any more is told in the log, and stays kept.
   */
  async restore(inheritance?: Inheritance): Promise<void> {
    for (const [name, written] of this.engine.parts.links?.kept() ?? []) {
      try {
        await this.take(written, {}, { keeping: false, inheritance });
      } catch (error) {
        this.engine.log.error(`the link ${name}, which was added, cannot be used: ${messageOf(error)}`);
      }
    }
  }

  /**
   * Adds a link; `written` as in the configuration, and `temporary: true` for one that is not kept over a restart.
   * Resolves, with the link's state, once it is kept and begins to open. Rejects with what is wrong, everything being
   * as it was: `invalid_argument`, `conflict` (the name, a lent line), `queue_full` (too many), `forbidden`, `timeout` (its
   * `init`), `too_large`.
   */
  add(given: unknown, author: Author): Promise<LinkInfo> {
    return this.take(given, author, { keeping: true });
  }

  private async take(
    given: unknown,
    author: Author,
    { keeping, inheritance }: { keeping: boolean; inheritance?: Inheritance | undefined },
  ): Promise<LinkInfo> {
    const { book, limits } = this.allowed(author);
    const { temporary, written } = split(given);
    if (this.added.size + this.coming >= limits.max)
      throw new MoonwireError(
        'queue_full',
        `${limits.max} links were added, the most (engine.addedLinks.max)`,
      );
    this.coming++;
    try {
      const config = await book.read(written, author);
      await usable(this.engine.changes.addLink(config, inheritance));
      this.added.set(config.name, temporary);
      if (keeping && !temporary) await this.keep(book, config.name, written);
      return this.info(config.name);
    } finally {
      this.coming--;
    }
  }

  /**
   * Puts another configuration in the place of an added link's. Its connection ends and another opens, with a new
   * client: its devices attach anew. Rejects as {@link add} does, the link being as it was; `not_found`, and
   * `forbidden` for a link of the configuration.
   */
  async replace(name: string, given: unknown, author: Author): Promise<LinkInfo> {
    const { book } = this.allowed(author);
    this.checkChangeable(name, author);
    const { temporary, written } = split(given);
    const config = await book.read({ ...written, name }, author);
    await usable(this.engine.changes.replaceLink(config));
    this.added.set(name, temporary);
    if (temporary) await book.forget(name);
    else await this.keep(book, name, written);
    return this.info(name);
  }

  /** Takes an added link away, for good. Rejects with `not_found`, `forbidden`, `conflict`. */
  async remove(name: string, author: Author): Promise<void> {
    const { book } = this.allowed(author);
    this.checkChangeable(name, author);
    await this.engine.changes.remove(name);
    this.added.delete(name);
    await book.forget(name);
  }

  private allowed({ script }: Author): { book: LinkBook; limits: EngineConfig['addedLinks'] } {
    const { parts, options } = this.engine;
    const limits = options.addedLinks;
    if (!parts.links || !limits) throw new MoonwireError('forbidden', 'no links can be added here');
    if (script !== undefined && !limits.byScripts)
      throw new MoonwireError(
        'forbidden',
        'scripts may not change links: engine.addedLinks.byScripts is off',
      );
    return { book: parts.links, limits };
  }

  private checkChangeable(name: string, { script }: Author): void {
    if (script === name)
      throw new MoonwireError('forbidden', `the script of ${name} cannot change the link it runs for`, name);
    if (this.added.has(name)) return;
    if (this.engine.links.some(({ config }) => config.name === name))
      throw new MoonwireError(
        'forbidden',
        `${name} is a link of the configuration, where it is changed`,
        name,
      );
    throw new MoonwireError('not_found', `no link is named ${name}`, name);
  }

  /** What the disk refuses now stays in memory, and is written later. */
  private async keep(book: LinkBook, name: string, written: unknown): Promise<void> {
    try {
      await book.keep(name, written);
    } catch (error) {
      if (!(error instanceof MoonwireError) || error.code !== 'overloaded') throw error;
      this.engine.log.warn(`the link ${name} is not on disk yet: ${error.message}`);
    }
  }

  private info(name: string): LinkInfo {
    return this.list().find((link) => link.name === name)!;
  }
}

/** A script that does not run is as wrong as any other setting. */
async function usable(change: Promise<unknown>): Promise<void> {
  try {
    await change;
  } catch (error) {
    if (error instanceof ScriptError) throw new MoonwireError('invalid_argument', error.message, 'entry');
    throw error;
  }
}

/** What is ours of a link as it is written, and what is the configuration's. */
function split(given: unknown): { temporary: boolean; written: object } {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new MoonwireError('invalid_argument', 'a link must be a map of settings');
  const { temporary = false, ...written } = given as { temporary?: unknown };
  if (typeof temporary !== 'boolean')
    throw new MoonwireError('invalid_argument', 'temporary must be true or false', 'temporary');
  if (Buffer.byteLength(JSON.stringify(written)) > MAX_BYTES)
    throw new MoonwireError('too_large', `a link has at most ${MAX_BYTES} bytes as JSON`);
  return { temporary, written };
}
