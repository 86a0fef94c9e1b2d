-- GT06 trackers: who is connected, and where.
--
--   engine:
--     servers:
--       - { name: trackers, port: 6790, entry: lua/entry.gt06.lua }

-- Commands, and what the tracker answers to them: `engine_stop`, `engine_resume`, `position_single`, `reboot`, and
-- `text` { text } for any other in the tracker's own words, such as "STATUS#".

protocol = require "protocols.gt06"

local COMMANDS = {
  engine_stop = "DYD,000000#", engine_resume = "HFYD,000000#", position_single = "DWXX,000000#", reboot = "RESET#",
}
local ANSWER_SECONDS = 60

-- Names in the context of a client under which commands wait for their answers.
local waiting = {}
local flag = 0

--- A message in words, for the log.
local function describe(msg)
  local parts = { msg.type }
  if msg.latitude then
    parts[#parts + 1] = string.format("%.5f, %.5f%s", msg.latitude, msg.longitude, msg.valid and "" or " (no fix)")
  end
  if msg.speed then parts[#parts + 1] = string.format("%d km/h", msg.speed) end
  if msg.alarm then parts[#parts + 1] = "alarm: " .. msg.alarm end
  if msg.battery then parts[#parts + 1] = string.format("battery %d %%", msg.battery) end
  return table.concat(parts, ", ")
end

-- Runs once for each message, in order. The tracker is acknowledged by the protocol once this has returned, so it
-- keeps what was not taken over.
function on_message(msg, conn)
  if not msg.device_id then
    mix.log(mix.WARN, conn:remote_addr() .. " sends without having logged in: " .. describe(msg))
    return
  end
  mix.log(mix.INFO, msg.device_id .. ": " .. describe(msg))
  if conn:device_id() ~= msg.device_id then conn:attach(msg.device_id) end
  if msg.type == "login" then return end
  local key = msg.server_flag and "answer " .. msg.server_flag
  if key and waiting[key] then conn:set_context_value(key, msg.text or "") end

  local ok, err = mix.report(msg.device_id, msg, { time = msg.time })
  if not ok then mix.log(mix.WARN, msg.device_id .. ": not reported: " .. err) end
end

-- Runs beside on_message, which brings the answer.
function on_command(cmd, conn)
  local text = COMMANDS[cmd.name]
  if cmd.name == "text" and type(cmd.params) == "table" then text = cmd.params.text end
  if not text then return nil, "invalid_argument: no command " .. cmd.name end
  flag = flag % 0x7fffffff + 1
  local key = "answer " .. flag
  waiting[key] = true
  local err = conn:send { type = "command", text = text, server_flag = flag }
  local answer
  if not err then
    local timer = mix.after(ANSWER_SECONDS, function() conn:set_context_value(key, false) end)
    answer, err = conn:wait_context_value(key)
    timer:cancel()
  end
  waiting[key] = nil
  conn:set_context_value(key, nil)
  if answer then return { text = answer } end
  return nil, err or "timeout: the tracker does not answer"
end

-- Flags of new code follow those of the old code, whose answers may still come.
function on_unload() return flag end
function on_reload(old) flag = tonumber(old) or flag end

function on_close(client_id, err)
  mix.log(mix.INFO, string.format("client %s left%s", client_id, err and ": " .. err or ""))
end
