/** Normative statements of the MQTT standards, each with what shows that a server keeps to it. */

import type { IConnectPacket } from 'mqtt-packet';
import type { Test } from 'tap';
import { Device, type TestEngine, until } from './engine.js';
import { RawMqtt } from './mqtt.js';

/** Bytes of a packet in hex; blanks mean nothing. */
export const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

/** Where a statement is looked at: a server of its own names and topics, shared with the others. */
export class Site {
  private readonly clients: RawMqtt[] = [];

  constructor(
    readonly t: Test,
    readonly test: TestEngine,
    readonly version: 4 | 5,
    private readonly number: number,
  ) {}

  /** A topic, or a client id, that no other statement uses. */
  name(name: string): string {
    return `s${this.number}/${name}`;
  }

  /** Connects, by a client id of its own, with a clean session unless told, and reads CONNACK. */
  async connect(packet: Partial<IConnectPacket> = {}) {
    const client = await RawMqtt.connect(this.test.port(), {
      protocolVersion: this.version,
      clientId: this.name(`c${this.clients.length}`),
      ...packet,
    });
    this.clients.push(client);
    return client;
  }

  /** Loses a connection, and waits until the server knows. */
  async lose(client: RawMqtt, clientId: string): Promise<void> {
    client.lose();
    await until(() => this.test.engine.mqtt!.find(clientId)?.client === undefined);
  }

  /** These bytes alone end a connection, which is answered with `answer`, in hex, if with anything. */
  async ends(bytes: string | Buffer, answer = ''): Promise<void> {
    const device = await Device.connect(this.test.port());
    device.send(typeof bytes === 'string' ? hex(bytes) : bytes);
    await until(
      () => device.closed,
      () => `${bytes}: still open, answered ${device.received.toString('hex')}`,
    );
    this.t.equal(device.received.toString('hex'), answer.replaceAll(' ', ''));
  }

  /** These bytes end the connection of a client that has logged in; one of MQTT 5 is told the reason. */
  async endsClient(bytes: string, reason?: number): Promise<void> {
    const client = await this.connect();
    client.socket.write(hex(bytes));
    if (reason !== undefined) this.t.equal((await client.next('disconnect')).reasonCode, reason, bytes);
    await client.end();
    this.t.same(client.packets, [], 'nothing else is answered');
  }

  /** Ends what is left. */
  leave(): void {
    for (const client of this.clients) client.lose();
  }
}

/** By which number the standard names it; what it says, in short; what shows it. */
export type Statement = readonly [ids: string, says: string, show: (site: Site) => Promise<void>];

/** Looks at each statement on one server; after each a client that keeps to the standard is still served. */
export async function verify(
  t: Test,
  test: TestEngine,
  version: 4 | 5,
  statements: readonly Statement[],
): Promise<void> {
  const neighbour = await RawMqtt.connect(test.port(), { clientId: 'neighbour', protocolVersion: version });
  for (const [number, [ids, says, show]] of statements.entries()) {
    await t.test(`[${ids}] ${says}`, async (t) => {
      const site = new Site(t, test, version, number);
      try {
        await show(site);
      } finally {
        site.leave();
      }
      await neighbour.settle();
      t.notOk(neighbour.closed, 'its neighbour is served');
    });
  }
  neighbour.lose();
}
