-- Positions of trackers, as in gt06.lua, and looked at by a handler.
protocol = require "protocols.gt06"

local fastest = 0

function on_message(message)
  if message.speed and message.speed > fastest then fastest = message.speed end
end
