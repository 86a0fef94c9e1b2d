-- Devices that speak MQTT: who may connect, what they may do, and what becomes of what they publish.
--
--   engine:
--     servers:
--       - { name: mqtt, port: 1883, protocol: mqtt, entry: lua/entry.mqtt.lua, options: { password: "${MQTT_PASSWORD}" } }
--
-- A device publishes readings as JSON under site/DEVICE/report and listens to site/DEVICE/#:
--   mosquitto_pub -u meter-1 -P … -t site/meter-1/report -q 1 -m '{"power":1250}'
-- Anybody reaches it with mix.mesh.publish("site/meter-1/set", …) or POST /v1/mesh/publish.

local password = mix.server.option "password"

-- Only whoever knows the password, and under its own name.
function on_authenticate(login, conn)
  if not password or login.password ~= password then return false, "bad_credentials" end
  conn:attach(login.username)
  return true
end

-- A device keeps to its own topics.
function on_authorize(action, topic, conn)
  local own = "site/" .. conn:device_id() .. "/"
  return topic:sub(1, #own) == own
end

-- The device has its acknowledgement (QoS 1 and 2) once the report is safe.
function on_message(msg, conn)
  if not msg.topic:find "/report$" then return end
  local values, err = mix.json_decode(msg.payload)
  if not values then
    mix.log(mix.WARN, string.format("%s: %s", msg.topic, err))
    return
  end
  mix.report(conn:device_id(), values, { durable = msg.qos > 0 })
end
