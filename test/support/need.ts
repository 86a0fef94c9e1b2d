import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * Whether an external program a test needs is missing: false, or the reason for tap's `skip` option, naming the
 * Debian package that brings it. Throws instead when CI is 'true', where nothing may be skipped.
 */
export function missing(program: string, debianPackage: string): string | false {
  const found = (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (found) return false;
  const reason = `needs ${program}: apt-get install ${debianPackage}`;
  if (process.env.CI === 'true') throw new Error(reason);
  return reason;
}
