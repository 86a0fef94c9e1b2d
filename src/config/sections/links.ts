/** `engine.links[]`: connections the engine opens itself, and keeps open. */

import * as v from 'valibot';
import {
  choice,
  duration,
  flag,
  host,
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
  host: required(host(), 'Host name or address of the device.'),
  port: required(port(1), 'Its port.'),
};

const tcp = section({
  ...remote,
  timeoutSeconds: setting(duration(1, 600), '10s', 'Time a connection may take to open.'),
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

const fields = section({
  ...scriptHost,
  serial: optional(serial, 'A serial line.'),
  tcp: optional(tcp, 'A TCP connection.'),
  udp: optional(section(remote), 'A UDP peer.'),
  limits: setting(linkLimits, {}, 'What the device may take.'),
  bus: optional(bus, 'How requests share the line; needed only where the defaults do not fit.'),
  reconnect: optional(
    reconnect,
    'Waits between attempts to open the link; a serial port waits 0.5 s to 5 s otherwise.',
  ),
});

/** Schema of one link: exactly one of `serial`, `tcp` and `udp`; in the result the name is derived. */
export const link = v.pipe(
  fields,
  // A raw check, unlike a plain one, also runs when other settings of the link are wrong.
  v.rawCheck(({ dataset, addIssue }) => {
    const settings: Partial<Record<string, unknown>> = Object(dataset.value);
    const named = ['serial', 'tcp', 'udp'].filter((target) => settings[target] !== undefined);
    if (named.length !== 1)
      addIssue({ message: `needs exactly one of serial, tcp and udp, has ${named.length}` });
    if (settings.serial !== undefined && Object(settings.bus).baudRate !== undefined)
      addIssue({ message: 'has a serial port, whose baudRate counts: bus.baudRate is for converters' });
  }),
  v.transform(({ serial, tcp, udp, name, ...rest }) => {
    if (serial) {
      const derived = toName(`serial-${serial.port.split('/').at(-1)}`);
      return { ...rest, name: name ?? derived, kind: 'serial' as const, serial };
    }
    if (tcp)
      return { ...rest, name: name ?? toName(`tcp-${tcp.host}-${tcp.port}`), kind: 'tcp' as const, tcp };
    return {
      ...rest,
      name: name ?? toName(`udp-${udp!.host}-${udp!.port}`),
      kind: 'udp' as const,
      udp: udp!,
    };
  }),
);
