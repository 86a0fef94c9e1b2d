-- M-Bus: meters of heat, water, gas and electricity on a two-wire bus (EN 13757-2 and -3, EN 13757-7), by a level
-- converter on a serial port (2400 8E1) or TCP.
--
--   e5                                        acknowledgement
--   10 · C · A · checksum · 16                short frame: a request
--   68 · L · L · 68 · C · A · CI · … · checksum · 16     long frame; L counts C to the last byte before the checksum
--
-- The master asks, conn:send { type = "req_ud2", address = 5 }; the slave answers
-- { type = "data", address, device_id, manufacturer, version, medium, access_number, status,
--   values = { { name, value, unit, storage?, tariff?, subunit?, statistic?, qualifiers? }, … }, more_records? }.
-- `device_id` is the identification number, eight digits. When `more_records` is set, the same request again fetches
-- the next telegram: the frame count bit is toggled with each answer, and stays when none came. Values are in base
-- units (Wh, J, m3, W, s, °C), those of the old fixed structure as the meter counts. Dates are what the meter's clock
-- shows, without a zone; `time` takes it for UTC. `statistic` is "maximum", "minimum", or "error" for a value taken
-- while the meter had an error.
-- Also: { type = "snd_nke", address } (restart), { type = "select", device_id, manufacturer?, version?, medium? } and
-- then address 253, send_data, set_address, set_baud_rate, reset_application, synchronise (mbus/requests.lua).

local application = require "protocols.mbus.application"
local requests = require "protocols.mbus.requests"

-- Which way a frame goes, and the bits of C that count frames.
local FROM_MASTER, COUNT_BITS = 0x40, 0x30
local RSP_UD = 0x08
local ACKNOWLEDGEMENT, SHORT, LONG = 0xe5, 0x10, 0x68

local REQUESTS = { [0x40] = "snd_nke", [0x4a] = "req_ud1", [0x4b] = "req_ud2", [0x49] = "request_status" }

local REQUEST_TYPES = {}
for _, name in pairs(REQUESTS) do REQUEST_TYPES[name] = true end

local function read_short(frame)
  local control, address = frame:byte(2, 3)
  local name = REQUESTS[control & 0xcf]
  if not name then return { type = "unknown", control = control, address = address } end
  local counts = control & 0x10 ~= 0
  local fcb
  if counts then fcb = control & 0x20 ~= 0 end
  return { type = name, address = address, fcb = fcb }
end

local function read_long(frame, session)
  local control, address, ci = frame:byte(5, 7)
  if control & FROM_MASTER == 0 and control & ~COUNT_BITS & 0xff == RSP_UD then requests.answered(session, address) end
  return application.read(ci, frame:sub(8, -3), { address = address })
end

local function decode(frame, session)
  local start = frame:byte(1)
  if start == ACKNOWLEDGEMENT then
    requests.answered(session)
    return { type = "ack" }
  end
  if start == SHORT and #frame == 5 then return read_short(frame) end
  -- C, A and CI, within six bytes of frame.
  if start == LONG and #frame >= 9 then return read_long(frame, session) end
  return nil, "no frame"
end

-- Addresses by which others than the one of that address answer: whoever was selected, whoever is there.
local SELECTED, ANY = 253, 254

--- Whether an answer is that of a request: acknowledgements carry no address.
local function matches(request, message)
  if type(request) == "string" then return message.type == "ack" or message.type == "data" end
  local asks = request.type == "req_ud1" or request.type == "req_ud2"
  if not asks then return message.type == "ack", "wrong_function" end
  -- "Nothing to tell" is an acknowledgement, of requests for alarms only.
  if message.type == "ack" then return request.type == "req_ud1", "wrong_function" end
  if REQUEST_TYPES[message.type] then return false end
  if request.address ~= SELECTED and request.address ~= ANY and message.address ~= request.address then
    return false, "wrong_unit"
  end
  return true
end

return {
  name = "mbus",
  frame = mix.frame.mbus {},
  decode = decode,
  encode = requests.encode,
  matches = matches,
}
