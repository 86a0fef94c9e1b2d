-- GPS103: trackers of Coban (GPS103, TK102, TK103B, TK303) and their many copies, "imei:" text.
--
--   ##,imei:123456789012345,A;                                                          login, answered LOAD
--   123456789012345;                                                                    heartbeat, answered ON
--   imei:…,tracker,yymmddhhmm,phone,F,hhmmss.000,A,ddmm.mmmm,N,dddmm.mmmm,E,knots,course,altitude,…;    position
--   imei:…,tracker,…,L,,,lac,,cell,,,;                                                  the serving cell without one
--
-- Sentences end with ; or * or a line end, and some devices leave the last one out: what has waited a second is taken.
-- The word behind the IMEI names the alarm. The first time is the device's local one; what follows F is UTC and tells
-- by how much the first is off. An SOS is confirmed, or the device repeats it.
-- To command a device: conn:send { type = "command", name = "engine_stop" }, or { type = "command", text = "J" }.

local commands = require "utils.commands"
local sentences = require "protocols.gps103.sentences"

-- The longest sentence that says no more than who the device is.
local MAX_LOGIN = 27

--- One sentence. Where one was cut off it runs into the next, which begins with the last imei: in it.
local function read(text, session)
  local at = text:find("imei:", 1, true)
  if at and text:find("imei:", at + 5, true) then at = text:match("^.*()imei:") end
  local is_heartbeat = text:find("^%d") ~= nil
  if not at then
    if not is_heartbeat then return nil, "no imei:" end
    if text:find("^%d+$") and #text == 15 then session.device_id = text end
    return { type = "heartbeat" }
  end
  local sentence = text:sub(at)
  if #sentence <= MAX_LOGIN or text:find("##", 1, true) then
    session.device_id = sentence:match("^imei:(%w+)")
    if not session.device_id then return nil, "no IMEI" end
    return { type = "login" }
  end
  local message, err = sentences(sentence)
  if not message then return nil, err end
  session.device_id = message.device_id
  -- A heartbeat before it that lost its end, but wants its answer.
  message.after_heartbeat = is_heartbeat or nil
  return message
end

--- A datagram comes with its terminators and may hold several sentences.
local function decode(frame, session)
  local messages, problem = {}, nil
  for text in frame:gmatch("[^;*\r\n]*[^;*%s][^;*\r\n]*") do
    local message, err = read(text, session)
    if message then
      message.device_id = session.device_id
      messages[#messages + 1] = message
    else
      problem = err
    end
  end
  if #messages == 0 then return nil, problem end
  return #messages > 1 and messages or messages[1]
end

local function reply_to(message)
  if message.type == "login" then return "LOAD" end
  local answer = (message.type == "heartbeat" or message.after_heartbeat) and "ON" or ""
  if message.alarm == "sos" then answer = answer .. "**,imei:" .. message.device_id .. ",E;" end
  return answer
end

local function reply(decoded)
  if not decoded[1] then return reply_to(decoded) end
  local answers = {}
  for i, message in ipairs(decoded) do answers[i] = reply_to(message) end
  return table.concat(answers)
end

local COMMANDS = {
  position_stop = "A", position_single = "B", engine_stop = "J", engine_resume = "K", alarm_arm = "L",
  alarm_disarm = "M", request_photo = "160",
}

--- Seconds as the device counts them: 30s, 05m, 01h.
local function interval_text(seconds)
  if seconds >= 3600 then return string.format("%02dh", seconds // 3600) end
  if seconds >= 60 then return string.format("%02dm", seconds // 60) end
  return string.format("%02ds", seconds)
end

--- `name`: one of the above or "position_periodic" with `interval` in seconds; or `text`: what follows the IMEI.
local function encode(message, session)
  local id, text = commands.addressed(message, session, COMMANDS)
  if not id then return nil, text end
  if message.name == "position_periodic" then
    local interval = math.tointeger(message.interval)
    if not interval or interval < 1 or interval > 359999 then return nil, "interval must be 1 to 359999 seconds" end
    text = "C," .. interval_text(interval)
  end
  if type(text) ~= "string" or not text:find("^[^;\r\n]+$") or #text > 500 then
    return nil, "needs the name of a command, or text of 1 to 500 characters without ; and line ends"
  end
  return "**,imei:" .. id .. "," .. text
end

return {
  name = "gps103",
  frame = mix.frame.delimiter { ends = { ";", "*", "\r\n", "\n" }, rest = true, partial = 1, max = 4096 },
  decode = decode,
  encode = encode,
  reply = reply,
}
