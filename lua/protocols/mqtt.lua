-- MQTT control packets (OASIS MQTT 3.1.1 and 5.0, MQTT 3.1), the server's side.
--
--   type and flags (1) · remaining length (1 to 4) · …
--
-- A message is the packet with the field names of mqtt-packet, and `type`: { type = "publish", topic, payload, qos,
-- messageId … }, { type = "connect", clientId, username, password, will … }. `device_id` is the client id from the
-- connect on.
--
-- Publishes (QoS 1 and 2), pubrel and pingreq are acknowledged. Whether a client may connect and subscribe is the
-- script's to say:
--
--   conn:send { type = "connack", returnCode = 0, sessionPresent = false }       -- version 5: reasonCode
--   conn:send { type = "suback", messageId = msg.messageId, granted = { 0 } }
--   conn:send { type = "publish", topic = "a/b", payload = "on", qos = 0 }

local MAX_PACKET = 1024 * 1024

local function options_of(session) return { version = session.version or 4, max = MAX_PACKET } end

local function decode(frame, session)
  local packet, err = mix.codec.decode("mqtt", frame, options_of(session))
  if not packet then return nil, err end
  packet.type, packet.cmd = packet.cmd, nil
  if packet.type == "connect" then
    local version = packet.protocolVersion
    session.version = version == 5 and 5 or version == 3 and 3 or 4
    session.device_id = packet.clientId ~= "" and packet.clientId or nil
  end
  packet.device_id = session.device_id
  return packet
end

local function encode(message, session)
  if type(message) ~= "table" then return nil, "a packet is a table with its type" end
  local packet = {}
  for name, value in pairs(message) do packet[name] = value end
  packet.cmd, packet.type, packet.device_id = message.type, nil, nil
  return mix.codec.encode("mqtt", packet, options_of(session))
end

local function reply(message, session)
  local answer
  if message.type == "pingreq" then
    answer = "pingresp"
  elseif message.type == "pubrel" then
    answer = "pubcomp"
  elseif message.type == "publish" and message.qos > 0 then
    answer = message.qos == 1 and "puback" or "pubrec"
  end
  return answer and (encode({ type = answer, messageId = message.messageId }, session))
end

return {
  name = "mqtt",
  frame = mix.frame.varint { at = 2, max = MAX_PACKET },
  decode = decode,
  encode = encode,
  reply = reply,
}
