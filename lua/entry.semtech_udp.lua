-- LoRa gateways that run the Semtech UDP packet forwarder: what they receive, and frames for them to send.
--
--   engine:
--     servers:
--       - { name: lora, port: 1700, transport: udp, entry: lua/entry.semtech_udp.lua }

protocol = require "protocols.semtech_udp"

function on_message(msg, conn)
  -- A gateway pushes from one port and pulls from another: what is sent to it goes where it pulls from.
  if msg.type == "pull_data" then
    if conn:device_id() ~= msg.device_id then conn:attach(msg.device_id) end
  elseif msg.type == "push_data" then
    for _, packet in ipairs(msg.rxpk or {}) do
      local sender = packet.lorawan and (packet.lorawan.dev_addr or packet.lorawan.dev_eui) or "unknown"
      mix.log(mix.INFO, string.format("%s hears %s at %s dBm", msg.device_id, sender, tostring(packet.rssi)))
      local ok, err = mix.report(msg.device_id, { device = sender, data = packet.data, rssi = packet.rssi, lsnr = packet.lsnr })
      if not ok then mix.log(mix.WARN, msg.device_id .. ": not reported: " .. err) end
    end
  elseif msg.type == "tx_ack" and msg.error ~= "NONE" then
    mix.log(mix.WARN, string.format("%s did not send: %s", msg.device_id, msg.error))
  end
end

-- { "name": "send", "params": { "freq": 868.1, "datr": "SF7BW125", "codr": "4/5", "data": "…" } }
function on_command(cmd, conn)
  if cmd.name ~= "send" then return nil, "unknown command " .. cmd.name end
  local err = conn:send { type = "pull_resp", txpk = cmd.params }
  if err then return nil, err end
  return { sent = true }
end
