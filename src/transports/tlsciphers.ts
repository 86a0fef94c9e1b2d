/** Which ciphers are spoken unless the configuration says otherwise. */

/** TLS 1.3 (RFC 8446, B.4). */
const TLS_1_3 = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256';

/** TLS 1.2: forward secrecy and AEAD, as RFC 9325, 4.2 recommends. */
const TLS_1_2 = [
  ...['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256'],
  ...['ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-RSA-AES256-GCM-SHA384'],
  ...['ECDHE-ECDSA-CHACHA20-POLY1305', 'ECDHE-RSA-CHACHA20-POLY1305'],
].join(':');

/** TLS 1.2 with pre-shared keys; the last is what constrained devices must speak (RFC 7925, 4.2). */
const PSK = [
  'ECDHE-PSK-CHACHA20-POLY1305',
  'PSK-AES128-GCM-SHA256',
  'PSK-AES256-GCM-SHA384',
  'PSK-CHACHA20-POLY1305',
  'PSK-AES128-CCM8',
].join(':');

/** OpenSSL's list for these settings. Named ciphers concern TLS 1.2, unless they name some of TLS 1.3. */
export function ciphersOf({
  ciphers,
  psk,
}: {
  ciphers?: string | undefined;
  psk?: string | undefined;
}): string {
  if (ciphers === undefined) return [TLS_1_3, TLS_1_2, ...(psk === undefined ? [] : [PSK])].join(':');
  return ciphers.includes('TLS_') ? ciphers : `${TLS_1_3}:${ciphers}`;
}
