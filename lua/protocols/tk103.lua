-- TK103: trackers of Coban's second family (TK103, TK103A/B, GPS103B in "TK" mode), and its relatives of Megastek and
-- Gotop, all in parentheses.
--
--   (012345678901BR00080612A2232.9806N11404.9355E000.1022828000.0000000000L000230AA)
--    device (12), command (4), yymmdd, validity, latitude, longitude, km/h, hhmmss, course, state, L, odometer
--   (123456789012345,DW3B,ddmmyy,A,4154.51607N,4578.9502E,0.050,hhmmss,0.000,595.2,7,0)
--    the same between commas, in other units of command; the date is the other way round
--
-- The login BP00 is answered AP01HSO, BP05 (login with a position) AP05. Text between two $ may hold parentheses.
-- To command a device: conn:send { type = "command", name = "engine_stop" }, or { type = "command", text = "AV010" };
-- with `alternative = true` in the form [begin]sms2,…,[end] that some understand instead.

local commands = require "protocols.tk103.commands"
local positions = require "protocols.tk103.positions"
local readers = require "protocols.tk103.readers"

--- Device, command and the rest; whether they stand between commas.
local function split(body)
  local id, command, rest = body:match("^(%w+),(%w%w%w%w),(.*)$")
  if id then return id, command, rest, true end
  if body:find("^%u%u%w%w", 13) then return body:sub(1, 12), body:sub(13, 16), body:sub(17), false end
  id, command, rest = body:match("^(%w+)(B%u%d%d)(.*)$")
  return id, command, rest, false
end

--- What stands in parentheses. A frame that was cut off runs into the next one, which begins with the last opening one
-- where no text has some.
local function body_of(frame)
  if frame:find("(", 2, true) and not frame:find("$", 1, true) then frame = frame:match("^.*(%(.*)$") end
  local last = #frame
  while last > 0 and frame:find("^%s", last) do last = last - 1 end
  return frame:sub(frame:find("^%(") and 2 or 1, frame:byte(last) == 0x29 and last - 1 or last)
end

local function decode(frame, session)
  local body = body_of(frame)
  if body == "" then return nil end
  local id, command, rest, commas = split(body)
  if not id then return nil, "no device and command" end
  session.device_id = id
  local message = { device_id = id, command = command, alarm = commands.alarms[command], ignition = commands.ignition[command] }
  local read = readers[command]
  if not (read and read(message, rest)) and not positions(message, rest, commas) then
    message.type, message.text = "unknown", rest
  end
  message.layout = commas and "commas" or nil
  if message.type == "location" and message.alarm then message.type = "alarm" end
  return message
end

-- Between commas nothing is answered.
local ANSWERS = { BP00 = "AP01HSO", BP05 = "AP05" }

local function reply(message)
  local answer = not message.layout and ANSWERS[message.command]
  return answer and "(" .. message.device_id .. answer .. ")" or nil
end

return {
  name = "tk103",
  frame = mix.frame.delimiter { start = "(", ends = ")", keep = true, quote = "$", max = 2048 },
  decode = decode,
  encode = commands.encode,
  reply = reply,
}
