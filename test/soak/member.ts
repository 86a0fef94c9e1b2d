/** A process of Moonwire under attack: the centre or an engine. */

import { spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { type Campaign, pause, within } from './campaign.js';
import { LogReader } from './log-reader.js';

/** Seconds that a report which is not durable may be in memory only: the spill delay, and a loaded machine. */
const SPILL_WINDOW_MS = 8_000;
const REQUEST_MS = 30_000;
const START_SECONDS = 60;
/** Deaths that are remembered; older ones concern no report that still waits. */
const MOST_DEATHS = 10_000;

export interface MemberOptions {
  readonly name: string;
  readonly command: 'center' | 'engine';
  readonly config: string;
  readonly api: number;
  readonly log: string;
  /** The folder of the program. */
  readonly program: string;
  readonly env: NodeJS.ProcessEnv;
  /** Where a process puts its id to be under a memory limit. */
  readonly group?: string | undefined;
  readonly heapMiB: number;
}

export interface HealthAnswer {
  readonly status: string;
  readonly ready: boolean;
  readonly reasons: readonly { readonly code: string; readonly text: string }[];
}

export class Member {
  /** Of the process that runs; another one after a restart with connections kept. */
  pid = 0;
  /** It is meant to run, and nobody is starting or ending it. */
  settled = false;
  /** Counts processes. */
  life = 0;
  /** Moments from which on what was in memory may be gone, to when. */
  private readonly deaths: { from: number; to: number }[] = [];
  private diskFullSince: number | undefined;
  private readonly troubles = new Map<string, { open: number; until: number }>();
  private readonly reader: LogReader;

  constructor(
    readonly options: MemberOptions,
    private readonly campaign: Campaign,
  ) {
    this.reader = new LogReader(options.log, options.name, campaign);
    campaign.teardown(() => this.kill());
  }

  get name(): string {
    return this.options.name;
  }

  /** Starts it, and waits until it is ready. */
  async start(): Promise<void> {
    const { program, command, config, env, group, heapMiB, log } = this.options;
    const out = openSync(log, 'a');
    const join = group === undefined ? '' : `echo $$ > ${group}/cgroup.procs; `;
    const node = [process.execPath, `--max-old-space-size=${heapMiB}`, `${program}/dist/cli.js`];
    const child = spawn('/bin/sh', ['-c', `${join}exec "$@"`, 'sh', ...node, command, '-f', config], {
      cwd: program,
      env: { ...process.env, NODE_OPTIONS: '', ...env },
      stdio: ['ignore', out, out],
    });
    closeSync(out);
    this.pid = child.pid!;
    this.life++;
    const { pid } = this;
    child.once('exit', (code, signal) => {
      // After a restart the first process ends by itself.
      if (this.settled && this.pid === pid)
        this.campaign.violation('a process ended', `${this.name} by ${signal ?? code}`);
    });
    const ready = await within(START_SECONDS, async () => (await this.get('/readyz')) !== undefined);
    if (!ready) this.campaign.violation('not ready', `${this.name} after ${START_SECONDS} s`);
    this.settled = true;
  }

  /** Ends it at once; what it had in memory only may be lost. */
  async kill(): Promise<void> {
    this.settled = false;
    const from = this.diskFullSince ?? Date.now();
    signal(this.pid, 'SIGKILL');
    await this.gone();
    this.died(from);
  }

  /** One of its processes was killed since `from` (`Date.now`). */
  died(from: number): void {
    this.deaths.push({ from: from - SPILL_WINDOW_MS, to: Date.now() });
    if (this.deaths.length > MOST_DEATHS) this.deaths.shift();
  }

  /** Ends it as a service manager does; nothing may be lost, unless its disk is full. */
  async stop(): Promise<void> {
    this.settled = false;
    const full = this.diskFullSince;
    signal(this.pid, 'SIGTERM');
    if (!(await within(45, () => !this.alive))) {
      this.campaign.violation('does not stop', this.name);
      await this.kill();
    }
    if (full !== undefined) this.died(full);
  }

  signal(name: NodeJS.Signals): void {
    signal(this.pid, name);
  }

  private async gone(): Promise<void> {
    while (this.alive) await pause(20);
  }

  /** Whether its process is there, and no zombie. */
  get alive(): boolean {
    return this.pid > 0 && !['', 'Z', 'X'].includes(stateOf(this.pid));
  }

  /** Whether a report that was acknowledged then may have been in the memory of a process that was killed. */
  mayHaveLost(at: number): boolean {
    return this.deaths.some(({ from, to }) => at >= from && at <= to);
  }

  set diskFull(full: boolean) {
    this.diskFullSince = full ? Date.now() : undefined;
  }

  /** Something is wrong from now on that health may tell; the function returned says that it is put right. */
  trouble(...codes: string[]): (graceSeconds?: number) => void {
    for (const code of codes) {
      const known = this.troubles.get(code) ?? { open: 0, until: 0 };
      this.troubles.set(code, { ...known, open: known.open + 1 });
    }
    return (graceSeconds = 45) => {
      for (const code of codes) {
        const known = this.troubles.get(code)!;
        const until = Math.max(known.until, Date.now() + graceSeconds * 1000);
        this.troubles.set(code, { open: known.open - 1, until });
      }
    };
  }

  /** Whether there is or was a reason for health to say this. */
  explains(code: string): boolean {
    const known = this.troubles.get(code);
    return known !== undefined && (known.open > 0 || known.until > Date.now());
  }

  /** Fails the campaign unless health tells this within `seconds`. */
  async mustTell(code: string, seconds = 30): Promise<void> {
    if (!(await within(seconds, () => this.tells(code))))
      this.campaign.violation('health is silent', `${this.name} does not tell ${code}`);
  }

  /** Fails the campaign unless health no longer tells this within `seconds`. */
  async mustNotTell(code: string, seconds: number): Promise<void> {
    if (!(await within(seconds, async () => (await this.tells(code)) === false)))
      this.campaign.violation('health is stuck', `${this.name} still tells ${code}`);
  }

  private async tells(code: string): Promise<boolean | undefined> {
    const health = await this.get<HealthAnswer>('/v1/health');
    return health?.reasons.some((reason) => reason.code === code);
  }

  /** What its API answers with success, else undefined. */
  async get<T = unknown>(path: string): Promise<T | undefined> {
    const answer = await this.request('GET', path);
    return answer !== undefined && answer.status < 300 ? (answer.body as T) : undefined;
  }

  /** A request to its API; undefined when there is no answer. */
  async request(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; body: unknown } | undefined> {
    try {
      const response = await fetch(`http://127.0.0.1:${this.options.api}${path}`, {
        method,
        signal: AbortSignal.timeout(REQUEST_MS),
        ...(body !== undefined && {
          body: JSON.stringify(body),
          headers: { 'content-type': 'application/json' },
        }),
      });
      const text = await response.text();
      return { status: response.status, body: /^[[{]/.test(text) ? JSON.parse(text) : text };
    } catch {
      return undefined;
    }
  }

  /** Anonymous resident memory in MiB, and open files. */
  usage(): { memory: number; files: number } | undefined {
    try {
      const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
      const memory = Number(/RssAnon:\s+(\d+)/.exec(status)?.[1]) / 1024;
      return { memory, files: readdirSync(`/proc/${this.pid}/fd`).length };
    } catch {
      return undefined;
    }
  }

  /** The last lines of its log. */
  lastWords(): string {
    return this.reader.last.slice(-5).join('\n');
  }
}

function stateOf(pid: number): string {
  try {
    return /^State:\s+(\S)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';
  } catch {
    return '';
  }
}

/** Signals a process, if it is there. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
