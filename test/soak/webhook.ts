/** The sink that everything is delivered to: a webhook that now and then refuses, hangs or breaks off. */

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Campaign } from './campaign.js';
import type { Arrival, Ledger } from './ledger.js';

export type Mood = 'well' | 'refuses' | 'hangs' | 'breaks off' | 'forgets to answer';

export class Webhook {
  mood: Mood = 'well';

  private constructor(
    readonly url: string,
    private readonly ledger: Ledger,
  ) {}

  static async open(campaign: Campaign, ledger: Ledger): Promise<Webhook> {
    const server = createServer((incoming, outgoing) => void webhook.take(incoming, outgoing));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const webhook = new Webhook(`http://127.0.0.1:${(server.address() as AddressInfo).port}/in`, ledger);
    campaign.teardown(() => {
      server.closeAllConnections();
      server.close();
    });
    return webhook;
  }

  private async take(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    try {
      for await (const part of incoming) parts.push(part as Buffer);
    } catch {
      return; // the sender was killed
    }
    const { mood } = this;
    if (mood === 'hangs') return;
    if (mood === 'breaks off') {
      incoming.socket.destroy();
      return;
    }
    if (mood === 'refuses') {
      outgoing.writeHead(503).end();
      return;
    }
    const { reports } = JSON.parse(Buffer.concat(parts).toString()) as { reports: Arrival[] };
    for (const report of reports) this.ledger.arrive(report);
    if (mood === 'forgets to answer') incoming.socket.destroy();
    else outgoing.writeHead(204).end();
  }
}
