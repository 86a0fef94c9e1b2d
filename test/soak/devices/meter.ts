/** A Modbus RTU meter on a serial line, which counts how often it was read. */

import { once } from 'node:events';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { rtu } from '../../support/modbus-line.js';
import type { PtyPair } from '../../support/pty.js';
import { type Campaign, pause } from '../campaign.js';
import type { Account } from '../ledger.js';

const REQUEST_BYTES = 8;

/** Lives until the campaign is over, through any number of unplugged cables. */
export async function liveMeter(campaign: Campaign, line: PtyPair, account: Account): Promise<void> {
  while (!campaign.over) {
    let port: FileHandle | undefined;
    try {
      port = await open(line.b, constants.O_RDWR | constants.O_NOCTTY);
      await serve(port, campaign, account);
    } catch {
      await pause(200);
    } finally {
      await port?.close().catch(() => {});
    }
  }
}

async function serve(port: FileHandle, campaign: Campaign, account: Account): Promise<void> {
  const stream = port.createReadStream({ highWaterMark: 256, autoClose: false });
  campaign.teardown(() => stream.destroy());
  let held = Buffer.alloc(0);
  stream.on('data', (chunk) => {
    held = Buffer.concat([held, chunk as Buffer]);
    for (; held.length >= REQUEST_BYTES; held = held.subarray(REQUEST_BYTES)) {
      const n = account.next();
      const registers = Buffer.alloc(4);
      registers.writeUInt32BE(n);
      port.write(rtu(1, 3, 4, ...registers)).catch(() => stream.destroy());
    }
  });
  await once(stream, 'close');
}
