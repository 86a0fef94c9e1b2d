-- Sensors that send their readings as text, a line over TCP or a datagram over UDP:
--
--   id=shed-4;temp=21.5;hum=40
--
--   engine:
--     servers:
--       - { name: sensors, port: 6791, transport: udp, entry: lua/entry.line.lua }

protocol = require "protocols.line"

--- name=value pairs; numbers become numbers.
local function parse(text)
  local values = {}
  for name, value in text:gmatch("([%w_]+)=([^;]*)") do values[name] = tonumber(value) or value end
  return values
end

function on_message(msg, conn)
  local values = parse(msg.text)
  if not next(values) then
    mix.log(mix.WARN, string.format("%s sent no readings: %q", conn:remote_addr(), msg.text))
    return
  end
  local device = tostring(values.id or conn:remote_addr())
  values.id = nil
  local ok, err = mix.report(device, values)
  if not ok then mix.log(mix.WARN, device .. ": not reported: " .. err) end
end
