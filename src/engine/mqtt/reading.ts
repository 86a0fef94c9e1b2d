/** Frames to packets. */

import type { Packet } from 'mqtt-packet';
import type { MqttPackets, MqttVersion } from '../../codecs/mqtt_packets.js';
import { MoonwireError } from '../../errors.js';

/** The packet of a frame. Throws MoonwireError `decode_error` for what is none, or has text that is not UTF-8. */
export function readPacket(packets: MqttPackets, frame: Uint8Array, version: MqttVersion): Packet {
  const packet = packets.parse(frame, version);
  checkText(packet, frame);
  return packet;
}

/**
 * Text is UTF-8 (1.5.4), which mqtt-packet does not check: what is not comes as U+FFFD, whose own bytes are not in
 * the packet then.
 */
function checkText(packet: Packet, frame: Uint8Array): void {
  const texts: (string | undefined)[] = [];
  if (packet.cmd === 'publish') texts.push(packet.topic);
  else if (packet.cmd === 'connect') texts.push(packet.clientId, packet.username, packet.will?.topic);
  else if (packet.cmd === 'subscribe') texts.push(...packet.subscriptions.map(({ topic }) => topic));
  else if (packet.cmd === 'unsubscribe') texts.push(...packet.unsubscriptions);
  for (const text of texts) {
    if (!text?.includes('\ufffd')) continue;
    if (!Buffer.from(frame.buffer, frame.byteOffset, frame.length).includes(text))
      throw new MoonwireError('decode_error', 'MQTT: text is not UTF-8');
  }
}
