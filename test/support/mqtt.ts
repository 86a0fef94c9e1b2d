/** A client for tests of MQTT servers that sends and reads single packets, sound or not. */

import { connect, type Socket } from 'node:net';
import { generate, type IConnectPacket, type IPublishPacket, type Packet, parser } from 'mqtt-packet';
import { startTestEngine, type TestEngine, until } from './engine.js';

/** An engine with one MQTT server. `server`: more of its settings; `engine`: YAML beside `servers`. */
export function startMqtt(script: string, server = '', engine = ''): Promise<TestEngine> {
  const settings = `{ name: s, port: 0, bind: 127.0.0.1, protocol: mqtt, entry: main.lua${server && `, ${server}`} }`;
  return startTestEngine({ 'main.lua': script }, `${engine}\nservers: [${settings}]`);
}

type Version = 3 | 4 | 5;

export class RawMqtt {
  readonly packets: Packet[] = [];
  closed = false;

  private constructor(
    readonly socket: Socket,
    readonly version: Version,
  ) {
    const reader = parser({ protocolVersion: version });
    reader.on('packet', (packet) => this.packets.push(packet));
    reader.on('error', (error) => this.packets.push(error as Packet));
    socket.on('data', (bytes: Buffer) => reader.parse(bytes));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
    });
  }

  /** Opens a connection, without a packet. */
  static async open(port: number, version: Version = 4): Promise<RawMqtt> {
    const socket = connect({ port, host: '127.0.0.1' });
    const client = new RawMqtt(socket, version);
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return client;
  }

  /** Connects and reads CONNACK, whatever it says. */
  static async connect(
    port: number,
    packet: Partial<IConnectPacket> = {},
  ): Promise<RawMqtt & { connack: Packet & { cmd: 'connack' } }> {
    const version = packet.protocolVersion ?? 4;
    const client = await RawMqtt.open(port, version);
    client.send({
      cmd: 'connect',
      protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
      protocolVersion: version,
      clean: true,
      clientId: '',
      keepalive: 0,
      ...packet,
    });
    return Object.assign(client, { connack: await client.next('connack') });
  }

  send(packet: Packet): void {
    this.socket.write(generate(packet, { protocolVersion: this.version }));
  }

  publish(topic: string, payload: string, more: Partial<IPublishPacket> = {}): void {
    this.send({ cmd: 'publish', topic, payload, qos: 0, retain: false, dup: false, ...more });
  }

  /** Subscribes and reads SUBACK. */
  async subscribe(
    topic: string,
    qos: 0 | 1 | 2 = 0,
    more: object = {},
    properties?: object,
  ): Promise<number> {
    const subscription = { topic, qos, nl: false, rap: false, rh: 0, ...more };
    this.send({
      cmd: 'subscribe',
      messageId: 77,
      subscriptions: [subscription],
      ...(properties && { properties }),
    });
    const { granted } = await this.next('suback');
    return granted[0] as number;
  }

  /** Takes the next packet of that kind out of those received; waits for it. */
  async next<C extends Packet['cmd']>(cmd: C): Promise<Packet & { cmd: C }> {
    await until(
      () => this.packets.some((packet) => packet.cmd === cmd),
      () =>
        `no ${cmd} among ${JSON.stringify(this.packets.map((packet) => packet.cmd))}, closed: ${this.closed}`,
    );
    const at = this.packets.findIndex((packet) => packet.cmd === cmd);
    return this.packets.splice(at, 1)[0] as Packet & { cmd: C };
  }

  /** Makes sure that everything sent before was handled. */
  async settle(): Promise<void> {
    this.send({ cmd: 'pingreq' });
    await this.next('pingresp');
  }

  /** Resolves once the server has closed. */
  async end(): Promise<void> {
    await until(
      () => this.closed,
      () => 'the connection is open',
    );
  }

  /** Ends it without DISCONNECT. */
  lose(): void {
    this.socket.destroy();
  }
}
