-- What a packet of a Teltonika device holds: codec, number of records, the records, their number once more.

local answers = require "protocols.teltonika.answers"
local records = require "protocols.teltonika.records"

local packets = {}

local CODEC_8, CODEC_8_EXTENDED, CODEC_16, CODEC_7 = 0x08, 0x8e, 0x10, 0x07

local READERS = {
  [CODEC_8] = records.codec8,
  [CODEC_8_EXTENDED] = records.codec8_extended,
  [CODEC_16] = records.codec16,
  [CODEC_7] = records.codec7,
}

--- Reads `count` records; returns them and the position behind them, or nil and an error.
local function read_records(read, frame, at, count, wide)
  local list = {}
  for i = 1, count do
    local record
    record, at = read(frame, at, wide)
    if not record then return nil, "record " .. i .. " of " .. count .. " is cut off" end
    list[i] = record
  end
  return list, at
end

--- Reads the packet at `at`: a list of messages with `records`, the number to acknowledge, where that is wanted.
function packets.decode(frame, at, session)
  if #frame < at + 1 then return nil, "no packet" end
  local codec, count, after = string.unpack("BB", frame, at)
  local read = READERS[codec]
  if not read then return answers.decode(codec, count, frame, after, session) end
  local list, rest = read_records(read, frame, after, count)
  if codec == CODEC_8 and (not list or frame:byte(rest) ~= count) then
    -- Some models add elements of 16 bytes without saying so; the second number tells.
    local wide, wide_rest = read_records(read, frame, after, count, true)
    if wide and frame:byte(wide_rest) == count then list = wide end
  end
  if not list then return nil, rest end
  if count == 0 then return { type = "empty", device_id = session.device_id, records = 0 } end
  for _, message in ipairs(list) do message.device_id = session.device_id end
  list.records = count
  return list
end

return packets
