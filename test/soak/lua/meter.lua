-- A meter that counts how often it was read.

protocol = require "protocols.modbus_rtu"
local rounds = require "utils.rounds"

on_connect, on_close, on_unload, on_reload = rounds.handlers(0.5, function(conn)
  local reply = conn:request({ unit = 1, function_code = 3, address = 0, quantity = 2 }, { priority = "poll" })
  if reply and reply.values then
    mix.report(mix.server.option "device", { n = reply.values[1] * 65536 + reply.values[2] }, { topic = "durable", durable = true })
  end
end)
