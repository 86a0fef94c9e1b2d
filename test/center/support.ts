/** A centre and engines that join it, in one process. */

import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { Test } from 'tap';
import { Center, type CenterOptions } from '../../src/center/center.js';
import type { RegistryAddress } from '../../src/config/address.js';
import { type LogFields, type Logger, silentLogger } from '../../src/log.js';
import { type KeyValue, MemoryKeyValue } from '../../src/store/keyvalue.js';
import type { Attachment, Peer, WelcomeMessage } from '../../src/uplink/messages.js';
import { Registration, type RegistrationOptions } from '../../src/uplink/registration.js';
import { Uplink, type UplinkOptions } from '../../src/uplink/uplink.js';
import { until } from '../uplink/support.js';

/** What an engine keeps, without a store. */
export interface TestIdentity {
  readonly publicKey: Uint8Array;
  readonly privateKey: KeyObject;
  node: number;
  setNode(node: number): Promise<void>;
}

export function newIdentity(node = 0): TestIdentity {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return {
    publicKey: Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url'),
    privateKey,
    node,
    async setNode(leased) {
      this.node = leased;
    },
  };
}

/** Keeps every line. */
export function recordingLogger(lines: { message: string; fields: LogFields | undefined }[]): Logger {
  const note = (message: string, fields?: LogFields): void => {
    lines.push({ message, fields });
  };
  return { ...silentLogger, info: note, warn: note, error: note };
}

/** An open centre on a free port, stopped with the test. */
export async function openCenter(
  t: Test,
  options: Partial<CenterOptions> = {},
  values: KeyValue = new MemoryKeyValue(),
  log: Logger = silentLogger,
): Promise<Center> {
  const center = new Center({ registry: { port: 0, bind: '127.0.0.1' }, ...options }, { log, values });
  await center.start();
  t.teardown(() => center.stop());
  return center;
}

export function addressOf(center: Center, scheme: RegistryAddress['scheme'] = 'tcp'): RegistryAddress {
  return { scheme, host: '127.0.0.1', port: center.listener!.port, path: '/' };
}

/** An engine as far as the centre sees it. */
export class TestEngine {
  readonly clients = new Set<number>();
  readonly channels = new Set<string>();
  readonly devices = new Map<string, number>();
  readonly ups: WelcomeMessage[] = [];
  readonly downs: string[] = [];
  peers: readonly Peer[] = [];
  readonly log: { message: string; fields: LogFields | undefined }[] = [];
  readonly registration: Registration;
  readonly uplink: Uplink;
  onUp = (): void => {};

  constructor(
    t: Test,
    addresses: readonly RegistryAddress[],
    options: Partial<UplinkOptions> & { registration?: RegistrationOptions } = {},
    readonly identity: TestIdentity = newIdentity(),
  ) {
    this.registration = new Registration(
      {
        servers: () => [{ name: 'trackers', protocol: 'socket', transport: 'tcp', port: 6790 }],
        labels: () => ({ site: 'north' }),
        stats: () => ({ clients: this.clients.size, messages: 7, memory: 1 }),
        clients: () => this.clients,
        channels: () => this.channels,
        devices: () => this.devices as Iterable<Attachment>,
      },
      { gatherMs: 5, ...options.registration },
    );
    this.uplink = new Uplink(
      {
        addresses,
        name: 'barn-1',
        version: '0.1.0',
        labels: { site: 'north' },
        heartbeat: { interval: 10, tolerance: 15 },
        retry: { minSeconds: 0.02, maxSeconds: 0.1, stableSeconds: 5 },
        refusedSeconds: 0.05,
        ...options,
      },
      {
        log: recordingLogger(this.log),
        identity: this.identity,
        registration: this.registration,
        owner: {
          up: (welcome) => {
            this.ups.push(welcome);
            this.onUp();
          },
          down: (reason) => this.downs.push(reason),
          peers: (list) => {
            this.peers = list;
          },
        },
      },
    );
    t.teardown(() => this.uplink.stop());
    this.uplink.start();
  }

  /** Resolves when it has joined `times` times. */
  async joined(times = 1): Promise<this> {
    await until(() => this.ups.length >= times, `joined ${times} times`);
    return this;
  }

  /** Connects a client, as an engine would tell it. */
  connect(id: number): void {
    this.clients.add(id);
    this.registration.clientOpened(id);
  }

  disconnect(id: number): void {
    this.clients.delete(id);
    this.registration.clientClosed(id);
  }

  subscribe(name: string): void {
    this.channels.add(name);
    this.registration.channelOpened(name);
  }

  unsubscribe(name: string): void {
    this.channels.delete(name);
    this.registration.channelClosed(name);
  }

  attach(device: string, client: number): void {
    this.devices.set(device, client);
    this.registration.deviceAttached(device, client);
  }

  detach(device: string): void {
    this.devices.delete(device);
    this.registration.deviceDetached(device);
  }
}
