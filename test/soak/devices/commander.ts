/** Gives commands to a device, and holds what became of them against what the device was told. */

import type { CommandInfo } from '../../../src/api/command-shapes.js';
import { type Campaign, pause, within } from '../campaign.js';
import type { Member } from '../member.js';

const BURST = 3;
/** An engine that is away for a minute is given up; then there are the centre's restarts. */
const END_SECONDS = 240;
/** Longer than clocks jump. */
const TTL_SECONDS = 7 * 86_400;
const ENDED = ['done', 'failed', 'unknown', 'expired', 'cancelled'];
/** The first ids that a device was told are forgotten. */
const MOST_TOLD = 1000;

export class Commander {
  /** Ids as the device was told them, the latest last. */
  private readonly told: string[] = [];
  /** Commands are under way. */
  busy = false;
  private count = 0;

  constructor(
    private readonly campaign: Campaign,
    private readonly center: Member,
    private readonly device: string,
  ) {}

  /** For the device. */
  readonly tell = (command: string): void => {
    this.told.push(command);
    if (this.told.length > MOST_TOLD) this.told.shift();
  };

  async live(): Promise<void> {
    const { campaign } = this;
    while (!campaign.over) {
      await pause(1000 + campaign.random.below(3000));
      if (!campaign.commanding) continue;
      this.busy = true;
      const burst: { id: string; idempotent: boolean }[] = [];
      for (let i = campaign.random.below(BURST); i >= 0; i--) {
        const idempotent = campaign.random.below(4) === 0;
        burst.push({ id: await this.insist(idempotent), idempotent });
      }
      for (const { id, idempotent } of burst) await this.judge(id, idempotent);
      this.inOrder(burst.map(({ id }) => id));
      this.busy = false;
    }
  }

  /** Gives one until the centre says that it has it, whatever happens meanwhile. */
  private async insist(idempotent: boolean): Promise<string> {
    const key = `${this.device}-${++this.count}`;
    const body = { name: 'turn', ttl: TTL_SECONDS, idempotencyKey: key, idempotent };
    for (; !this.campaign.over; await pause(200)) {
      const answer = await this.center.request('POST', `/v1/devices/${this.device}/commands`, body);
      if (answer?.status === 202) return (answer.body as CommandInfo).id;
      const expected = answer === undefined || answer.status === 503;
      if (!expected) this.campaign.violation('a command is refused', `${key}: ${JSON.stringify(answer)}`);
    }
    return '';
  }

  private async judge(id: string, idempotent: boolean): Promise<void> {
    const { campaign } = this;
    let state: string | undefined;
    const ended = await within(END_SECONDS, async () => {
      state = (await this.center.get<CommandInfo>(`/v1/commands/${id}`))?.state ?? state;
      return campaign.over || ENDED.includes(state ?? '');
    });
    if (campaign.over) return;
    const times = this.told.filter((told) => told === id).length;
    const what = `${id} for ${this.device} is ${state}, told ${times} times`;
    campaign.count(`commands ${state}`);
    if (!ended) campaign.violation('a command has no end', what);
    else if (!idempotent && times > 1) campaign.violation('a command was done twice', what);
    else if (state === 'done' && times === 0) campaign.violation('a command was not told', what);
    else if (state === 'expired' || state === 'cancelled') campaign.violation('nobody did that', what);
    else if (idempotent && state === 'unknown') campaign.violation('an idempotent command is unknown', what);
  }

  private inOrder(ids: readonly string[]): void {
    const places = ids.map((id) => this.told.indexOf(id)).filter((place) => place >= 0);
    if (places.some((place, i) => i > 0 && place < places[i - 1]!))
      this.campaign.violation('order of commands', `${this.device}: ${ids} told as ${this.told.slice(-10)}`);
  }
}
