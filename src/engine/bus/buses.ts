/** The buses of an engine: which link is on which. A client of a server has one for itself. */

import type { LinkConfig } from '../../config/schema.js';
import type { Client } from '../client.js';
import type { Station } from '../station.js';
import { Bus } from './bus.js';
import { Port } from './port.js';
import { busSettings } from './timing.js';

/** The bus a link is on, once it asks for something: that of its own name, unless it names another. */
export function busNameOf({ name, bus }: LinkConfig): string {
  return bus?.name ?? name;
}

export class Buses {
  private readonly byName = new Map<string, Bus>();
  private readonly links = new Map<Station, Port>();

  /** Buses of links by name. */
  get all(): ReadonlyMap<string, Bus> {
    return this.byName;
  }

  /**
   * Joins a link to its bus, which has the settings of the first link that names it; the port is the same for all
   * connections the link ever has.
   */
  join(station: Station, config: LinkConfig): Port {
    const joined = this.links.get(station);
    if (joined) return joined;
    const name = busNameOf(config);
    let bus = this.byName.get(name);
    if (!bus) {
      bus = new Bus(
        name,
        busSettings(config.bus, config.kind === 'serial' ? config.serial.baudRate : undefined),
      );
      this.byName.set(name, bus);
    }
    const port = new Port(bus, station, true);
    bus.ports.add(port);
    this.links.set(station, port);
    return port;
  }

  /** A link has a connection. */
  opened(client: Client): void {
    const port = this.links.get(client.station);
    if (port) client.engage(port);
  }

  /** The port of a client, made with its first request. `config`: of the link it belongs to. */
  portOf(client: Client, config: LinkConfig | undefined): Port {
    if (client.port) return client.port;
    const { station } = client;
    const port = config
      ? this.join(station, config)
      : new Port(new Bus(`${station.settings.name}:${client.id}`, busSettings()), station, false);
    client.engage(port);
    return port;
  }

  /** A link ends for good. */
  leave(station: Station): void {
    const port = this.links.get(station);
    if (!port) return;
    port.bus.remove(port);
    this.links.delete(station);
    if (port.bus.ports.size === 0) this.byName.delete(port.bus.name);
  }
}
