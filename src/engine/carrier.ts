/** What becomes of objects of ours on their way to newer code. */

import { HostObject } from '../script/executor.js';
import { FRAME_KIND } from '../script/mix/frame.js';
import { STRUCT_KIND } from '../script/mix/struct.js';
import { CLIENT_KIND, type Conn } from './conn.js';
import { REDIS_KIND } from './mix/redis.js';
import type { Program } from './program.js';

/** Those that belong to no program. */
const SHARED: ReadonlySet<string> = new Set([FRAME_KIND, STRUCT_KIND, REDIS_KIND]);

/** Turns an object of another program into one of `program`: a client, or what belongs to none. */
export function carrierOf(program: Program): (object: HostObject) => HostObject | undefined {
  return (object) => {
    if (object.kind === CLIENT_KIND) return program.peerOf((object.data as Conn).client).conn() as HostObject;
    return SHARED.has(object.kind) ? new HostObject(object.kind, object.data) : undefined;
  };
}
