/** The installation under attack: a centre and two engines of the built program, with disks and clocks of their own. */

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Certificates, makeCertificates } from '../support/certificates.js';
import { fakeClock } from '../support/fake-clock.js';
import { missing } from '../support/need.js';
import { freePorts } from '../support/ports.js';
import { type PtyPair, ptyPair } from '../support/pty.js';
import { openProxy, type TcpProxy } from '../support/tcp-proxy.js';
import type { Campaign } from './campaign.js';
import { Disk } from './disk.js';
import { Member } from './member.js';

export const SERVERS = ['lines', 'tls', 'datagrams', 'websocket', 'mqtt', 'coap', 'gt06', 'jt808'] as const;
export type ServerName = (typeof SERVERS)[number];

/** A process with what surrounds it. */
export interface Place {
  readonly member: Member;
  readonly disk: Disk;
  /** Lets its clock jump; absent without libfaketime. */
  readonly jump?: ((offset: string) => void) | undefined;
  readonly config: string;
}

export interface EnginePlace extends Place {
  readonly ports: Readonly<Record<ServerName, number>>;
  readonly mesh: number;
  /** The folder of its scripts. */
  readonly scripts: string;
  /** Between it and the centre. */
  readonly proxy: TcpProxy;
  /** The line of its meter; absent without socat. */
  readonly line?: PtyPair | undefined;
}

export interface Site {
  readonly folder: string;
  readonly center: Place & { readonly registry: number };
  readonly engines: readonly EnginePlace[];
  readonly certificates: Certificates;
  /** What this machine could not do. */
  readonly lacking: readonly string[];
}

const HEAP_MIB = 96;
const GROUP_MIB = 320;

/** The program as it is now: what is built meanwhile does not matter. */
function copyProgram(folder: string): string {
  const program = join(folder, 'program');
  for (const part of ['dist', 'lua', 'boards', 'package.json'])
    cpSync(part, join(program, part), { recursive: true });
  symlinkSync(join(process.cwd(), 'node_modules'), join(program, 'node_modules'));
  return program;
}

/** A group of processes whose memory is bounded, where that can be had. */
function memoryGroup(campaign: Campaign, name: string): string | undefined {
  const group = `/sys/fs/cgroup/memory/moonwire-soak-${process.pid}-${name}`;
  try {
    mkdirSync(group);
    campaign.teardown(() => spawnSync('rmdir', [group]));
    writeFileSync(join(group, 'memory.limit_in_bytes'), `${GROUP_MIB * 2 ** 20}`);
    return existsSync(join(group, 'cgroup.procs')) ? group : undefined;
  } catch {
    return undefined;
  }
}

export async function prepare(campaign: Campaign, sinkUrl: string): Promise<Site> {
  const folder = mkdtempSync(join(tmpdir(), 'moonwire-soak-'));
  campaign.teardown(() => {
    if (campaign.violationCount === 0) rmSync(folder, { recursive: true, force: true });
    else campaign.note(`logs are kept in ${folder}`);
  });
  const program = copyProgram(folder);
  const certificates = makeCertificates(campaign);
  const lacking = new Set<string>();
  const clocks = !missing('faketime', 'faketime');
  if (!clocks) lacking.add('clock jumps (faketime)');

  const place = async (name: string, command: 'center' | 'engine', api: number): Promise<Place> => {
    const disk = await Disk.prepare(campaign, join(folder, name));
    if (!disk.real) lacking.add('a full disk (mounting tmpfs needs root)');
    const clock = clocks ? fakeClock(campaign) : undefined;
    const group = memoryGroup(campaign, name);
    if (group === undefined) lacking.add('a memory limit by cgroup');
    const config = join(folder, `${name}.yaml`);
    const member = new Member(
      {
        name,
        command,
        config,
        api,
        program,
        env: clock?.env ?? {},
        group,
        heapMiB: HEAP_MIB,
        log: join(folder, `${name}.log`),
      },
      campaign,
    );
    return { member, disk, jump: clock?.jump, config };
  };

  const ports = await freePorts(2 + 2 * (2 + SERVERS.length));
  const [registry, centerApi] = ports.splice(0, 2) as [number, number];
  const center = { ...(await place('center', 'center', centerApi)), registry };
  writeFileSync(center.config, centerYaml(center, centerApi, sinkUrl));

  const engines: EnginePlace[] = [];
  for (const name of ['rough', 'steady']) {
    const [api, mesh, ...free] = ports.splice(0, 2 + SERVERS.length) as [number, number, ...number[]];
    const engine: EnginePlace = {
      ...(await place(name, 'engine', api)),
      ports: Object.fromEntries(SERVERS.map((server, i) => [server, free[i]!])) as EnginePlace['ports'],
      mesh,
      scripts: join(folder, `${name}-lua`),
      proxy: await openProxy(campaign, () => registry),
      line: await serialLine(campaign, lacking),
    };
    cpSync('test/soak/lua', engine.scripts, { recursive: true });
    writeFileSync(engine.config, engineYaml(engine, name, api, certificates));
    engines.push(engine);
  }
  return { folder, center, engines, certificates, lacking: [...lacking] };
}

async function serialLine(campaign: Campaign, lacking: Set<string>): Promise<PtyPair | undefined> {
  if (missing('socat', 'socat')) {
    lacking.add('serial lines (socat)');
    return undefined;
  }
  const line = await ptyPair();
  campaign.teardown(() => line.remove());
  return line;
}

function centerYaml({ disk, registry }: Site['center'], api: number, sinkUrl: string): string {
  return `center: { registry: { port: ${registry} }, apiServer: { port: ${api} }, joinToken: secret }
store: { path: ${disk.store}, maxBytes: 16MiB }
sinks:
  - { name: hook, http: { url: "${sinkUrl}" }, timeout: 5s, retry: { minSeconds: 0.2, maxSeconds: 2 } }
  - { name: file, file: { path: ${disk.folder}/reports.jsonl, rotateBytes: 1MiB, keep: 2 } }
`;
}

function engineYaml(
  { disk, ports, mesh, proxy, line, scripts }: EnginePlace,
  name: string,
  api: number,
  { server }: Certificates,
): string {
  const entry = (file: string): string =>
    `bind: 127.0.0.1, entry: ${join(scripts, file)}, byteCodeExpires: 0`;
  const servers = [
    `name: lines, port: ${ports.lines}, ${entry('lines.lua')}, limits: { frameBytes: 4096, idleSeconds: 20 }`,
    `name: tls, port: ${ports.tls}, ${entry('lines.lua')}, tls: { cert: ${server.cert}, key: ${server.key} }`,
    `name: datagrams, port: ${ports.datagrams}, transport: udp, ${entry('datagrams.lua')}`,
    `name: websocket, port: ${ports.websocket}, protocol: websocket, ${entry('websocket.lua')}`,
    `name: mqtt, port: ${ports.mqtt}, protocol: mqtt, ${entry('mqtt.lua')}`,
    `name: coap, port: ${ports.coap}, protocol: coap, ${entry('coap.lua')}`,
    ...['gt06', 'jt808'].map(
      (protocol) =>
        `name: ${protocol}, port: ${ports[protocol as ServerName]}, ${entry('tracker.lua')}, options: { protocol: ${protocol} }`,
    ),
  ];
  const meter = `  links:
    - { name: meter, serial: { port: ${line?.a}, baudRate: 115200 }, ${entry('meter.lua').replace(/bind: \S+ /, '')}, options: { device: ${name}-meter }, reconnect: { minSeconds: 0.2, maxSeconds: 2 } }
`;
  return `engine:
  name: ${name}
  centerRegistry: 127.0.0.1:${proxy.port}
  joinToken: secret
  heartbeat: { interval: 2s, tolerance: 8s }
  apiServer: { port: ${api} }
  meshPoint: { port: ${mesh} }
  outbox: { spillDelay: 1 }
  servers:
${servers.map((settings) => `    - { ${settings} }`).join('\n')}
${line ? meter : ''}script: { roots: [${scripts}] }
store: { path: ${disk.store}, maxBytes: 16MiB }
`;
}
