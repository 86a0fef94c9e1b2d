// A certificate for a run: its key is P-256.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** PEM files of a new certificate and its key; `remove` takes them away again. */
export function certificate() {
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-bench-'));
  const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const names = ['-subj', '/CN=bench', '-days', '2', '-keyout', files.key, '-out', files.cert];
  execFileSync('openssl', ['req', '-x509', ...key, ...names], { stdio: 'pipe' });
  return { files, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
