-- Semtech UDP packet forwarder: LoRa gateways (Lora-net/packet_forwarder, PROTOCOL.TXT, versions 1 and 2).
--
--   version (1) · token (2) · identifier (1) · [gateway EUI (8)] · [JSON]
--
--   PUSH_DATA 0 → PUSH_ACK 1      what the gateway received (rxpk) and how it is (stat)
--   PULL_DATA 2 → PULL_ACK 4      keeps the way back open: downlinks go to the address this comes from
--   PULL_RESP 3 → TX_ACK 5        a frame to send (txpk), and what became of it
--
-- Both sides are understood. Acknowledgements echo the token. `device_id` is the gateway's EUI. Each entry of `rxpk`
-- is as received, with `payload` (bytes) and, where the frame is LoRaWAN, `lorawan` beside `data` (base64).
--
-- Gateways push from one port and pull from another, so attach the device on "pull_data" only (see
-- entry.semtech_udp.lua) and send there:
--
--   conn:send { type = "pull_resp", txpk = { imme = true, freq = 868.1, modu = "LORA", datr = "SF7BW125",
--                                            codr = "4/5", powe = 14, payload = bytes } }

local calendar = require "utils.calendar"
local lorawan = require "protocols.semtech_udp.lorawan"

local PUSH_DATA, PUSH_ACK, PULL_DATA, PULL_RESP, PULL_ACK, TX_ACK = 0, 1, 2, 3, 4, 5
local TYPES = {
  [PUSH_DATA] = "push_data", [PUSH_ACK] = "push_ack", [PULL_DATA] = "pull_data", [PULL_RESP] = "pull_resp",
  [PULL_ACK] = "pull_ack", [TX_ACK] = "tx_ack",
}
local HAS_GATEWAY = { [PUSH_DATA] = true, [PULL_DATA] = true, [TX_ACK] = true }
local HAS_JSON = { [PUSH_DATA] = true, [PULL_RESP] = true, [TX_ACK] = true }
local ACKS = { push_data = PUSH_ACK, pull_data = PULL_ACK }
local HEADER = "<BI2B"

--- Bytes of base64, padded or not, of either alphabet; nil for anything else.
local function unbase64(text)
  if type(text) ~= "string" then return nil end
  local standard = text:gsub("[-_]", { ["-"] = "+", ["_"] = "/" }):gsub("=+$", "")
  return (mix.base64_decode(standard .. ("="):rep(-#standard % 4)))
end

--- Seconds of "2013-03-31T16:21:17.528002Z" or "2014-01-12 08:59:28 GMT".
local function read_time(text)
  if type(text) ~= "string" then return nil end
  local date, fraction = text:match "^(%d+%-%d+%-%d+[T ]%d+:%d+:%d+)(%.?%d*)"
  if not date then return nil end
  local year, month, day, hour, min, sec = date:match "(%d+)%-(%d+)%-(%d+)[T ](%d+):(%d+):(%d+)"
  local seconds = calendar.epoch(tonumber(year), tonumber(month), tonumber(day), tonumber(hour), tonumber(min),
    tonumber(sec))
  return seconds and seconds + (tonumber("0" .. fraction) or 0)
end

local function within(value, limit) return value and value >= -limit and value <= limit end

--- A received or sent packet with its payload beside its base64.
local function add_payload(packet)
  packet.payload = unbase64(packet.data)
  packet.lorawan = packet.payload and lorawan.read(packet.payload)
end

local function add_packets(message, list)
  if type(list) ~= "table" then return end
  for _, packet in ipairs(list) do
    if type(packet) == "table" then add_payload(packet) end
  end
  message.rxpk = list
end

--- Position and time of the gateway, some write numbers as text; 0, 0 is what one without a position says.
local function add_status(message, stat)
  if type(stat) ~= "table" then return end
  message.stat, message.time = stat, read_time(stat.time)
  local latitude, longitude = tonumber(stat.lati), tonumber(stat.long)
  if (latitude ~= 0 or longitude ~= 0) and within(latitude, 90) and within(longitude, 180) then
    message.latitude, message.longitude, message.altitude = latitude, longitude, tonumber(stat.alti)
  end
end

local function decode(frame)
  if #frame < 4 then return nil, "too short" end
  local version, token, kind = string.unpack(HEADER, frame)
  if version ~= 1 and version ~= 2 then return nil, string.format("version %d", version) end
  if not TYPES[kind] then return nil, string.format("unknown identifier %d", kind) end
  local message = { type = TYPES[kind], version = version, token = token }
  local at = 5
  if HAS_GATEWAY[kind] then
    if #frame < 12 then return nil, "too short for a gateway EUI" end
    message.device_id = mix.hex(frame:sub(5, 12))
    at = 13
  end
  if not HAS_JSON[kind] then return message end

  -- Some gateways end with a zero byte.
  local text = frame:sub(at):gsub("\0+$", "")
  if text == "" then
    if kind == TX_ACK then message.error = "NONE" return message end
    return nil, "no JSON"
  end
  local json, err = mix.json_decode(text)
  if type(json) ~= "table" then return nil, err or "no JSON object" end
  if kind == PUSH_DATA then
    add_packets(message, json.rxpk)
    add_status(message, json.stat)
  elseif kind == PULL_RESP then
    message.txpk = json.txpk
    if type(json.txpk) == "table" then add_payload(json.txpk) end
  else
    local ack = type(json.txpk_ack) == "table" and json.txpk_ack or {}
    message.error, message.warn, message.value = ack.error or "NONE", ack.warn, ack.value
  end
  return message
end

local function reply(message)
  local kind = ACKS[message.type]
  return kind and string.pack(HEADER, message.version, message.token, kind)
end

--- A downlink. Its `payload` is bytes; `data` and `size` are made of it. The gateway's answer has the same token.
local function encode(message, session)
  if type(message) ~= "table" or message.type ~= "pull_resp" or type(message.txpk) ~= "table" then
    return nil, 'only { type = "pull_resp", txpk } can be encoded'
  end
  local txpk = {}
  for name, value in pairs(message.txpk) do txpk[name] = value end
  if type(txpk.payload) == "string" then
    txpk.data, txpk.size, txpk.payload = mix.base64_encode(txpk.payload), #txpk.payload, nil
  end
  txpk.lorawan = nil
  if unbase64(txpk.data) == nil then return nil, "txpk needs its payload, or data in base64" end
  local json, err = mix.json_encode { txpk = txpk }
  if not json then return nil, err end
  session.token = message.token or ((session.token or 0) + 1) % 0x10000
  return string.pack(HEADER, 2, session.token, PULL_RESP) .. json
end

return { name = "semtech_udp", decode = decode, encode = encode, reply = reply }
