/** `engine.links[]`: connections the engine opens itself, and keeps open. */

import * as v from 'valibot';
import {
  choice,
  duration,
  flag,
  hosts,
  numberOf,
  optional,
  path,
  port,
  required,
  section,
  setting,
  toName,
  wholeNumber,
} from '../values.js';
import { bus } from './bus.js';
import { linkLimits } from './limits.js';
import { mqttLink } from './link-mqtt.js';
import { webSocketLink } from './link-websocket.js';
import { connecting, MAX_ADDRESSES } from './remote.js';
import { scriptHost } from './script-host.js';
import { clientTls } from './tls.js';

const serialFields = section({
  port: required(
    path(),
    'Device path, best one of /dev/serial/by-id; or usb:VENDOR:PRODUCT[:SERIAL]; or a name the board gives (rs485-1).',
  ),
  baudRate: setting(wholeNumber(50, 4_000_000), 9600, 'Bits a second.'),
  dataBits: setting(numberOf([5, 6, 7, 8]), 8, 'Data bits of a character.'),
  parity: setting(choice(['none', 'even', 'odd']), 'none', 'Parity bit of a character.'),
  stopBits: setting(numberOf([1, 2]), 1, 'Stop bits of a character.'),
  rtscts: setting(flag(), false, 'Hardware flow control.'),
  xonxoff: setting(flag(), false, 'Software flow control, both ways; not for binary protocols.'),
  rts: optional(flag(), 'Level of RTS once the port is open. Default on, as the system sets it.'),
  dtr: optional(flag(), 'Level of DTR once the port is open. Default on, as the system sets it.'),
});

const serial = v.pipe(
  serialFields,
  v.check(
    ({ rtscts, rts }) => !rtscts || rts === undefined,
    'needs rts or rtscts, not both: flow control moves RTS',
  ),
);

const remote = {
  host: required(hosts(MAX_ADDRESSES), 'Host name or address of the device; a list is tried in turn.'),
  port: required(port(1), 'Its port.'),
};

const tcp = section({
  ...remote,
  ...connecting,
  tls: optional(clientTls, 'Adds TLS.'),
});

const reconnectFields = section({
  minSeconds: setting(duration(0.05, 3600), '1s', 'First wait before a lost link is opened again.'),
  maxSeconds: setting(duration(0.05, 86_400), '60s', 'Longest wait; the wait doubles until then.'),
});

const reconnect = v.pipe(
  reconnectFields,
  v.check(
    ({ minSeconds, maxSeconds }) => minSeconds <= maxSeconds,
    'needs minSeconds to be at most maxSeconds',
  ),
);

const poll = section({
  everySeconds: required(
    duration(0.1, 86_400),
    'Time between calls of on_poll; the first comes at a random moment within it, so that links do not poll in step.',
  ),
  toleranceSeconds: setting(
    duration(0, 86_400),
    0,
    'A link on which nothing came for everySeconds and so much longer is closed and opened again; 0 never.',
  ),
});

const KINDS = ['serial', 'tcp', 'udp', 'websocket', 'mqtt'] as const;
const KINDS_TEXT = 'serial, tcp, udp, websocket and mqtt';

const fields = section({
  ...scriptHost,
  serial: optional(serial, 'A serial line.'),
  tcp: optional(tcp, 'A TCP connection.'),
  udp: optional(section(remote), 'A UDP peer.'),
  websocket: optional(webSocketLink, 'A WebSocket.'),
  mqtt: optional(mqttLink, 'An MQTT broker.'),
  limits: setting(linkLimits, {}, 'What the device may take.'),
  bus: optional(bus, 'How requests share the line; needed only where the defaults do not fit.'),
  poll: optional(poll, 'Calls on_poll again and again while the link is open.'),
  reconnect: optional(
    reconnect,
    'Waits between attempts to open the link; a serial port waits 0.5 s to 5 s otherwise.',
  ),
});

/** Schema of one link: exactly one kind; in the result the name is derived. */
export const link = v.pipe(
  fields,
  // A raw check, unlike a plain one, also runs when other settings of the link are wrong.
  v.rawCheck(({ dataset, addIssue }) => {
    const settings: Partial<Record<string, unknown>> = Object(dataset.value);
    const named = KINDS.filter((kind) => settings[kind] !== undefined);
    if (named.length !== 1) addIssue({ message: `needs exactly one of ${KINDS_TEXT}, has ${named.length}` });
    if (settings.mqtt !== undefined && settings.bus !== undefined)
      addIssue({ message: 'has no bus: nothing is asked of a broker in turn' });
    if (settings.mqtt !== undefined && settings.poll !== undefined)
      addIssue({ message: 'has mqtt.keepAlive, not poll' });
    if (settings.serial !== undefined && Object(settings.bus).baudRate !== undefined)
      addIssue({ message: 'has a serial port, whose baudRate counts: bus.baudRate is for converters' });
  }),
  v.transform(({ serial, tcp, udp, websocket, mqtt, name, ...rest }) => {
    const common = <const K extends string>(kind: K, where: string) => ({
      ...rest,
      name: name ?? toName(`${kind}-${where}`),
      kind,
    });
    if (serial) return { ...common('serial', serial.port.split('/').at(-1)!), serial };
    if (tcp) return { ...common('tcp', `${tcp.host[0]}-${tcp.port}`), tcp };
    if (websocket) return { ...common('websocket', new URL(websocket.url[0]!).host), websocket };
    if (mqtt) return { ...common('mqtt', new URL(mqtt.url[0]!).host), mqtt };
    return { ...common('udp', `${udp!.host[0]}-${udp!.port}`), udp: udp! };
  }),
);
