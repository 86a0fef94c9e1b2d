-- Devices that speak NAME.
--
--   engine:
--     servers:
--       - { name: NAME, port: 6790, entry: lua/entry.NAME.lua }

protocol = require "protocols.NAME"

-- Runs once for each message, in order. The device is acknowledged by the protocol once this has returned.
function on_message(msg, conn)
  local device = conn:device_id() or conn:remote_addr()
  mix.log(mix.INFO, device .. ": " .. mix.json_encode(msg))
  local ok, err = mix.report(device, msg, { time = msg.time })
  if not ok then mix.log(mix.WARN, device .. ": not reported: " .. err) end
end

function on_close(client_id, err)
  mix.log(mix.INFO, string.format("client %s left%s", client_id, err and ": " .. err or ""))
end
