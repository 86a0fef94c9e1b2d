import t from 'tap';
import { silentLogger } from '../../src/log.js';
import type { Connection } from '../../src/transports/connection.js';
import { connectUdp, listenUdp } from '../../src/transports/udp.js';
import { contract, type MakePair } from './contract.js';

/** A UDP server learns of a peer by its first datagram: an empty one, which the recorder overlooks. */
const makePair: MakePair = async () => {
  let accept!: (connection: Connection) => void;
  const accepted = new Promise<Connection>((resolve) => {
    accept = resolve;
  });
  const listener = await listenUdp({ host: '127.0.0.1', port: 0 }, accept, silentLogger);
  const client = await connectUdp({ host: '127.0.0.1', port: listener.port }, silentLogger);
  client.write(Buffer.alloc(0));
  const server = await accepted;
  void listener.close();
  return [client, server];
};

contract(t, 'udp', makePair, { peerSeesEnd: false, lossless: false });
