/** `mix.parse_str`, `mix.parse_url`, as CONNMIX has them. */

import { type ApiFunction, value } from '../api.js';
import { orFailure } from './failure.js';
import { parseQuery } from './query.js';
import { splitUrl } from './url-parts.js';

export const urlFunctions: ApiFunction<unknown>[] = [
  {
    name: 'mix.parse_str',
    doc:
      "A query string as a table, by the rules of PHP's parse_str: values are strings, a later one replaces an " +
      'earlier one of the same name, `a[]=1&a[]=2` gives a list (from 1), `a[x][y]=1` nested tables. Returns nil ' +
      'and an error beyond 1,000 variables or 64 brackets in a name.',
    params: [value('query', 'string')],
    returns: [value('variables', 'value')],
    example: 'local t = mix.parse_str("id=7&tag[]=a&tag[]=b")\nprint(t.id, #t.tag)',
    run: (_, query: string) => orFailure(() => parseQuery(query)),
  },
  {
    name: 'mix.parse_url',
    doc:
      'The parts of a URL: scheme, opaque, user, host (with the port), path (decoded), raw_path, force_query (a ' +
      'boolean), raw_query, fragment (decoded), raw_fragment, and `query`, the table that `mix.parse_str` makes of ' +
      'raw_query. Absent parts are empty strings; raw_path and raw_fragment are set only where encoding path and ' +
      'fragment gives something else than was written. Returns nil and an error for what is no URL.',
    params: [value('url', 'string')],
    returns: [value('parts', 'value')],
    example: 'local t = mix.parse_url("/chat?room=7")\nprint(t.path, t.query.room)',
    run: (_, url: string) =>
      orFailure(() => {
        const { force_query, ...texts } = splitUrl(url);
        const parts = new Map<string, unknown>(
          Object.entries(texts).map(([name, text]) => [name, Buffer.from(text, 'latin1')]),
        );
        return parts.set('force_query', force_query).set('query', parseQuery(texts.raw_query));
      }),
  },
];
