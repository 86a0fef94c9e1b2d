-- Queclink: vehicle and asset trackers of the GL, GV, GMT, GT, GB and CV families (Queclink @Track Air Interface
-- Protocol of each model), in its three encodings:
--
--   text     +RESP:GTFRI,version,IMEI,name,…,send time,count$     live;  +BUFF: stored;  +ACK: answers and heartbeats
--   HEX      +RSP +EVT +INF +ACK +HBD …, mask, length …, send time, count, CRC-16/IBM-3740, 0d 0a
--   records  2b 00 · length (2) · … records … · count (2) · CRC-8/NRSC-5 · 24          2b 10: heartbeat
--
-- Heartbeats in text and HEX are acknowledged. Devices with SACK enabled want every report acknowledged:
-- conn:send { type = "acknowledgement", count = msg.count }. Commands: conn:send { type = "command",
-- text = "AT+GTRTO=gl200,0,,,,,,FFFF$" }.
--
-- A report with several positions becomes several messages. `time` is that of the fix, `sent_at` that of the report;
-- without a fix `time` is that of the report. `last_known` marks a position from before the device lost its fix.
-- `device_id` in HEX is the number of the eight bytes that name the device, `imei` or `name` what they spell.

local hex = require "protocols.queclink.hex"
local records = require "protocols.queclink.records"
local text = require "protocols.queclink.text"

-- From the message type to the count.
local HEX_CHECK = { name = "CRC-16/IBM-3740", from = 5, at = -4 }
local RECORDS_CHECK = { name = "CRC-8/NRSC-5", at = -2 }

local function hex_frame(at, size, start)
  return mix.frame.length { start = start, at = at, size = size, max = 2048, check = HEX_CHECK }
end

local function decode(frame)
  if frame:find("^%+%u+:") then return text.decode(frame) end
  local kind = frame:byte(2)
  if kind == 0x00 or kind == 0x10 then return records.decode(frame) end
  return hex.decode(frame)
end

local function acknowledgement(message)
  if message.type ~= "heartbeat" or not message.protocol_version then return "" end
  return string.format("+SACK:GTHBD,%s,%s$", message.protocol_version, message.count)
end

--- `decoded`: a message or a list of them.
local function reply(decoded)
  local answers = {}
  for i, message in ipairs(decoded[1] and decoded or { decoded }) do answers[i] = acknowledgement(message) end
  local answer = table.concat(answers)
  return answer ~= "" and answer or nil
end

local MAX_COMMAND = 1024

local function encode(message)
  if type(message) ~= "table" then return nil, "a message is a table" end
  if message.type == "acknowledgement" then
    local count = message.count
    if type(count) ~= "string" or not count:find("^%x%x%x%x$") then return nil, "count must be 4 hexadecimal digits" end
    return "+SACK:" .. count .. "$"
  end
  if message.type ~= "command" then return nil, "can encode types command and acknowledgement" end
  local command = message.text
  if type(command) ~= "string" or #command > MAX_COMMAND or not command:find("^AT[+@][^$]+%$?$") then
    return nil, string.format("text must be one command, AT+…$, of up to %d bytes", MAX_COMMAND)
  end
  return command:find("%$$") and command or command .. "$"
end

return {
  name = "queclink",
  frame = mix.frame.any {
    -- Some models leave out the last "$"; the count at the end tells a whole report from a part of one.
    mix.frame.delimiter { start = { "+RESP:", "+BUFF:", "+ACK:" }, ends = "$", max = 4096, rest = true },
    hex_frame(10, 2, { "+RSP", "+BSP", "+EVT", "+BVT" }),
    hex_frame(8, 2, { "+INF", "+BNF" }),
    hex_frame(7, 2, { "+CRD", "+BRD", "+LGN" }),
    hex_frame(7, 1, "+ACK"),
    hex_frame(6, 1, "+HBD"),
    mix.frame.length { start = { "+\0", "-\0" }, at = 3, size = 2, max = 2048, check = RECORDS_CHECK },
    mix.frame.length { start = "+\x10", at = 3, size = 1, check = RECORDS_CHECK },
  },
  decode = decode,
  encode = encode,
  reply = reply,
}
