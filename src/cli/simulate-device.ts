/** A simulated device at work: its connection, made or awaited, with faults round it and an owner that plays. */

import { MoonwireError, messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import type { Connection, ConnectionHandler } from '../transports/connection.js';
import { type FaultObserver, type FaultOptions, seededRandom, withFaults } from '../transports/faults.js';
import { keepOpen, type RetryOptions } from '../transports/keepopen.js';
import { openSerial, type SerialOptions } from '../transports/serial.js';
import { connectTcp, listenTcp } from '../transports/tcp.js';
import { connectUdp } from '../transports/udp.js';

/** Where the engine is met: a device connects to it, or listens (TCP) for the engine to connect. */
export type Target =
  | { kind: 'tcp' | 'udp' | 'listen'; host: string; port: number }
  | { kind: 'serial'; serial: SerialOptions };

/** What one device is made of. */
export interface DeviceSetup {
  /** For the log. */
  name: string;
  target: Target;
  /** Makes the owner of a connection, which is attached in the same turn. */
  own(connection: Connection): ConnectionHandler;
  faults: FaultOptions;
  seed: number;
  observer: FaultObserver;
  /** Whether a lost connection, or one that cannot be made, is tried again for ever. Who listens always waits on. */
  reconnect: boolean;
}

/** A device at work. */
export interface RunningDevice {
  /** Where a listening device is reached; undefined for one that connects. */
  readonly port: number | undefined;
  /** Resolves when the device has ended its connection itself, with an error when the engine did. Never rejects. */
  readonly done: Promise<Error | undefined>;
  /** Ends the connection, sending what is queued. */
  stop(): Promise<void>;
}

/** An engine that starts again is found again at once. */
const RETRY: RetryOptions = { minSeconds: 0.2, maxSeconds: 2, stableSeconds: 5 };

/** Starts a device. Rejects with a MoonwireError when it cannot connect (unless `reconnect`) or listen. */
export async function startDevice(setup: DeviceSetup, log: Logger): Promise<RunningDevice> {
  const { name, target, own, observer, reconnect } = setup;
  const lossEnds = !reconnect && target.kind !== 'listen';
  const random = seededRandom(setup.seed);
  let finish!: (error?: Error) => void;
  const done = new Promise<Error | undefined>((resolve) => {
    finish = resolve;
  });
  /** Connections that are served here, not by a kept link, and what waits until there is none. */
  const open = new Set<Connection>();
  let whenNoneOpen = (): void => {};

  const dressed = (bare: Connection): Connection => {
    const connection = withFaults(bare, setup.faults, random, {
      ...observer,
      closed(byOwner, error) {
        open.delete(connection);
        if (open.size === 0) whenNoneOpen();
        observer.closed?.(byOwner, error);
        if (byOwner) finish(error);
        else if (lossEnds)
          finish(error ?? new MoonwireError('closed', `${bare.remote} closed the connection`));
      },
    });
    return connection;
  };
  const serve = (bare: Connection): void => {
    const connection = dressed(bare);
    open.add(connection);
    connection.attach(own(connection));
  };
  const endServed = async (): Promise<void> => {
    for (const connection of open) connection.end();
    while (open.size > 0) {
      await new Promise<void>((resolve) => {
        whenNoneOpen = resolve;
      });
    }
  };

  let port: number | undefined;
  let close = async (): Promise<void> => {};
  if (target.kind === 'listen') {
    const listener = await listenTcp(target, serve, log);
    port = listener.port;
    close = () => listener.close();
  } else if (reconnect) {
    const again = async (signal: AbortSignal) => dressed(await connect(target, log, signal));
    const kept = keepOpen(name, again, own, RETRY, log);
    close = () => kept.stop();
    void done.then(close);
  } else {
    serve(
      await connect(target, log).catch((error: unknown) => {
        throw new MoonwireError('not_connected', messageOf(error));
      }),
    );
  }
  const stop = async (): Promise<void> => {
    await Promise.all([close(), endServed()]);
  };
  return { port, done, stop };
}

function connect(target: Target, log: Logger, signal?: AbortSignal): Promise<Connection> {
  switch (target.kind) {
    case 'serial':
      return openSerial(target.serial);
    case 'udp':
      return connectUdp(target, log);
    default:
      return connectTcp({ host: target.host, port: target.port, signal });
  }
}
