/** Who lives in the installation: devices of every protocol at both engines. */

import { readFileSync } from 'node:fs';
import type { Campaign } from '../campaign.js';
import type { Account, Ledger } from '../ledger.js';
import type { EnginePlace, Site } from '../site.js';
import { CoapSpeech } from './coap.js';
import { Commander } from './commander.js';
import { Device, type Dial } from './device.js';
import { liveHostile } from './hostile.js';
import { LineSpeech, MessageSpeech } from './lines.js';
import { liveMeter } from './meter.js';
import { MqttSpeech } from './mqtt.js';
import type { Speech } from './speech.js';
import { Gt06Speech, Jt808Speech } from './trackers.js';
import { tcp, tls, udp, webSocket } from './wires.js';

export interface Population {
  readonly commanders: readonly Commander[];
  /** Those of meters, which are asked and get no answer. */
  readonly meters: readonly Account[];
  /** Ends with the campaign. */
  readonly ended: Promise<unknown>;
}

export function settle(campaign: Campaign, site: Site, ledger: Ledger): Population {
  const lives: Promise<void>[] = [liveHostile(campaign, site)];
  const commanders: Commander[] = [];
  const meters: Account[] = [];
  const ca = readFileSync(site.certificates.ca);

  for (const [at, place] of site.engines.entries()) {
    const { ports, member, line } = place;
    const live = (account: Account, dial: Dial, everyMs: number, speech: () => Speech): void => {
      lives.push(new Device(campaign, { account, dial, everyMs, speech }).live());
    };
    const both = (
      name: string,
      dial: Dial,
      everyMs: number,
      speech: (id: string, kind: string) => Speech,
    ): void => {
      for (const kind of ['eco', 'durable'] as const) {
        for (const number of [1, 2]) {
          const id = `${member.name}-${name}-${kind}-${number}`;
          live(ledger.open(id, kind, member), dial, everyMs, () => speech(id, kind));
        }
      }
    };
    both('tls', tls(ports.tls, ca), 400, (id, kind) => new LineSpeech(id, kind));
    both('udp', udp(ports.datagrams), 200, (id, kind) => new MessageSpeech(id, kind));
    both('ws', webSocket(ports.websocket), 300, (id, kind) => new MessageSpeech(id, kind));
    both('mqtt', tcp(ports.mqtt), 300, (id, kind) => new MqttSpeech(id, kind, at === 0 ? 4 : 5));
    both('coap', udp(ports.coap), 300, (id, kind) => new CoapSpeech(id, kind));
    commandedLines(campaign, site, place, ledger, live, commanders);
    trackers(at, place, ledger, live);
    if (line) {
      const account = ledger.open(`${member.name}-meter`, 'durable', member);
      meters.push(account);
      lives.push(liveMeter(campaign, line, account));
    }
  }
  lives.push(...commanders.map((commander) => commander.live()));
  return { commanders, meters, ended: Promise.all(lives) };
}

type Live = (account: Account, dial: Dial, everyMs: number, speech: () => Speech) => void;

function commandedLines(
  campaign: Campaign,
  site: Site,
  { ports, member }: EnginePlace,
  ledger: Ledger,
  live: Live,
  commanders: Commander[],
): void {
  for (const kind of ['eco', 'durable'] as const) {
    for (const number of [1, 2, 3]) {
      const id = `${member.name}-line-${kind}-${number}`;
      const commander = new Commander(campaign, site.center.member, id);
      commanders.push(commander);
      live(
        ledger.open(id, kind, member),
        tcp(ports.lines),
        100,
        () => new LineSpeech(id, kind, commander.tell),
      );
    }
  }
}

function trackers(at: number, { ports, member }: EnginePlace, ledger: Ledger, live: Live): void {
  for (const number of [1, 2]) {
    const imei = `86012345678${at}${number}12`;
    live(ledger.open(imei, 'durable', member), tcp(ports.gt06), 300, () => new Gt06Speech(imei));
    const terminal = `138001${at}0${number}55`;
    live(
      ledger.open(terminal, 'durable', member),
      tcp(ports.jt808),
      300,
      () => new Jt808Speech(`0${terminal}`),
    );
  }
}
