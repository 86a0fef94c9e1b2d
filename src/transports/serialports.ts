/**
 * The serial ports of this machine, read from sysfs and from the links udev makes. No program is run, so it works
 * on systems without udevadm; where there is no sysfs there are no ports.
 */

import { readdir, readFile, readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { MoonwireError } from '../errors.js';

/** What a USB device says of itself. */
export interface UsbIdentity {
  /** Vendor number: four hex digits in lower case. */
  readonly vendor: string;
  /** Product number: four hex digits in lower case. */
  readonly product: string;
  /** Serial number; many cheap adapters have none. */
  readonly serial: string | undefined;
  /** Maker and name, as text for people. */
  readonly title: string | undefined;
}

/** A serial port with hardware behind it. */
export interface SerialPortInfo {
  /** Device path such as /dev/ttyUSB0; its number may change when the device is plugged in again. */
  readonly path: string;
  /** The kernel driver, such as ftdi_sio. */
  readonly driver: string | undefined;
  /** The USB device it belongs to. */
  readonly usb: UsbIdentity | undefined;
  /** Name of its node in the device tree, such as serial@7e201000: tells which UART of a board it is. */
  readonly node: string | undefined;
  /** Links under /dev/serial/by-id: the same for a device wherever it is plugged in. */
  readonly byId: readonly string[];
  /** Links under /dev/serial/by-path: the same for a socket, whatever is plugged in. */
  readonly byPath: readonly string[];
  /** Other links in /dev, such as /dev/serial0. */
  readonly aliases: readonly string[];
}

/** Longest way up in sysfs from a port to its USB device or device-tree node. */
const MAX_PARENTS = 6;
/** More ports than any machine has; the rest of a hostile or broken sysfs is left out. */
const MAX_PORTS = 1024;

/**
 * All serial ports with hardware behind them, in the order of their names.
 * @param root folder in which /sys and /dev are; tests put their own tree there
 */
export async function listSerialPorts(root = '/'): Promise<SerialPortInfo[]> {
  const folder = join(root, 'sys/class/tty');
  const names = (await entries(folder)).slice(0, MAX_PORTS);
  const [byId, byPath, aliases] = await Promise.all([
    linksIn(root, '/dev/serial/by-id'),
    linksIn(root, '/dev/serial/by-path'),
    linksIn(root, '/dev'),
  ]);
  const ports = await Promise.all(
    names.map(async (name): Promise<SerialPortInfo | undefined> => {
      const device = await realpath(join(folder, name, 'device')).catch(() => undefined);
      // A virtual terminal has no device; a UART of type 0 is a number the 8250 driver keeps free.
      if (device === undefined || (await text(join(folder, name, 'type'))) === '0') return undefined;
      const usb = await usbOf(device);
      return {
        path: `/dev/${name}`,
        driver: await driverOf(device),
        usb,
        // Above a USB device there is the node of the USB controller, which says nothing of the port.
        node: usb ? undefined : await nodeOf(device),
        byId: byId.get(name) ?? [],
        byPath: byPath.get(name) ?? [],
        aliases: aliases.get(name) ?? [],
      };
    }),
  );
  const collator = new Intl.Collator('en', { numeric: true });
  return ports.filter((port) => port !== undefined).sort((a, b) => collator.compare(a.path, b.path));
}

const USB_PORT = /^usb:([0-9a-f]{4}):([0-9a-f]{4})(?::(.{1,126}))?$/i;

/**
 * The device path of a port given by its USB ids, `usb:VENDOR:PRODUCT[:SERIAL]` with hex numbers; any other `port`
 * is returned as it is. Rejects with `invalid_argument` (not of that form), `not_found`, `conflict` (several fit).
 */
export async function locateSerialPort(port: string, root = '/'): Promise<string> {
  if (!port.startsWith('usb:')) return port;
  const match = USB_PORT.exec(port);
  if (!match) {
    const form = 'usb:VENDOR:PRODUCT or usb:VENDOR:PRODUCT:SERIAL with four hex digits each';
    throw new MoonwireError('invalid_argument', `${port} is not of the form ${form}`, port);
  }
  const [vendor, product, serial] = [match[1]!.toLowerCase(), match[2]!.toLowerCase(), match[3]];
  const fitting = (await listSerialPorts(root)).filter(
    ({ usb }) =>
      usb?.vendor === vendor && usb.product === product && (serial === undefined || usb.serial === serial),
  );
  if (fitting.length === 1) return fitting[0]!.path;
  if (fitting.length === 0) {
    throw new MoonwireError('not_found', `${port} is not there: unplugged, or other numbers`, port);
  }
  const ports = fitting.map(({ path, usb }) => `${path} (serial number ${usb?.serial ?? 'none'})`).join(', ');
  const advice = serial === undefined ? 'add the serial number, or name' : 'name';
  throw new MoonwireError(
    'conflict',
    `${port} fits several ports: ${ports}; ${advice} one of /dev/serial/by-path`,
    port,
  );
}

/** The driver; that of the UART, not of the port and controller devices newer kernels put below it. */
async function driverOf(device: string): Promise<string | undefined> {
  for (const folder of parents(device)) {
    const driver = await linkName(join(folder, 'driver'));
    if (driver !== undefined && driver !== 'port' && driver !== 'ctrl') return driver;
  }
  return undefined;
}

/** The USB device a sysfs device belongs to. */
async function usbOf(device: string): Promise<UsbIdentity | undefined> {
  for (const folder of parents(device)) {
    const vendor = await text(join(folder, 'idVendor'));
    const product = await text(join(folder, 'idProduct'));
    if (!vendor || !product) continue;
    const [serial, maker, name] = await Promise.all(
      ['serial', 'manufacturer', 'product'].map((file) => text(join(folder, file))),
    );
    const title = [maker, name].filter(Boolean).join(' ');
    return {
      vendor: vendor.toLowerCase(),
      product: product.toLowerCase(),
      serial: serial || undefined,
      title: title || undefined,
    };
  }
  return undefined;
}

/** The name of the nearest device-tree node: newer kernels put a port device or two below the UART's own. */
async function nodeOf(device: string): Promise<string | undefined> {
  for (const folder of parents(device)) {
    const node = await linkName(join(folder, 'of_node'));
    if (node !== undefined) return node;
  }
  return undefined;
}

function parents(device: string): string[] {
  const folders: string[] = [];
  for (let at = device; folders.length < MAX_PARENTS && at !== dirname(at); at = dirname(at))
    folders.push(at);
  return folders;
}

/** The links of a folder by the name of the device they lead to. */
async function linksIn(root: string, folder: string): Promise<Map<string, string[]>> {
  const links = new Map<string, string[]>();
  for (const name of (await entries(join(root, folder))).sort()) {
    const target = await linkName(join(root, folder, name));
    if (target === undefined) continue;
    links.set(target, [...(links.get(target) ?? []), `${folder}/${name}`]);
  }
  return links;
}

async function entries(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

/** The last part of what a link points to; undefined for what is not a link. */
async function linkName(path: string): Promise<string | undefined> {
  return readlink(path).then(basename, () => undefined);
}

async function text(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').then(
    (content) => content.trim(),
    () => undefined,
  );
}
