/** `conn:tls`: how a client is encrypted, and who it is. */

import { type ApiFunction, value } from '../../script/api.js';
import type { Conn } from '../conn.js';

export const tlsMethods: ApiFunction<Conn>[] = [
  {
    name: 'conn:tls',
    doc:
      'How the connection is encrypted, a table; nil when it is not, and once it is closed. `version`, `cipher`, ' +
      '`resumed`; where there is one, `servername` (SNI), `alpn` and `psk_identity`. Of a certificate of the peer ' +
      'that is trusted: `subject` and `issuer` (tables such as `{CN = "gate-7", O = "Acme"}`), `san` (a list such as ' +
      '`{"DNS:gate-7.example"}`), `serial` (hex), `fingerprint` (SHA-256 in lower-case hex), `valid_to` (Unix ' +
      'seconds). A certificate that is not trusted is never shown.',
    params: [],
    returns: [value('tls', 'value', 'a table, or nil')],
    example: 'local tls = conn:tls()\nif tls and tls.subject then conn:attach(tls.subject.CN) end',
    run: ({ client }) => client.connection.tls?.(),
  },
];
