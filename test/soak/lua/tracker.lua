-- Trackers carry their number in the time of a position: BASE and so many seconds.

local BASE = 1750000000
protocol = require("protocols." .. mix.server.option "protocol")

function on_message(msg, conn)
  if not msg.device_id then return end
  if conn:device_id() ~= msg.device_id then conn:attach(msg.device_id) end
  if msg.time then
    local ok, err = mix.report(msg.device_id, { n = msg.time - BASE }, { topic = "durable", durable = true })
    if not ok then error(err) end
  end
end
