/** The numbers of CoAP, from the IANA registry "Constrained RESTful Environments (CoRE) Parameters". */

/** Message types by their two bits (RFC 7252, 3). */
export const TYPES = ['CON', 'NON', 'ACK', 'RST'] as const;

/** Methods as they may be written in place of their code. */
export const CODES: ReadonlyMap<string, number> = new Map([
  ['GET', 1],
  ['POST', 2],
  ['PUT', 3],
  ['DELETE', 4],
  ['FETCH', 5],
  ['PATCH', 6],
  ['iPATCH', 7],
]);

export const OPTION_NAMES: ReadonlyMap<number, string> = new Map([
  [1, 'If-Match'],
  [3, 'Uri-Host'],
  [4, 'ETag'],
  [5, 'If-None-Match'],
  [6, 'Observe'],
  [7, 'Uri-Port'],
  [8, 'Location-Path'],
  [9, 'OSCORE'],
  [11, 'Uri-Path'],
  [12, 'Content-Format'],
  [14, 'Max-Age'],
  [15, 'Uri-Query'],
  [16, 'Hop-Limit'],
  [17, 'Accept'],
  [19, 'Q-Block1'],
  [20, 'Location-Query'],
  [21, 'EDHOC'],
  [23, 'Block2'],
  [27, 'Block1'],
  [28, 'Size2'],
  [31, 'Q-Block2'],
  [35, 'Proxy-Uri'],
  [39, 'Proxy-Scheme'],
  [60, 'Size1'],
  [252, 'Echo'],
  [258, 'No-Response'],
  [292, 'Request-Tag'],
  [2049, 'OCF-Accept-Content-Format-Version'],
  [2053, 'OCF-Content-Format-Version'],
]);

export const OPTION_NUMBERS: ReadonlyMap<string, number> = new Map(
  [...OPTION_NAMES].map(([number, name]) => [name, number]),
);
