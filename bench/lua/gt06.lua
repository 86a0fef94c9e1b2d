-- Positions of trackers, decoded and acknowledged by the module; no handler looks at them.
protocol = require "protocols.gt06"
