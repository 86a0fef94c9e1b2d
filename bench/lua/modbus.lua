-- A Modbus TCP device that answers reads of its registers; no handler looks at them.
protocol = require "registers"
