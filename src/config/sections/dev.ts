/** `dev`: what only `moonwire dev` does; the other commands read past it. */

import * as v from 'valibot';
import { duration, list, name, optional, path, section, setting } from '../values.js';
import { scriptHost } from './script-host.js';

const fields = section({
  name: optional(name(), 'Name in the log; that of the server or link by default.'),
  server: optional(name(), 'Server of this file that the device connects to.'),
  link: optional(name(), 'Link of this file, serial or tcp, whose device is replaced by the simulated one.'),
  capture: optional(path(), 'File of captured frames that the device sends for ever, a line of hex each.'),
  script: optional(path(), 'Lua entry script that plays the device.'),
  every: setting(duration(0.01, 86_400), '1s', 'Time from one captured frame to the next.'),
  options: scriptHost.options,
});

const device = v.pipe(
  fields,
  // A raw check also runs when other settings of the device are wrong.
  v.rawCheck(({ dataset, addIssue }) => {
    const settings: Partial<Record<string, unknown>> = Object(dataset.value);
    for (const pair of [
      ['server', 'link'],
      ['capture', 'script'],
    ] as const) {
      const named = pair.filter((key) => settings[key] !== undefined);
      if (named.length !== 1)
        addIssue({ message: `needs exactly one of ${pair.join(' and ')}, has ${named.length}` });
    }
  }),
  v.transform(({ name, ...rest }) => ({ ...rest, name: name ?? rest.server ?? rest.link ?? '' })),
);

/** Schema of `dev`. */
export const dev = section({
  simulate: setting(list(device, 64), [], 'Simulated devices, for trying a configuration without hardware.'),
});
