/** Runs a real API over a real engine in the test's process. */

import { EngineHost } from '../../src/api/engine-host.js';
import type { ApiHost } from '../../src/api/host.js';
import type { ApiMonitor } from '../../src/api/route.js';
import { type Api, startApi } from '../../src/api/server.js';
import { parseConfig } from '../../src/config/load.js';
import type { Config } from '../../src/config/schema.js';
import { openOutbox } from '../store/outbox-support.js';
import type { TestEngine } from './engine.js';
import { type Line, recordingLogger, startTestEngine } from './engine.js';
import { sinkFigures } from './sinks.js';

export interface TestApi {
  api: Api;
  /** "http://127.0.0.1:port" */
  url: string;
  host: ApiHost;
  log: Line[];
  /** Puts another `access` in force, as a changed configuration does. */
  setAccess(yaml: string): void;
  /** A request with a JSON body; the answer's body is read as JSON where it is some. */
  request(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  stop(): Promise<void>;
}

export interface Answer {
  status: number;
  headers: Headers;
  // Tests look into it as they please.
  // biome-ignore lint/suspicious/noExplicitAny: the shape is what the test checks
  body: any;
}

/** A configuration with these lines of `access` and of the engine's `apiServer`. */
function configOf(access: string, apiServer: string): Config {
  const text = `access: ${access.replace(/\n/g, ' ')}\nengine: { name: test, apiServer: ${apiServer} }\n`;
  return parseConfig(text, 'test.yaml', { cwd: '.' }).config;
}

/** Starts the API of a host. `access` and `apiServer` are YAML. */
export async function startTestApi(
  host: ApiHost,
  {
    access = '{}',
    apiServer = '{ port: 0 }',
    monitor,
  }: {
    access?: string;
    apiServer?: string;
    monitor?: ApiMonitor;
  } = {},
): Promise<TestApi> {
  const config = configOf(access, apiServer);
  const log = recordingLogger();
  let current = config.access;
  const api = await startApi(host, {
    config: config.engine.apiServer,
    access: () => current,
    log,
    ...(monitor && { monitor }),
  });
  const url = `http://127.0.0.1:${api.port}`;
  return {
    api,
    url,
    host,
    log: log.lines,
    setAccess: (yaml) => {
      current = configOf(yaml, '{ port: 0 }').access;
    },
    request: async (method, path, body, headers = {}) => {
      const response = await fetch(url + path, {
        method,
        headers,
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      const isJson = response.headers.get('content-type')?.includes('json');
      return {
        status: response.status,
        headers: response.headers,
        body: isJson && text !== '' ? JSON.parse(text) : text,
      };
    },
    stop: () => api.close(),
  };
}

/** An engine with one server for `script`, `links` as YAML, and its API. */
export async function startEngineWithApi(
  script: string,
  options: Parameters<typeof startTestApi>[1] = {},
  links = '[]',
): Promise<TestApi & { test: TestEngine }> {
  const test = await startTestEngine(
    { 'main.lua': script },
    `servers: [{ name: s, port: 0, bind: 127.0.0.1, entry: main.lua }]\nlinks: ${links}`,
  );
  const outbox = await openOutbox(undefined);
  const host: ApiHost = new EngineHost(test.engine, {
    version: '1.2.3',
    api: () => running.api.address,
    outbox: () => outbox.status(),
    sinks: () => [sinkFigures()],
    config: {
      source: () => ({ file: '/etc/moonwire.yaml', source: 'file', applied: 1 }),
      plan: async () => [{ path: 'engine.servers.a', effect: 'change', settings: ['limits.idleSeconds'] }],
      reload: async () => [],
    },
    restart: {
      status: { pid: 7, underWay: false, arrived: { clients: 2, listeners: 1, closed: { tls: 1 } } },
      begin: () => true,
    },
  });
  const running = await startTestApi(host, options);
  return {
    ...running,
    test,
    stop: async () => {
      await running.stop();
      await test.stop();
      await outbox.close();
    },
  };
}
