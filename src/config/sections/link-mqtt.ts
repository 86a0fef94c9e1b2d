/** `mqtt` of a link: a broker of which the engine is a client. */

import { urls } from '../url.js';
import {
  duration,
  flag,
  list,
  numberOf,
  optional,
  required,
  section,
  setting,
  text,
  wholeNumber,
} from '../values.js';
import { connecting, MAX_ADDRESSES } from './remote.js';
import { clientTls } from './tls.js';

const DAY = 86_400;
const qos = () => setting(numberOf([0, 1, 2]), 1, 'Quality of service, at most.');

const subscription = section({
  topic: required(text(1024, 'a topic'), 'Topic, + and # standing for any.'),
  qos: qos(),
});

const will = section({
  topic: required(text(1024, 'a topic'), 'Topic it is published under.'),
  payload: setting(text(4096), 'offline', 'What is published.'),
  qos: qos(),
  retain: setting(flag(), false, 'The broker keeps it for new subscribers.'),
});

/** Schema of a link's `mqtt`. */
export const mqttLink = section({
  url: required(
    urls(['mqtt', 'mqtts', 'ws', 'wss'], true, MAX_ADDRESSES),
    'The broker: mqtt://host:1883, mqtts:// for TLS, or ws:// and wss://; a list is tried in turn.',
  ),
  username: optional(text(256), 'User.'),
  password: optional(text(1024), 'Password, best taken from the environment.'),
  clientId: optional(text(128), 'Client identifier; made of the names of engine and link when left out.'),
  version: setting(numberOf([4, 5]), 5, 'Protocol version: 5, or 4 for MQTT 3.1.1.'),
  keepAlive: setting(
    wholeNumber(1, 65_535),
    60,
    'Seconds of keep-alive: pings are sent at half of it, and a broker silent for one and a half is left.',
  ),
  clean: setting(
    flag(),
    true,
    'Begins anew with each connection; false: the broker keeps messages of QoS 1 and 2 while the link is away.',
  ),
  sessionExpiry: setting(
    duration(0, 3650 * DAY),
    '7d',
    'How long a broker of MQTT 5 keeps them, with clean: false.',
  ),
  subscribe: setting(list(subscription, 256), [], 'What is subscribed to.'),
  will: optional(will, 'What the broker publishes when the link is lost.'),
  ...connecting,
  tls: optional(clientTls, 'What mqtts:// and wss:// use.'),
});
