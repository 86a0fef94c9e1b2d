/**
 * Replaces the code of a station while it runs: as a whole or not at all. The new code is loaded and tried aside; what
 * fails before it takes over leaves the old code in charge, and what fails soon after puts it in charge again.
 */

import { setImmediate as turn } from 'node:timers/promises';
import { MoonwireError, messageOf } from '../../errors.js';
import type { Loader } from '../../script/loader.js';
import type { Client } from '../client.js';
import type { Program } from '../program.js';
import type { Station } from '../station.js';
import { dryRun } from './dry-run.js';
import { Former } from './former.js';
import { handOver, within } from './hand-over.js';
import { Probation } from './probation.js';
import { SourceWatch } from './source-watch.js';

/** Seconds that `init` of new code may take. */
const INIT_SECONDS = 30;
/** Digits of a hash that the log shows. */
const HASH_DIGITS = 12;

/** How new code is taken over. */
export interface ReloadOptions {
  /** Though nothing was saved. */
  readonly force?: boolean | undefined;
  /** Without a trial on the frames that came last. */
  readonly untried?: boolean | undefined;
  /** The old code ends at once and hands nothing over: what it keeps is too much. */
  readonly afresh?: boolean | undefined;
}

/** A file that differs between two programs; its hashes are SHA-256 in hex. */
export interface ChangedFile {
  readonly file: string;
  /** Undefined for a file that the old code did not load. */
  readonly from: string | undefined;
  /** Undefined for one that the new code does not load. */
  readonly to: string | undefined;
}

/** What became of a reload. */
export interface ReloadResult {
  /** Name of the server or link. */
  readonly station: string;
  /** `unchanged`: what runs is what is saved. `refused`: the old code goes on. */
  readonly outcome: 'reloaded' | 'unchanged' | 'refused' | 'switched_back';
  /** Why not. */
  readonly reason?: string | undefined;
  readonly changed: readonly ChangedFile[];
  /** Unix seconds. */
  readonly at: number;
}

export class Reloads {
  readonly former: Former;
  /** What became of the last one that found something changed. */
  last: ReloadResult | undefined;
  /** One at a time. */
  private turn: Promise<unknown> = Promise.resolve();
  /** Files of the code that runs, and of the code that was tried last. */
  private running: SourceWatch | undefined;
  private tried: SourceWatch | undefined;
  private probation: Probation | undefined;
  private looks: NodeJS.Timeout | undefined;

  constructor(private readonly station: Station) {
    this.former = new Former(station);
  }

  /** Looks for saved files every so many seconds. */
  watch(seconds: number): void {
    clearInterval(this.looks);
    if (seconds > 0) this.looks = setInterval(() => void this.look(), seconds * 1000).unref();
  }

  /** Whether newer code may still be replaced by the code before it. */
  get onProbation(): boolean {
    return this.probation !== undefined;
  }

  /** Replaces the code where something was saved. Never rejects. */
  reload(options: ReloadOptions = {}): Promise<ReloadResult> {
    return this.inTurn(() => this.perform(options));
  }

  /** A callback of this program failed. */
  failed(program: Program): void {
    const { probation } = this;
    if (probation?.failed(program) === true) void this.inTurn(() => this.switchBack(probation));
  }

  /** A client is gone. */
  forget(client: Client): void {
    this.former.forget(client);
    this.probation?.forget(client);
  }

  /** Called about once a second. */
  check(now: number): void {
    if (this.former.size > 0) this.former.check(now);
    if (this.probation?.isOver(now) === true) this.endProbation();
  }

  /** Code that is not in charge, and still has something under way or may be in charge again. */
  *programs(): Generator<Program> {
    if (this.probation) yield this.probation.before;
    yield* this.former;
  }

  /** Replaces nothing any more, and ends code that was replaced. */
  close(): void {
    clearInterval(this.looks);
    this.probation?.close();
    this.probation = undefined;
    this.former.close();
  }

  private inTurn<T>(what: () => Promise<T>): Promise<T> {
    const result = this.turn.then(what);
    this.turn = result.catch(() => {});
    return result;
  }

  /** What was refused is not tried again before another file is saved. */
  private async look(): Promise<void> {
    this.tried ??= this.watchOf(this.station.program);
    if (await this.tried.changed()) await this.reload();
  }

  private watchOf(program: Program): SourceWatch {
    return new SourceWatch(program.vm.loader);
  }

  private async perform({
    force = false,
    untried = false,
    afresh = false,
  }: ReloadOptions): Promise<ReloadResult> {
    const { station } = this;
    const { log } = station;
    const old = station.program;
    this.running ??= this.watchOf(old);
    if (!force && !(await this.running.changed())) {
      this.tried = this.running;
      return this.result('unchanged');
    }
    const began = performance.now();
    const vm = station.createVm();
    this.tried = new SourceWatch(vm.loader);
    let fresh: Program | undefined;
    try {
      // What takes long is done in turns of its own, between which messages are served.
      await turn();
      fresh = station.build(vm, old.timers.list());
      await turn();
      fresh.compile();
      await turn();
      const init = fresh.handler('init');
      if (init !== undefined) await within(INIT_SECONDS, 'init', fresh.vm.run(init, []));
      fresh.initialized();
      const problem = untried ? undefined : await dryRun(old, fresh, station.frames);
      if (problem !== undefined) throw new MoonwireError('decode_error', problem);
      await handOver(station, fresh, { afresh });
    } catch (error) {
      if (fresh) discard(fresh);
      const changed = differences(old.vm.loader, vm.loader);
      const reason = messageOf(error);
      log.error(`the new code is refused, the old code goes on: ${reason}`, {
        changed: changed.map(inWords),
      });
      return this.keep(this.result('refused', reason, changed));
    }
    const changed = differences(old.vm.loader, vm.loader);
    this.running = new SourceWatch(vm.loader);
    this.endProbation();
    const seconds = station.engine.options.script.probation;
    if (afresh) this.former.endAll(old);
    else if (seconds > 0) this.probation = new Probation(old, fresh, seconds);
    else this.former.add(old);
    log.info('new code took over', {
      changed: changed.map(inWords),
      clients: station.clients.size,
      ms: Math.round(performance.now() - began),
    });
    return this.keep(this.result('reloaded', undefined, changed));
  }

  /** The code before the one in charge takes over again. */
  private async switchBack(probation: Probation): Promise<void> {
    const { station } = this;
    if (this.probation !== probation || station.closed) return;
    const { before, after } = probation;
    this.probation = undefined;
    const reason = probation.describe();
    await handOver(station, before, { anyway: true });
    this.running = this.watchOf(before);
    this.former.add(after);
    const changed = differences(before.vm.loader, after.vm.loader);
    station.log.error(`the old code took over again: ${reason}`, { changed: changed.map(inWords) });
    this.keep(this.result('switched_back', reason, changed));
  }

  private endProbation(): void {
    if (!this.probation) return;
    this.former.add(this.probation.before);
    this.probation = undefined;
  }

  private result(
    outcome: ReloadResult['outcome'],
    reason?: string,
    changed: readonly ChangedFile[] = [],
  ): ReloadResult {
    return { station: this.station.settings.name, outcome, reason, changed, at: Date.now() / 1000 };
  }

  private keep(result: ReloadResult): ReloadResult {
    this.last = result;
    return result;
  }
}

/** Ends code that never was in charge. */
function discard({ timers, vm }: Program): void {
  timers.end();
  vm.drop(() => true, 'its code was refused');
}

function differences(old: Loader, fresh: Loader): ChangedFile[] {
  const changed: ChangedFile[] = [];
  for (const { path, name, hash } of fresh.sources.values()) {
    const from = old.sources.get(path)?.hash;
    if (from !== hash) changed.push({ file: name, from, to: hash });
  }
  for (const { path, name, hash } of old.sources.values()) {
    if (!fresh.sources.has(path)) changed.push({ file: name, from: hash, to: undefined });
  }
  return changed;
}

function inWords({ file, from, to }: ChangedFile): string {
  return `${file} ${short(from)} -> ${short(to)}`;
}

function short(hash: string | undefined): string {
  return hash === undefined ? 'none' : hash.slice(0, HASH_DIGITS);
}
