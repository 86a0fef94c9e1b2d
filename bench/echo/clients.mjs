// Clients of an echo: each sends a request, waits for its answer, sends the next one.
import { close, open } from '../support/clients.mjs';

/** A server that stops answering must not make a benchmark wait for ever. */
const SILENCE_MS = 60_000;

class EchoClient {
  answered = undefined;
  held = [];
  due = 0;

  constructor(socket, number) {
    this.socket = socket;
    this.number = number;
    socket.on('data', (bytes) => this.received(bytes));
    socket.on('close', () => this.answered?.(new Error('the server closed a connection')));
  }

  received(bytes) {
    this.due -= bytes.length;
    this.held.push(bytes);
    if (this.due > 0) return;
    const answer = this.held.length === 1 ? bytes : Buffer.concat(this.held);
    this.held = [];
    this.answered?.(this.due < 0 ? new Error('more bytes in answer than expected') : undefined, answer);
  }
}

/** Clients of one server: more of them may be opened, and all of them driven. */
export class Crowd {
  clients = [];

  constructor(port, protocol) {
    this.port = port;
    this.protocol = protocol;
  }

  /** Opens and greets until there are `count`. */
  async grow(count) {
    while (this.clients.length < count) {
      const first = this.clients.length;
      const sockets = await open(this.port, Math.min(100, count - first), { tls: this.protocol.tls });
      await Promise.all(sockets.map((socket, i) => this.protocol.greet(socket, first + i)));
      for (const [i, socket] of sockets.entries()) this.clients.push(new EchoClient(socket, first + i));
    }
  }

  /** Drives all until `messages` of `size` bytes were answered; returns the milliseconds that each answer took. */
  async drive(size, messages) {
    const { protocol, clients } = this;
    const waits = new Float64Array(messages);
    let [sent, done] = [0, 0];
    await new Promise((resolve, reject) => {
      let progress = 0;
      const watch = setInterval(() => {
        if (progress === done) reject(new Error('the server stopped answering'));
        progress = done;
      }, SILENCE_MS);
      const end = (error) => {
        clearInterval(watch);
        for (const client of clients) client.answered = undefined;
        error ? reject(error) : resolve();
      };
      for (const client of clients) {
        const request = protocol.request(size, client.number);
        const bytes = protocol.replyBytes(size, client.number);
        let began = 0;
        const send = (what) => {
          sent++;
          client.due = bytes;
          began = performance.now();
          client.socket.write(what);
        };
        client.answered = (error, answer) => {
          if (error) return end(error);
          waits[done++] = performance.now() - began;
          const confirmation = protocol.confirmation?.(answer);
          if (sent < messages) send(confirmation ? Buffer.concat([confirmation, request]) : request);
          else if (confirmation) client.socket.write(confirmation);
          if (done === messages) end();
        };
        if (sent < messages) send(request);
      }
    });
    return waits;
  }

  /** Closes all. */
  close() {
    return close(this.clients.map(({ socket }) => socket));
  }
}
