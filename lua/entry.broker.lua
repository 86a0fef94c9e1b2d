-- A site's MQTT broker as a device: what others publish there is reported, and commands go to it.
--
--   engine:
--     links:
--       - name: site
--         mqtt: { url: mqtt://192.0.2.10, clean: false, subscribe: [{ topic: "plant/+/state" }] }
--         entry: lua/entry.broker.lua
--
-- plant/pump-1/state {"flow":4.2} becomes a report of pump-1; the command "set" to pump-1 is published under
-- plant/pump-1/set.

-- A message of QoS 1 or 2 is acknowledged once its report is safe.
function on_message(msg, conn)
  local device = msg.topic:match "^plant/([^/]+)/state$"
  if not device then return end
  local values, err = mix.json_decode(msg.payload)
  if type(values) ~= "table" then
    mix.log(mix.WARN, string.format("%s: %s", msg.topic, err or "no JSON object"))
    return
  end
  conn:attach(device)
  mix.report(device, values, { durable = msg.qos > 0 })
end

function on_command(cmd, conn)
  local err = conn:send { topic = "plant/" .. cmd.device_id .. "/" .. cmd.name, payload = cmd.params or {}, qos = 1 }
  if err then return nil, err end
  return "published"
end
