/** Puts `mix` into a station's VM: the pure functions, and those that reach the engine. */

import { type ApiFunction, type LuaValue, value } from '../../script/api.js';
import { type FrameHost, frameFunctions } from '../../script/mix/frame.js';
import {
  type CodecHost,
  codecFunctions,
  pureMix,
  structMethods,
  type TemplateHost,
  templateFunctions,
} from '../../script/mix/index.js';
import type { ApiSection } from '../../script/reference.js';
import type { Vm } from '../../script/vm.js';
import type { Program } from '../program.js';
import { bufferMethods } from '../receive-buffer.js';
import { heldBack } from '../reload/trial.js';
import type { Station } from '../station.js';
import { connMethods } from './conn.js';
import { httpFunctions } from './http.js';
import { linkFunctions } from './link.js';
import { type LogHost, logFunctions, logLevels } from './log.js';
import { meshFunctions } from './mesh.js';
import { metricsFunctions } from './metrics.js';
import { nodeFunctions } from './node.js';
import { queueFunctions } from './queue.js';
import { redisFunctions, redisMethods } from './redis.js';
import { reportFunctions } from './report.js';
import { requestMethods } from './request.js';
import { storeFunctions } from './store.js';
import { timeFunctions, timerMethods } from './time.js';
import { tlsMethods } from './tls.js';

const ANYWHERE = 'anywhere: entry scripts and protocol modules';
const IN_ENTRIES = 'entry scripts; not in protocol modules, which are pure';

/** The whole Lua API, as the reference and the editor types show it. */
export const luaApi: readonly ApiSection[] = [
  { title: 'Bytes, text and numbers', where: ANYWHERE, entries: [...pureMix, ...structMethods] },
  { title: 'Codecs', where: ANYWHERE, entries: codecFunctions },
  { title: 'Framing', where: `${ANYWHERE}, while they load`, entries: frameFunctions },
  { title: 'Device templates', where: `${ANYWHERE}, while they load`, entries: templateFunctions },
  {
    title: 'Received bytes: `buf`',
    where: '`protocol_input(buf)`, and `input(buf, session)` of a protocol module',
    entries: bufferMethods,
  },
  {
    title: 'The client: `conn`',
    where: 'handlers, which get it as their last argument; and for as long as the client is kept',
    entries: [...connMethods, ...tlsMethods, ...requestMethods],
  },
  {
    title: 'Where a script runs',
    where: IN_ENTRIES,
    entries: nodeFunctions,
    constants: [value('mix.node', 'value', 'a table: `id`, `name` and `labels` of this engine')],
  },
  { title: 'Time', where: IN_ENTRIES, entries: [...timeFunctions, ...timerMethods] },
  { title: 'Clients of all nodes', where: IN_ENTRIES, entries: meshFunctions },
  { title: 'Queues', where: IN_ENTRIES, entries: queueFunctions },
  { title: 'HTTP', where: IN_ENTRIES, entries: httpFunctions },
  { title: 'Redis', where: IN_ENTRIES, entries: [...redisFunctions, ...redisMethods] },
  { title: 'Reports', where: IN_ENTRIES, entries: reportFunctions },
  { title: 'Links', where: IN_ENTRIES, entries: linkFunctions },
  { title: 'Kept values', where: IN_ENTRIES, entries: storeFunctions },
  { title: 'Metrics', where: IN_ENTRIES, entries: metricsFunctions },
  {
    title: 'Log',
    where: ANYWHERE,
    entries: logFunctions,
    constants: Object.keys(logLevels).map((name) => value(`mix.${name}`, 'integer', 'a level of `mix.log`')),
  },
];

/** What functions of `mix` are put into: an entry script's VM, or compiled modules. */
export interface MixTarget extends LogHost, TemplateHost {
  define<Host>(entries: readonly ApiFunction<Host>[], host: Host): void;
  constant(name: string, value: LuaValue): void;
}

/** `mix` without an engine: for protocol modules, checks, tests and offline decoding. */
export function installOfflineMix(vm: MixTarget, host: CodecHost & FrameHost): void {
  vm.define(pureMix, undefined);
  vm.define(structMethods, undefined);
  vm.define(bufferMethods, undefined);
  vm.define(codecFunctions, host);
  vm.define(frameFunctions, host);
  vm.define(templateFunctions, vm);
  vm.define(logFunctions, vm);
  for (const [name, level] of Object.entries(logLevels)) vm.constant(`mix.${name}`, level);
}

/** The part of `mix` that a station's protocol modules may use. */
export function installModuleMix(target: MixTarget, station: Station): void {
  const { codecs } = station.engine.parts;
  installOfflineMix(target, { codecs, frameBytes: station.limits.frameBytes });
}

/** The whole of `mix` for a station's script. */
export function installMix(program: Program, station: Station): void {
  const { vm } = program;
  installModuleMix(vm, station);
  vm.define(connMethods, undefined);
  vm.define(tlsMethods, undefined);
  vm.define(requestMethods, undefined);
  vm.define(timerMethods, undefined);
  vm.define(redisMethods, undefined);
  const host = { vm, station, program };
  vm.define(nodeFunctions, host);
  vm.define(timeFunctions, host);
  vm.define(heldBack(meshFunctions), host);
  vm.define(heldBack(queueFunctions), host);
  vm.define(heldBack(reportFunctions), host);
  vm.define(heldBack(storeFunctions), host);
  vm.define(linkFunctions, host);
  vm.define(httpFunctions, host);
  vm.define(redisFunctions, host);
  vm.define(metricsFunctions, host);
  setNodeConstant(vm, station);
}

/** Sets `mix.node`, anew when the centre has leased another number. */
export function setNodeConstant(vm: Vm, { engine }: Station): void {
  const { name, labels } = engine.options;
  vm.constant('mix.node', vm.table({ id: engine.parts.node(), name, labels: vm.table({ ...labels }) }));
}
