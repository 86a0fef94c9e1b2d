/**
 * How two engines prove themselves to each other at the beginning of a mesh session (design §9 "Join"), on control:
 *
 *     dialler                      acceptor
 *      hello {key, nonce}    ───▶
 *                            ◀───  challenge {nonce, key, sig}
 *      prove {sig}           ───▶
 *                            ◀───  welcome {node}, or refused {code, text} at any point
 */

import type { KeyObject } from 'node:crypto';
import type { MuxStream, SessionOptions, TypedSession } from '../mux/index.js';
import { MessageStream } from './message-stream.js';
import {
  type ChallengeMessage,
  type HelloMessage,
  JOIN_VERSION,
  type Message,
  type Peer,
  type ProveMessage,
  STREAM,
} from './messages.js';
import { type Exchange, isSameKey, isSigned, newNonce, sign } from './proof.js';

/** Bounds of a mesh session: it has a control, a route and two heartbeat streams. */
export const MESH_SESSION = {
  acceptBacklog: 8,
  maxStreams: 8,
  maxUnreadBytes: 4 * 1024 * 1024,
} as const satisfies Partial<SessionOptions>;
/** As many channels as the other end keeps may wait until it reads them. */
const MAX_CONTROL_BYTES = 64 * 1024 * 1024;
/** Milliseconds for a refusal to leave. */
const REFUSAL_MS = 100;

/** This engine, as it shows itself. */
export interface MeshSelf {
  readonly name: string;
  readonly version: string;
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly privateKey: KeyObject;
  /** The node number now; 0 without a lease. */
  readonly node: number;
}

/** Why a session did not come about; the codes are metric labels. */
export interface MeshRefusal {
  readonly code:
    | 'bad_hello'
    | 'bad_proof'
    /** The key is not one of the engines that the centre named. */
    | 'unknown_key'
    /** Both engines dialled at the same time, and the other session stays. */
    | 'duplicate'
    | 'timeout'
    /** The other end ended the session, or refused it. */
    | 'closed';
  readonly text: string;
}

/** Told how a proof ended: once, and in the turn of the last message, so that no message after it is missed. */
export interface ProofOutcome {
  /** The peer is who it says; its control stream is to be taken over now. */
  proved(peer: Peer, control: MessageStream): void;
  refused(refusal: MeshRefusal): void;
}

/** What the end that dialled needs to know. */
export interface Dialler extends ProofOutcome {
  /** Whether the session is still wanted; asked just before our proof is sent. */
  wanted(): boolean;
}

/** What the end that accepted needs to know. */
export interface Acceptor extends ProofOutcome {
  /** The engine with this key and name. */
  find(key: Uint8Array, name: string): Peer | undefined;
  /** Whether a proved peer may have this session; `since`: `performance.now()` when its hello came. */
  admits(peer: Peer, since: number): boolean;
}

/** Proves this engine to `peer`, and the other way round. The session is closed when that fails. */
export function dialProof(
  typed: TypedSession,
  self: MeshSelf,
  peer: Peer,
  timeoutMs: number,
  dialler: Dialler,
): void {
  const conclusion = new Conclusion(typed, timeoutMs, dialler);
  const { name, publicKey: key, privateKey, version } = self;
  const nonce = newNonce();
  let challenged = false;

  /** Why the acceptor's challenge is not answered. */
  const objection = ({ key: answered, sig }: ChallengeMessage, exchange: Exchange): Refused | undefined => {
    if (!answered || !isSameKey(answered, peer.key)) return ['unknown_key', 'another engine answers there'];
    if (!sig || !isSigned(exchange, 'acceptor', peer.key, sig))
      return ['bad_proof', 'the signature of the other engine does not prove its key'];
    return dialler.wanted() ? undefined : ['duplicate', 'the other engine has dialled meanwhile'];
  };
  const control = conclusion.listen(typed.open(STREAM.control), (message) => {
    if (message.t === 'challenge' && !challenged) {
      challenged = true;
      const exchange = exchangeOf({ name, key, nonce }, message.nonce, peer.key);
      const objected = objection(message, exchange);
      if (objected) conclusion.refuse(...objected);
      else control.send({ t: 'prove', sig: sign(exchange, 'dialer', privateKey) });
    } else if (message.t === 'welcome' && challenged) {
      conclusion.prove(peer);
    } else if (message.t === 'refused') {
      conclusion.refuse('closed', `refused: ${message.code}: ${message.text}`);
    } else {
      conclusion.refuse('bad_hello', `unexpected message ${message.t}`);
    }
  });
  control.send({ t: 'hello', v: JOIN_VERSION, name, key, nonce, version, labels: {} });
}

/** Proves whoever dialled, and this engine to it. The session is closed when that fails. */
export function acceptProof(
  typed: TypedSession,
  self: MeshSelf,
  timeoutMs: number,
  acceptor: Acceptor,
): void {
  const conclusion = new Conclusion(typed, timeoutMs, acceptor);
  const challenge = newNonce();
  let hello: { peer: Peer; exchange: Exchange; since: number } | undefined;

  const greet = (message: HelloMessage): Refused | undefined => {
    if (message.v !== JOIN_VERSION) return ['bad_hello', `version ${message.v} of the join is not known`];
    const peer = acceptor.find(message.key, message.name);
    if (!peer) return ['unknown_key', 'the centre named no such engine to us'];
    const exchange = exchangeOf(message, challenge, self.publicKey);
    hello = { peer, exchange, since: performance.now() };
    conclusion.control?.send({
      t: 'challenge',
      nonce: challenge,
      time: Date.now() / 1000,
      key: self.publicKey,
      sig: sign(exchange, 'acceptor', self.privateKey),
    });
    return undefined;
  };
  const check = ({ sig }: ProveMessage): Refused | undefined => {
    if (!hello) return ['bad_hello', 'a proof before the hello'];
    const { peer, exchange, since } = hello;
    if (!isSigned(exchange, 'dialer', peer.key, sig))
      return ['bad_proof', 'the signature does not prove the key'];
    if (!acceptor.admits(peer, since)) return ['duplicate', 'a session with this engine is up'];
    conclusion.control?.send({ t: 'welcome', node: self.node, time: Date.now() / 1000, peers: [] });
    conclusion.prove(peer);
    return undefined;
  };
  const answer = (message: Message): Refused | undefined => {
    if (message.t === 'hello' && !hello) return greet(message);
    if (message.t === 'prove') return check(message);
    return ['bad_hello', `unexpected message ${message.t}`];
  };
  typed.handle(STREAM.control, (stream) => {
    if (conclusion.control) {
      stream.reset('protocol');
      return;
    }
    conclusion.listen(stream, (message) => {
      const refused = answer(message);
      if (refused) conclusion.tellRefused(...refused);
    });
  });
}

type Refused = readonly [code: MeshRefusal['code'], text: string];

/** The one end of a proof: whatever comes first counts, within the time limit. */
class Conclusion {
  /** The control stream, once it is there. */
  control: MessageStream | undefined;
  private over = false;
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly typed: TypedSession,
    timeoutMs: number,
    private readonly outcome: ProofOutcome,
  ) {
    this.timer = setTimeout(() => this.refuse('timeout', `no proof in ${timeoutMs} ms`), timeoutMs).unref();
    typed.session.closed.then(({ error }) => this.refuse('closed', error.message));
    typed.on('stream', (stream) => stream.reset('stream_refused'));
  }

  /** Takes the next messages; the end of the stream is a refusal. */
  listen(stream: MuxStream, onmessage: (message: Message) => void): MessageStream {
    const control = new MessageStream(stream, { maxPendingBytes: MAX_CONTROL_BYTES });
    control.onmessage = onmessage;
    control.onclose = (error) =>
      this.refuse('closed', error?.message ?? 'the other engine ended the session');
    this.control = control;
    return control;
  }

  prove(peer: Peer): void {
    if (this.finish()) this.outcome.proved(peer, this.control!);
  }

  refuse(code: MeshRefusal['code'], text: string): void {
    if (!this.finish()) return;
    void this.typed.session.close();
    this.outcome.refused({ code, text });
  }

  /** As `refuse`, and says why before the session closes. */
  tellRefused(code: MeshRefusal['code'], text: string): void {
    if (!this.finish()) return;
    this.control?.send({ t: 'refused', code, text });
    this.control?.close();
    setTimeout(() => this.typed.session.close(), REFUSAL_MS).unref();
    this.outcome.refused({ code, text });
  }

  private finish(): boolean {
    if (this.over) return false;
    this.over = true;
    clearTimeout(this.timer);
    return true;
  }
}

function exchangeOf(
  { name, key, nonce }: Pick<HelloMessage, 'name' | 'key' | 'nonce'>,
  challenge: Uint8Array,
  acceptorKey: Uint8Array,
): Exchange {
  return { context: 'moonwire mesh v1', name, key, nonce, challenge, acceptorKey };
}
