-- HAN ports: what electricity meters of Kaifa, Aidon, Kamstrup and Landis+Gyr push in DLMS/COSEM (IEC 62056-46, -53),
-- by M-Bus wires at 2400 8N1 or 8E1; Norway, Sweden, Denmark and others.
--
--   7e · format and length (2) · addresses · control · header check (2) · e6 e7 00 · message · check (2) · 7e
--   message: 0f · invoke id (4) · date · data
--
-- A meter pushes short lists every few seconds and longer ones every hour:
-- { type = "list", manufacturer, device_id, meter_type, list_version, time?, local_time?,
--   values = { { name, value, unit, obis }, … } }        in W, Wh, var, varh, A, V
-- Lists that are encrypted are told as { type = "encrypted", system_title, device_id, manufacturer, frame_counter }.
--
-- Many meters do not say in which zone their date is: then there is `local_time` ("2020-01-25T13:09:30") but no
-- `time`, unless they are known to follow one clock all year:
--
--   protocol = require("protocols.dlms_han").new { utc_offset = 1 }       hours ahead of UTC

local read_apdu = require "protocols.dlms_han.apdu"

local FCS = "CRC-16/IBM-SDLC"
local SEGMENTED = 0x08
-- Which of client and server sends, and the quality, which is 0.
local LLC = "^\xe6[\xe6\xe7]\0"
-- All segments of one message together; the longest frame has 2047 bytes.
local MAX_SEGMENTS_BYTES, MAX_FRAME = 65536, 4100
-- Seconds: the longest lists, of 600 bytes, take 2.5 s at 2400 8N1.
local PARTIAL = 5

--- The position behind an address, whose last byte has bit 0 set.
local function skip_address(frame, at)
  for size = 1, 4 do
    local byte = frame:byte(at + size - 1)
    if not byte then return nil end
    if byte & 1 ~= 0 then return at + size end
  end
  return nil
end

--- The information field of a frame without flags and check sequence; nil and an error when there is none.
local function information(frame)
  local at = skip_address(frame, 3)
  at = at and skip_address(frame, at)
  -- Control, header check sequence, at least a byte.
  if not at or #frame < at + 3 then return nil, "a frame without information" end
  return frame:sub(at + 3), frame:byte(1) & SEGMENTED ~= 0
end

--- A frame with its flags, as datagrams carry it, without flags and check sequence.
local function unflag(frame)
  local content = frame:sub(2, -2)
  if #content < 9 or mix.crc(FCS, content, 1, -3) ~= string.unpack("<I2", content, #content - 1) then
    return nil, "checksum error"
  end
  return content:sub(1, -3)
end

--- The message in one or several frames; nil when more are to come, nil and an error for a frame that has none.
local function message_of(frame, session)
  local err
  if frame:find("^\x7e.*\x7e$") then
    frame, err = unflag(frame)
    if not frame then return nil, err end
  end
  local bytes, segmented = frame, false
  local is_hdlc = frame:find("^[\xa0-\xaf]") ~= nil
  if is_hdlc then
    bytes, segmented = information(frame)
    if not bytes then return nil, segmented end
  end
  -- A message that begins anew gives up segments whose rest was lost.
  if session.segments and not bytes:find(LLC) then bytes = session.segments .. bytes end
  session.segments = nil
  if segmented then
    if #bytes > MAX_SEGMENTS_BYTES then return nil, string.format("more than %d bytes in segments", MAX_SEGMENTS_BYTES) end
    session.segments = bytes
    return nil
  end
  return (bytes:gsub(LLC, "")), is_hdlc
end

local han = { name = "dlms_han" }

--- A protocol module for meters whose clock is `utc_offset` hours ahead of UTC all year.
function han.new(options)
  local hours = options.utc_offset
  if hours ~= nil and (type(hours) ~= "number" or hours < -12 or hours > 14) then
    error("utc_offset must be from -12 to 14", 2)
  end
  local offset = hours and hours * 3600

  return {
    name = han.name,
    frame = mix.frame.dlms_hdlc { max = MAX_FRAME, partial = PARTIAL },

    decode = function(frame, session)
      local bytes, checked = message_of(frame, session)
      if not bytes then return nil, checked end
      local message, after = read_apdu(bytes, { session = session, offset = offset })
      -- Without a check sequence, bytes behind the data mean that it was the rest of a damaged frame.
      if message and not checked and after and after <= #bytes then
        return nil, string.format("%d bytes behind the data", #bytes - after + 1)
      end
      if message then return message end
      return nil, after
    end,
  }
end

for key, value in pairs(han.new {}) do han[key] = value end

return han
