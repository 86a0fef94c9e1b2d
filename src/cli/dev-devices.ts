/**
 * The simulated devices of `dev.simulate`. Those at the end of a link stand there before the engine starts, and
 * its configuration is changed to find them; those that connect to a server come after it.
 */

import type { Config, LinkConfig, SimulatedDevice } from '../config/schema.js';
import type { Engine } from '../engine/engine.js';
import { messageOf } from '../errors.js';
import { type Logger, silentLogger } from '../log.js';
import { engineOptions } from '../main.js';
import type { Connection, ConnectionHandler } from '../transports/connection.js';
import { type FaultObserver, NO_FAULTS } from '../transports/faults.js';
import { readCapture } from './hex-lines.js';
import { openSerialLine } from './serial-line.js';
import { type Capture, CapturePlayer } from './simulate-capture.js';
import { startDevice, type Target } from './simulate-device.js';
import { ScriptPlayer } from './simulate-script.js';

const LOOPBACK = '127.0.0.1';

export class DevDevices {
  /** The configuration the engine is to run with. */
  config: Config;
  /** How to stop what runs. */
  private readonly stops: (() => Promise<void>)[] = [];
  private readonly players: ScriptPlayer[] = [];

  private constructor(
    config: Config,
    private readonly log: Logger,
  ) {
    this.config = config;
  }

  /** Puts the devices at the ends of links. Throws with nothing left running. */
  static async prepare(config: Config, log: Logger): Promise<DevDevices> {
    const devices = new DevDevices(config, log);
    try {
      for (const device of config.dev.simulate) if (device.link !== undefined) await devices.standIn(device);
    } catch (error) {
      await devices.stop();
      throw error;
    }
    return devices;
  }

  /** Lets the devices that connect to servers of a running engine do so; they come back whenever they are lost. */
  async connectTo(engine: Engine): Promise<void> {
    for (const device of this.config.dev.simulate) {
      const server = engine.servers.find(({ config }) => config.name === device.server);
      if (!server?.listener) continue;
      const { bind, transport } = server.config;
      const host = bind === '0.0.0.0' || bind === '::' ? LOOPBACK : bind;
      const kind = transport === 'udp' ? 'udp' : 'tcp';
      await this.start(device, { kind, host, port: server.listener.port });
    }
  }

  /** Lets saved scripts of devices take over. */
  async reload(): Promise<void> {
    for (const player of this.players) await player.reload();
  }

  /** Ends all devices and their lines; together with the engine, so that neither misses the other. */
  async stop(): Promise<void> {
    await Promise.all(this.stops.splice(0).map((stop) => stop()));
  }

  private async standIn(device: SimulatedDevice): Promise<void> {
    const port = await this.start(device, { kind: 'listen', host: LOOPBACK, port: 0 });
    const links = await Promise.all(
      this.config.engine.links.map((link) => (link.name === device.link ? this.reach(link, port!) : link)),
    );
    this.config = { ...this.config, engine: { ...this.config.engine, links } };
  }

  /** The link as it reaches the device at a TCP port: over a serial line where that can be had. */
  private async reach(link: LinkConfig, port: number): Promise<LinkConfig> {
    if (link.kind === 'serial') {
      const line = await openSerialLine(port);
      if (line) {
        this.stops.push(line.close);
        this.log.info(`link ${link.name}: ${line.path} stands in for ${link.serial.port}`);
        return { ...link, serial: { ...link.serial, port: line.path } };
      }
      this.log.warn(
        `link ${link.name}: TCP port ${port} stands in for ${link.serial.port}, ` +
          'since a serial line needs socat (apt-get install socat)',
      );
    }
    const { entry, name, options, limits, reconnect, byteCodeExpires } = link;
    const tcp = { host: [LOOPBACK], port, timeoutSeconds: 10, keepAliveSeconds: 60, tls: undefined };
    return { entry, name, options, limits, reconnect, byteCodeExpires, kind: 'tcp', tcp };
  }

  /** Starts a device; returns its port when it listens. */
  private async start(device: SimulatedDevice, target: Target): Promise<number | undefined> {
    const log = this.log.child({ at: `device ${device.name}` });
    const own = await this.player(device, log);
    const observer: FaultObserver = {
      sent: (bytes) => log.debug('sends', { hex: bytes }),
      received: (bytes) => log.debug('receives', { hex: bytes }),
    };
    const setup = { name: device.name, target, own, faults: NO_FAULTS, seed: 0, observer };
    const running = await startDevice({ ...setup, reconnect: true }, log);
    this.stops.push(running.stop);
    return running.port;
  }

  private async player(
    device: SimulatedDevice,
    log: Logger,
  ): Promise<(connection: Connection) => ConnectionHandler> {
    if (device.script === undefined) {
      const capture = captureOf(device);
      return (connection) => new CapturePlayer(connection, capture);
    }
    const player = scriptOf(device, this.config, log);
    await player.load();
    this.players.push(player);
    this.stops.push(() => player.stop());
    return (connection) => player.own(connection);
  }
}

/** What is wrong with the scripts and captures of simulated devices. */
export function checkDevices(config: Config): string[] {
  return config.dev.simulate.flatMap((device) => {
    try {
      if (device.script === undefined) captureOf(device);
      else scriptOf(device, config, silentLogger).check();
      return [];
    } catch (error) {
      return [`${device.name}: ${messageOf(error)}`];
    }
  });
}

function captureOf({ capture, every }: SimulatedDevice): Capture {
  const frames = readCapture(capture!);
  return { frames, everySeconds: every, repeat: Number.POSITIVE_INFINITY, waitSeconds: 0 };
}

function scriptOf({ name, script, options }: SimulatedDevice, config: Config, log: Logger): ScriptPlayer {
  return new ScriptPlayer({ name, entry: script!, options, roots: engineOptions(config).script.roots }, log);
}
