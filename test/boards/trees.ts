/** Folders that look like the root of a device: /sys, /dev, /proc and /etc as far as anything here reads them. */

import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import type { Test } from 'tap';

/** A root folder that is filled by the test and removed after it. Paths begin with a slash, as on the device. */
export class Tree {
  readonly root: string;

  constructor(t: Test) {
    // Not t.testdir, of which a test has only one.
    this.root = mkdtempSync(join(tmpdir(), 'moonwire-tree-'));
    t.teardown(() => rmSync(this.root, { recursive: true, force: true }));
  }

  file(path: string, content = '', mode = 0o644): this {
    const at = this.at(path);
    mkdirSync(dirname(at), { recursive: true });
    writeFileSync(at, content);
    chmodSync(at, mode);
    return this;
  }

  /** Removes a file or link, with the links that lead to it by its name. */
  remove(path: string): this {
    rmSync(this.at(path));
    const name = basename(path);
    for (const folder of ['by-id', 'by-path'].map((kind) => this.at(`/dev/serial/${kind}`))) {
      for (const link of readdirSync(folder)) {
        if (basename(readlinkSync(join(folder, link))) === name) rmSync(join(folder, link));
      }
    }
    return this;
  }

  mode(path: string, mode: number): this {
    chmodSync(this.at(path), mode);
    return this;
  }

  /** The group a file of this tree belongs to. */
  gid(path: string): number {
    return statSync(this.at(path)).gid;
  }

  folder(path: string): this {
    mkdirSync(this.at(path), { recursive: true });
    return this;
  }

  /** A relative link, as the kernel and udev make them. */
  link(path: string, target: string): this {
    const at = this.at(path);
    mkdirSync(dirname(at), { recursive: true });
    symlinkSync(relative(dirname(at), this.at(target)), at);
    return this;
  }

  /** A process and the files it has open. */
  process(pid: number, program: string, ...open: string[]): this {
    this.file(`/proc/${pid}/comm`, `${program}\n`).folder(`/proc/${pid}/fd`);
    for (const [fd, path] of open.entries()) symlinkSync(path, this.at(`/proc/${pid}/fd/${fd}`));
    return this;
  }

  /** Strings of the device tree end with a zero byte. */
  deviceTree({ model, compatible }: { model: string; compatible: string[] }): this {
    this.file('/proc/device-tree/model', `${model}\0`);
    return this.file('/proc/device-tree/compatible', compatible.map((name) => `${name}\0`).join(''));
  }

  /** A UART of the board: its tty, its device with its device-tree node, its file in /dev. */
  uart(name: string, node: string, driver = 'uart-pl011'): this {
    const device = `/sys/devices/platform/soc/${node}/${node}:0/${node}:0.0`;
    this.folder(`${device}/tty/${name}`).link(`${device}/tty/${name}/device`, device);
    this.link(`/sys/class/tty/${name}`, `${device}/tty/${name}`);
    this.folder(`/proc/device-tree/soc/${node}`);
    this.link(`/sys/devices/platform/soc/${node}/of_node`, `/proc/device-tree/soc/${node}`);
    this.folder(`/sys/bus/amba/drivers/${driver}`).link(
      `${device}/driver`,
      `/sys/bus/amba/drivers/${driver}`,
    );
    return this.file(`/dev/${name}`, '', 0o660);
  }

  /** A USB adapter at a socket such as 1-1.2, with its by-id and by-path links when it has a serial number. */
  usb(name: string, socket: string, vendor: string, product: string, serial?: string): this {
    const usb = `/sys/devices/platform/soc/usb/usb1/${socket}`;
    const device = `${usb}/${socket}:1.0/${name}`;
    this.file(`${usb}/idVendor`, `${vendor}\n`).file(`${usb}/idProduct`, `${product}\n`);
    this.file(`${usb}/manufacturer`, 'FTDI\n').file(`${usb}/product`, 'FT232R USB UART\n');
    if (serial !== undefined) this.file(`${usb}/serial`, `${serial}\n`);
    this.folder(`${device}/tty/${name}`).link(`${device}/tty/${name}/device`, device);
    this.link(`/sys/class/tty/${name}`, `${device}/tty/${name}`);
    this.folder('/sys/bus/usb-serial/drivers/ftdi_sio');
    this.link(`${device}/driver`, '/sys/bus/usb-serial/drivers/ftdi_sio');
    this.file(`/dev/${name}`, '', 0o660);
    if (serial !== undefined) {
      this.link(`/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_${serial}-if00-port0`, `/dev/${name}`);
    }
    return this.link(`/dev/serial/by-path/platform-usb-0:${socket}:1.0-port0`, `/dev/${name}`);
  }

  private at(path: string): string {
    return join(this.root, path);
  }
}
