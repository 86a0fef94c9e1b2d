/** `mix.template`: device templates, data in the script roots. */

import { type ApiFunction, value } from '../api.js';
import { LuaError } from '../executor.js';
import type { Loader } from '../loader.js';
import { readTemplate } from '../template/read.js';
import { orRaise } from './failure.js';

/** What the function needs of a VM. */
export interface TemplateHost {
  readonly loader: Loader;
}

export const templateFunctions: ApiFunction<TemplateHost>[] = [
  {
    name: 'mix.template',
    doc:
      'The registers of a device: templates/devices/NAME.yaml of the first script root that has it, checked, with ' +
      'its defaults applied. A table as written in the file (see templates/devices/README.md); each of its `points` has also ' +
      '`count`, its registers. Call it once, when the script loads. Raises, with the file and line of each problem, ' +
      'when there is no such template or something in it is wrong.',
    params: [value('name', 'string', 'as "eastron_sdm120"')],
    returns: [value('template', 'value')],
    example: 'local meter = mix.template("eastron_sdm120")\nprint(meter.title, #meter.points)',
    run: ({ loader }, name: string) => {
      if (!/^[\w-]{1,64}$/.test(name)) throw new LuaError('mix.template: a name is like eastron_sdm120');
      const found = loader.data(`templates/devices/${name}.yaml`);
      if ('tried' in found) throw new LuaError(`there is no template ${name}: ${found.tried.join(', ')}`);
      const { source } = found;
      return orRaise(() => readTemplate(new TextDecoder().decode(source.bytes), source.name));
    },
  },
];
