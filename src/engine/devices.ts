/** Which devices may be attached to a client. */

import { Failure } from '../errors.js';
import type { Client } from './client.js';

/** Most devices behind one client. */
const MAX_DEVICES = 10_000;
const MAX_DEVICE_ID = 256;

/** Why a device of that id cannot be attached: `invalid_argument`, `too_large`; undefined when it can. */
export function checkAttach({ devices }: Client, id: string): Failure | undefined {
  if (id.length === 0 || Buffer.byteLength(id) > MAX_DEVICE_ID)
    return new Failure(`invalid_argument: a device id has 1 to ${MAX_DEVICE_ID} bytes`);
  if ((devices?.length ?? 0) >= MAX_DEVICES)
    return new Failure(`too_large: more than ${MAX_DEVICES} devices behind one client`);
  return undefined;
}
