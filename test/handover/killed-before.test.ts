/** Before the new process has the store. */

import { killAt } from '../support/killed.js';

killAt((step) => ['new-checked', 'ready', 'rested', 'suspended', 'new-taken'].includes(step));
