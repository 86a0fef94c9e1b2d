/** The thread of `loop-watchdog.ts`. It loads nothing but Node's own modules, and writes itself: the log needs the event loop. */

import { appendFileSync, writeSync } from 'node:fs';
import { type Debugger, Session } from 'node:inspector';
import { workerData } from 'node:worker_threads';
import type { LoopWatch } from './loop-watchdog.js';

/** How long the main thread is waited for to say where it is; it cannot while it is in the operating system. */
const TELL_MS = 3000;
/** Places of the stack that are told. */
const FRAMES = 12;
/** pino's number for what ends a process. */
const FATAL = 60;

/** Where a Lua function is that called what `luaV_execute` runs; see Fengari's `lstate.js`. */
const LUA_PLACE = `(() => {
  let call = L.ci;
  while (call && !(call.callstatus & 2)) call = call.previous;
  const { source, lineinfo } = call.func.value.p;
  return Buffer.from(source.getstr().subarray(1)).toString() + ':' + lineinfo[call.l_savedpc - 1];
})()`;

const { beats, ms, looks, file } = workerData as LoopWatch;

/** Returns once the event loop has not turned for so long, in which this thread ran: a process that was stopped does not hang. */
function waitForHang(): void {
  const pause = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  let seen = Atomics.load(beats, 0);
  for (let missed = 0; missed < looks; ) {
    Atomics.wait(pause, 0, 0, ms / looks);
    const now = Atomics.load(beats, 0);
    missed = now === seen ? missed + 1 : 0;
    seen = now;
  }
}

/** Asks the main thread where it is; no places when it does not answer. */
function stackOfMain(): Promise<string[]> {
  return new Promise((resolve) => {
    const session = new Session();
    const files = new Map<string, string>();
    let places: string[] = [];
    setTimeout(() => resolve(places), TELL_MS);
    session.on('Debugger.scriptParsed', ({ params }) => files.set(params.scriptId, params.url));
    session.on('Debugger.paused', ({ params: { callFrames } }) => {
      places = callFrames.slice(0, FRAMES).map((frame) => inWords(frame, files));
      luaPlace(session, callFrames, (place) => resolve([...place, ...places]));
    });
    session.connectToMainThread();
    session.post('Debugger.enable');
    session.post('Debugger.pause');
  });
}

function luaPlace(
  session: Session,
  frames: readonly Debugger.CallFrame[],
  told: (place: string[]) => void,
): void {
  const frame = frames.find(({ functionName }) => /^luaV_execute/.test(functionName));
  if (!frame) {
    told([]);
    return;
  }
  session.post(
    'Debugger.evaluateOnCallFrame',
    { callFrameId: frame.callFrameId, expression: LUA_PLACE, returnByValue: true },
    (error, answer) => told(!error && typeof answer.result.value === 'string' ? [answer.result.value] : []),
  );
}

function inWords({ functionName, location }: Debugger.CallFrame, files: ReadonlyMap<string, string>): string {
  return `${functionName || '(anonymous)'} ${files.get(location.scriptId)}:${location.lineNumber + 1}`;
}

function tell(stack: readonly string[]): void {
  const where = stack[0] ?? 'native code or the operating system';
  const msg = `the event loop did not turn for ${ms / 1000} s: the process is ended, it was in ${where}`;
  const line = { level: FATAL, time: new Date().toISOString(), at: 'watchdog', stack, msg };
  const text = `${JSON.stringify(line)}\n`;
  for (const write of [() => writeSync(2, text), () => file !== undefined && appendFileSync(file, text)]) {
    try {
      write();
    } catch {
      // Whether it can be told or not, the process ends.
    }
  }
}

waitForHang();
const stack = await stackOfMain();
// It may have gone on meanwhile; that it hung for so long is reason enough.
tell(stack);
process.kill(process.pid, 'SIGABRT');
