import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  realpathSync,
  type Stats,
  statfsSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** Longest part of a file that is read: what is looked at here is far shorter. */
const MAX_READ_BYTES = 64 * 1024;

/** What tests put in the place of the real machine. */
export interface MachineOptions {
  /** Folder in which /proc, /sys, /dev and /etc are. */
  readonly root?: string;
  /** As in `process.arch`. */
  readonly arch?: string;
  /** User and groups of this process. */
  readonly uid?: number;
  readonly groups?: readonly number[];
}

/**
 * The machine as its files show it. What cannot be read is undefined or empty, never an error: in a container or
 * for an ordinary user much of it is missing.
 */
export class Machine {
  readonly arch: string;
  readonly uid: number;
  readonly groups: readonly number[];
  private readonly root: string;

  constructor(options: MachineOptions = {}) {
    this.root = options.root ?? '/';
    this.arch = options.arch ?? process.arch;
    this.uid = options.uid ?? process.getuid?.() ?? 0;
    this.groups = options.groups ?? process.getgroups?.() ?? [];
  }

  /** The text of a file, at most its first 64 KiB. */
  text(path: string): string | undefined {
    try {
      const descriptor = openSync(join(this.root, path), 'r');
      try {
        // Files of /proc and /sys have no size; one read yields all of a short one.
        const buffer = Buffer.alloc(MAX_READ_BYTES);
        return buffer.toString('utf8', 0, readSync(descriptor, buffer));
      } finally {
        closeSync(descriptor);
      }
    } catch {
      return undefined;
    }
  }

  /** The strings of a device-tree property, each of which ends with a zero byte. */
  strings(path: string): string[] {
    return (this.text(path) ?? '').split('\0').filter((string) => string !== '');
  }

  /** The names in a folder. */
  names(folder: string): string[] {
    try {
      return readdirSync(join(this.root, folder)).sort();
    } catch {
      return [];
    }
  }

  /** What is at a path, links followed. */
  stat(path: string): Stats | undefined {
    try {
      return statSync(join(this.root, path), { throwIfNoEntry: false });
    } catch {
      return undefined;
    }
  }

  exists(path: string): boolean {
    return this.stat(path) !== undefined;
  }

  /** The device name a path in /dev leads to: ttyAMA0 for /dev/serial0; its own name when it is no link. */
  deviceName(path: string): string {
    let at = path;
    for (let links = 0; links < 8; links++) {
      const target = this.linkTarget(at);
      if (target === undefined) break;
      at = target.startsWith('/') ? target : join(dirname(at), target);
    }
    return basename(at);
  }

  /** What a link points to, as written in it. */
  linkTarget(path: string): string | undefined {
    try {
      return readlinkSync(join(this.root, path));
    } catch {
      return undefined;
    }
  }

  /** The name of a group; its number when it has none. */
  groupName(gid: number): string {
    const lines = (this.text('/etc/group') ?? '').split('\n');
    return lines.find((line) => line.split(':')[2] === String(gid))?.split(':')[0] ?? String(gid);
  }

  /** Whether the device-tree node of a port such as ttyAMA0 has a property; undefined when it has no node. */
  hasProperty(tty: string, property: string): boolean | undefined {
    try {
      let at = realpathSync(join(this.root, 'sys/class/tty', tty, 'device'));
      // Newer kernels put a port device or two below the UART's own.
      for (let parents = 0; parents < 4; parents++, at = dirname(at)) {
        if (existsSync(join(at, 'of_node'))) return existsSync(join(at, 'of_node', property));
      }
    } catch {
      // No such port in sysfs.
    }
    return undefined;
  }

  /** Bytes a user may still write where `path` is, or would be. */
  freeBytes(path: string): number | undefined {
    for (let at = path; ; at = dirname(at)) {
      try {
        const { bavail, bsize } = statfsSync(join(this.root, at));
        return bavail * bsize;
      } catch {
        if (at === dirname(at)) return undefined;
      }
    }
  }

  /** Memory in bytes: all of it, and what programs can still get without swapping. */
  memory(): { total: number; available: number } | undefined {
    const field = (name: string): number =>
      Number(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(info)?.[1]) * 1024;
    const info = this.text('/proc/meminfo') ?? '';
    const [total, available] = [field('MemTotal'), field('MemAvailable')];
    return Number.isNaN(total + available) ? undefined : { total, available };
  }
}
