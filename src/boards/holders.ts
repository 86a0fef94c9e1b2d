import type { Machine } from './machine.js';

/** A process that has a port open or locked. */
export interface Holder {
  readonly pid: number;
  /** Its name; undefined when it may not be read. */
  readonly program: string | undefined;
}

/**
 * Who has serial ports open, by device path: from /proc/PID/fd of the processes this user may look into, and from
 * /proc/locks for those of others that lock their port. Processes outside this container are not seen.
 */
export function findHolders(paths: readonly string[], machine: Machine): Map<string, Holder[]> {
  const holders = new Map<string, Map<number, Holder>>(paths.map((path) => [path, new Map()]));
  const add = (path: string | undefined, pid: number): void => {
    const list = path === undefined ? undefined : holders.get(path);
    if (list && !list.has(pid)) list.set(pid, { pid, program: machine.text(`/proc/${pid}/comm`)?.trim() });
  };
  for (const pid of machine.names('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const fd of machine.names(`/proc/${pid}/fd`)) {
      add(machine.linkTarget(`/proc/${pid}/fd/${fd}`), Number(pid));
    }
  }
  const byFile = new Map(paths.map((path) => [fileKey(path, machine), path]));
  // "1: FLOCK  ADVISORY  WRITE 712 00:05:89 0 EOF"; a lock of a process outside this container has pid 0.
  for (const [, pid, file] of (machine.text('/proc/locks') ?? '').matchAll(
    /^\d+: \S+ +\S+ +\S+ +(\d+) ([0-9a-f]+:[0-9a-f]+:\d+) /gm,
  )) {
    if (pid !== '0') add(byFile.get(file), Number(pid));
  }
  return new Map([...holders].map(([path, list]) => [path, [...list.values()]]));
}

/** Device and inode of a file as /proc/locks writes them. */
function fileKey(path: string, machine: Machine): string | undefined {
  const found = machine.stat(path);
  if (!found) return undefined;
  const hex = (number: number): string => number.toString(16).padStart(2, '0');
  const major = (found.dev >> 8) & 0xfff;
  const minor = (found.dev & 0xff) | ((found.dev >> 12) & 0xfff00);
  return `${hex(major)}:${hex(minor)}:${found.ino}`;
}
