-- GT06 trackers: who is connected, and where.
--
--   engine:
--     servers:
--       - { name: trackers, port: 6790, entry: lua/entry.gt06.lua }

protocol = require "protocols.gt06"

--- A message in words, for the log.
local function describe(msg)
  local parts = { msg.type }
  if msg.latitude then
    parts[#parts + 1] = string.format("%.5f, %.5f%s", msg.latitude, msg.longitude, msg.valid and "" or " (no fix)")
  end
  if msg.speed then parts[#parts + 1] = string.format("%d km/h", msg.speed) end
  if msg.alarm then parts[#parts + 1] = "alarm: " .. msg.alarm end
  if msg.battery then parts[#parts + 1] = string.format("battery %d %%", msg.battery) end
  return table.concat(parts, ", ")
end

-- Runs once for each message, in order. The tracker is acknowledged by the protocol once this has returned, so it
-- keeps what was not taken over.
function on_message(msg, conn)
  if not msg.device_id then
    mix.log(mix.WARN, conn:remote_addr() .. " sends without having logged in: " .. describe(msg))
    return
  end
  mix.log(mix.INFO, msg.device_id .. ": " .. describe(msg))
  if conn:device_id() ~= msg.device_id then conn:attach(msg.device_id) end
  if msg.type == "login" then return end

  local ok, err = mix.report(msg.device_id, msg, { time = msg.time })
  if not ok then mix.log(mix.WARN, msg.device_id .. ": not reported: " .. err) end
end

function on_close(client_id, err)
  mix.log(mix.INFO, string.format("client %s left%s", client_id, err and ": " .. err or ""))
end
