/** MQTT devices with reports of QoS 1, sent once each: their acknowledgement is the PUBACK. */

import mqttPacket from 'mqtt-packet';
import { type Heard, nothing, type Speech } from './speech.js';

export class MqttSpeech implements Speech {
  private readonly open = new Map<number, number>();
  private readonly parser: mqttPacket.Parser;
  private heard = nothing();
  private id = 0;

  constructor(
    private readonly device: string,
    private readonly kind: string,
    private readonly version: 4 | 5,
  ) {
    this.parser = mqttPacket.parser({ protocolVersion: version });
    this.parser.on('packet', (packet) => this.take(packet));
    this.parser.on('error', () => {});
  }

  hello(): Uint8Array {
    return mqttPacket.generate({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: this.version,
      clientId: this.device,
      clean: true,
      keepalive: 30,
    });
  }

  report(n: number): Uint8Array {
    this.id = (this.id % 0xffff) + 1;
    this.open.set(this.id, n);
    return mqttPacket.generate(
      {
        cmd: 'publish',
        topic: `soak/${this.device}`,
        payload: `${this.kind} ${this.device} ${n}`,
        qos: 1,
        messageId: this.id,
        dup: false,
        retain: false,
      },
      { protocolVersion: this.version },
    );
  }

  hear(bytes: Buffer): Heard {
    this.heard = nothing();
    this.parser.parse(bytes);
    return this.heard;
  }

  private take(packet: mqttPacket.Packet): void {
    if (packet.cmd === 'connack') this.heard.welcome = true;
    if (packet.cmd !== 'puback') return;
    const n = this.open.get(packet.messageId!);
    this.open.delete(packet.messageId!);
    if (n === undefined) return;
    const done = (packet.reasonCode ?? 0) < 0x80;
    (done ? this.heard.taken : this.heard.refused).push(n);
  }
}
