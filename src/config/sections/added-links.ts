/** `engine.addedLinks`: links that are added while the engine runs. */

import { flag, section, setting, wholeNumber } from '../values.js';

/** Schema of `engine.addedLinks`. */
export const addedLinks = section({
  max: setting(wholeNumber(0, 256), 64, 'How many there may be beside those of this file.'),
  byScripts: setting(flag(), false, 'Scripts may add and change them too (mix.link), not only the API.'),
});
