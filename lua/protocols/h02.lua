-- H02: trackers of many makers that speak the protocol of Shenzhen Huayuan's ("HQ") H02, also sold as Sinotrack ST-901,
-- TK-102B, Xexun, GTRACK4G …
--
--   *HQ,device,V1,hhmmss,A,ddmm.mmmm,N,dddmm.mmmm,E,knots,course,ddmmyy,status#      text, from * to #
--   24 · device (5) · hhmmss · ddmmyy · latitude (4) · battery · longitude (4½) · flags (½) · knots (1½) · course (1½)
--      · status (4) · …                                       binary, packed decimal; 58 for what was stored meanwhile
--
-- Devices with an IMEI have 8 bytes for it in the binary form. What follows the status differs by model and nothing
-- tells its length, so a frame ends with what was received or where another one begins.
-- A device expects V1 and NBR (its cells) acknowledged by V4 with the time, heartbeats by their echo.
-- To command a device: conn:send { type = "command", name = "engine_stop" }, or { type = "command", text = "S20,1,1" }.

local commands = require "utils.commands"
local binary = require "protocols.h02.binary"
local sentences = require "protocols.h02.sentences"

local function decode(frame, session)
  local first = frame:byte(1)
  local read = first == 0x2a and sentences or (first == 0x24 or first == 0x58) and binary
  if not read then
    if frame:find("^%s*$") then return nil end
    return nil, "neither text nor a binary frame"
  end
  local message, err = read(frame)
  if not message then return nil, err end
  if message.device_id then session.device_id = message.device_id end
  message.device_id = session.device_id
  return message
end

local function reply(message)
  local command, id = message.command, message.device_id
  if not id then return nil end
  if command == "V1" or command == "NBR" then
    return string.format("*HQ,%s,V4,%s,%s#", id, command, os.date("!%Y%m%d%H%M%S"))
  end
  if message.type == "heartbeat" and command ~= "XT" then
    return string.format("*%s,%s,%s#", message.maker, id, command)
  end
end

-- Commands and their parameters; the time of day stands between.
local COMMANDS = {
  alarm_arm = "SCF,0,0", alarm_disarm = "SCF,1,1", engine_stop = "S20,1,1", engine_resume = "S20,1,0",
}

--- `text`: the command and its parameters, without time; or `name`: one of the above or "position_periodic" with
-- `interval` in seconds. `time` (Unix seconds, now by default) is the time of the command.
local function encode(message, session)
  local id, text = commands.addressed(message, session, COMMANDS)
  if not id then return nil, text end
  if message.name == "position_periodic" then
    local interval = math.tointeger(message.interval)
    if not interval or interval < 1 or interval > 86400 then return nil, "interval must be 1 to 86400 seconds" end
    text = "S71,22," .. interval
  end
  if type(text) ~= "string" or not text:find("^%w[^*#\r\n]*$") or #text > 500 then
    return nil, "needs the name of a command, or text of 1 to 500 characters without * and #"
  end
  local time = math.tointeger(message.time or os.time())
  if not time or time < 0 then return nil, "time must be Unix seconds" end
  local command, parameters = text:match("^([^,]*)(.*)$")
  return string.format("*HQ,%s,%s,%s%s#", id, command, os.date("!%H%M%S", time), parameters)
end

-- Device, time, date and latitude, with room for an IMEI.
local DECIMALS = { name = "bcd", from = 2, to = 16 }

return {
  name = "h02",
  frame = mix.frame.any {
    mix.frame.delimiter { start = "*", ends = "#", keep = true, max = 1024 },
    mix.frame.fixed { start = "$", size = { 32, 42, 45, 46, 48 }, check = DECIMALS },
    mix.frame.fixed { start = "X", size = 32, check = DECIMALS },
    mix.frame.fixed { start = "\r\n", size = 2 }, -- some end their lines
  },
  decode = decode,
  encode = encode,
  reply = reply,
}
