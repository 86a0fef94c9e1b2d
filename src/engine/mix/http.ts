/** `mix.http.request`, as CONNMIX has it. */

import { type ApiFunction, optional, value } from '../../script/api.js';
import { bytesOf } from '../../script/fengari.js';
import { failureOf, orFailure } from '../../script/mix/failure.js';
import { HTTP_LIMITS, type HttpResponse } from '../http/client.js';
import { buildRequest, DEFAULT_TIMEOUT, MAX_TIMEOUT } from '../http/request.js';
import type { MixHost } from './host.js';

/** A response as scripts see it, its strings as bytes. */
function responseTable({ status, url, headers, cookies, body }: HttpResponse): Record<string, unknown> {
  const asBytes = (texts: Map<string, string>) =>
    new Map([...texts].map(([name, text]) => [bytesOf(name), bytesOf(text)]));
  return {
    status_code: status,
    url,
    headers: asBytes(headers),
    cookies: asBytes(cookies),
    body,
    body_size: body.length,
  };
}

export const httpFunctions: ApiFunction<MixHost>[] = [
  {
    name: 'mix.http.request',
    doc:
      'Sends an HTTP request and waits for the whole answer. Options: `query` (a string as it is, or a table whose ' +
      'lists repeat a name; added to the url), `headers` and `cookies` (tables), `body` (a string of any bytes; a ' +
      'table goes out as JSON), `auth` (`{ username, password }`, HTTP basic), `timeout` (seconds, or a duration ' +
      `such as "500ms" or "1m30s", for everything; default ${DEFAULT_TIMEOUT}, at most ${MAX_TIMEOUT}). The ` +
      'response has `status_code`, `body` (the bytes as they came), `body_size`, `headers` (by canonical name, as ' +
      '`resp.headers["Content-Type"]`), `cookies` (those the server set, by name) and `url` (where redirects led). ' +
      'Any status is a response; a failure is nil and an error: `timeout`, `not_connected`, `not_found` (the host), ' +
      '`decode_error` (no HTTP), `invalid_argument`, `too_large` (a body or a request over ' +
      `${HTTP_LIMITS.bodyBytes / 2 ** 20} MiB, more than ${HTTP_LIMITS.redirects} redirects), \`overloaded\` (more ` +
      `than ${HTTP_LIMITS.concurrent} requests of this engine under way). Headers of the connection and of the ` +
      "body's length are set by Moonwire, those given are left out; user, password and cookies do not follow a " +
      'redirect to another host.',
    params: [
      value('method', 'text', '"GET", "POST", …'),
      value('url', 'text', 'http or https'),
      optional('options', 'value', 'a table'),
    ],
    returns: [value('response', 'value')],
    waits: true,
    example:
      'local resp, err = mix.http.request("GET", "http://127.0.0.1:8080/users", {\n' +
      '  query = { name = "ann" }, auth = { username = "gw", password = "x" }, timeout = "5s"\n})\n' +
      'if resp and resp.status_code == 200 then print(mix.json_decode(resp.body)) end',
    run: ({ station }, method: string, url: string, options: unknown) =>
      orFailure(() => {
        const request = buildRequest(method, url, options);
        return station.engine.services.http.request(request).then(responseTable, failureOf);
      }),
  },
];
