-- Teltonika: vehicle and asset trackers of the FM, FMB, FMC, FMM, TAT and GH families
-- (Teltonika wiki, "Teltonika Data Sending Protocols": Codec 8, 8 Extended, 16, 12, 13, 14, 15; Codec 7 of GH3000).
--
-- TCP   login    length (2) · IMEI, ASCII                                              answered 01
--       data     00 00 00 00 · length (4) · codec (1) … count (1) · CRC-16/ARC over codec…count (4)
--                                                                 answered by the number of records (4)
--       ff       keep-alive, not answered
-- UDP   length (2) · packet id (2) · 01 · AVL packet id (1) · IMEI length (2) · IMEI · codec (1) … count (1)
--                                                 answered 00 05 · packet id · 01 · AVL packet id · number of records
--
-- Messages carry `device_id` from the login or the datagram on; each record of a packet becomes one.
-- To command a device: conn:send { type = "command", text = "getinfo" }, with codec = 14 for those that want their
-- IMEI in it; the answer comes as { type = "command_response", text = … }.

local camera = require "protocols.teltonika.camera"
local packets = require "protocols.teltonika.packets"
local frame_of = require "protocols.teltonika.frame"

local KEEP_ALIVE = "\xff"
-- A data packet: preamble, and a length below 65,536.
local DATA = ("\0"):rep(6)

--- What a login begins with: the number of digits, and the first of them.
local function login_starts()
  local starts = {}
  for digits = 14, 17 do
    for first = 0, 9 do starts[#starts + 1] = string.pack(">I2", digits) .. first end
  end
  return starts
end

local function decode_login(frame, session)
  local imei = frame:sub(3)
  if not imei:find("^%d+$") then return nil, "no IMEI" end
  session.device_id = imei
  return { type = "login", device_id = imei }
end

--- A datagram, which says whose it is and which packet it brings.
local function decode_datagram(frame, session)
  if #frame < 10 then return nil, "too short" end
  local packet_id, avl_packet_id, size, at = string.unpack(">I2xBI2", frame, 3)
  local imei = frame:sub(at, at + size - 1)
  if size > 17 or not imei:find("^%d+$") then return nil, "no IMEI" end
  session.device_id = imei
  local decoded, err = packets.decode(frame, at + size, session)
  if not decoded then return nil, err end
  decoded.packet_id, decoded.avl_packet_id = packet_id, avl_packet_id
  return decoded
end

local function decode(frame, session)
  if frame == KEEP_ALIVE then return nil end
  if #frame < 4 then return nil, "too short" end
  if frame:sub(1, 4) == DATA:sub(1, 4) then return packets.decode(frame, 9, session) end
  if frame:byte(1) == 0 and frame:byte(2) <= 17 then return decode_login(frame, session) end
  return decode_datagram(frame, session)
end

--- `decoded`: a login, or a packet's records with how many there were.
local function reply(decoded)
  if decoded.type == "login" then return "\1" end
  if decoded[1] and decoded[1].type == "photo" then return camera.request(decoded[1]) end
  if not decoded.records then return nil end
  if decoded.packet_id then
    return string.pack(">I2I2BBB", 5, decoded.packet_id, 1, decoded.avl_packet_id, decoded.records)
  end
  return string.pack(">I4", decoded.records)
end

local CODEC_12, CODEC_14, COMMAND = 0x0c, 0x0e, 5
local MAX_TEXT = 1024

local function encode(message, session)
  if type(message) ~= "table" or message.type ~= "command" then
    return nil, "can encode { type = \"command\", text }"
  end
  local text, codec = message.text, message.codec or 12
  if type(text) ~= "string" or #text < 1 or #text > MAX_TEXT then
    return nil, string.format("text must have 1 to %d bytes", MAX_TEXT)
  end
  if codec == 12 then return frame_of(CODEC_12, COMMAND, text) end
  if codec ~= 14 then return nil, "codec must be 12 or 14" end
  local imei = message.device_id or session.device_id
  if type(imei) ~= "string" or not imei:find("^%d+$") or #imei > 16 then
    return nil, "codec 14 needs the device's IMEI"
  end
  return frame_of(CODEC_14, COMMAND, mix.unhex(("0"):rep(16 - #imei) .. imei) .. text)
end

return {
  name = "teltonika",
  frame = mix.frame.any {
    mix.frame.fixed { start = KEEP_ALIVE, size = 1 },
    mix.frame.length { start = login_starts(), at = 1, size = 2, add = 2 },
    -- The longest are the parts of photographs and lists of beacons.
    mix.frame.length {
      start = DATA, at = 5, size = 4, add = 12, max = 8192,
      check = { name = "CRC-16/ARC", from = 9, to = -5, at = -2 },
    },
  },
  datagrams = true, -- over UDP packets have a head of their own
  decode = decode,
  encode = encode,
  reply = reply,
}
