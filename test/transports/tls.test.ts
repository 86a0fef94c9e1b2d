import t from 'tap';
import { silentLogger } from '../../src/log.js';
import type { Connection } from '../../src/transports/connection.js';
import { connectTls, listenTls } from '../../src/transports/tls.js';
import { makeCertificates } from '../support/certificates.js';
import { missing } from '../support/need.js';
import { clientTls, serverTls } from '../support/tls.js';
import { contract, type MakePair } from './contract.js';

const LOCAL = '127.0.0.1';

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  t.test(maxVersion, { skip: missing('openssl', 'openssl') }, async (t) => {
    const { ca, server } = makeCertificates(t);
    const makePair: MakePair = async () => {
      let accept!: (connection: Connection) => void;
      const accepted = new Promise<Connection>((resolve) => {
        accept = resolve;
      });
      const tls = serverTls({ ...server, maxVersion });
      const listener = await listenTls({ host: LOCAL, port: 0, tls }, accept, silentLogger);
      const client = await connectTls({ host: LOCAL, port: listener.port, tls: clientTls({ ca }) });
      const secure = await accepted;
      await listener.close();
      return [client, secure];
    };
    contract(t, maxVersion, makePair, { peerSeesEnd: true, lossless: true });
  });
}
