-- What JT/T 808 terminals are told: a row by `type` takes the message and returns the id and body of what is sent, or
-- nil and an error.

local parameters = require "protocols.jt808.parameters"

local commands = {}

--- Whether a value is a whole number from 0 to `most`; absent ones are 0.
local function whole(value, most)
  value = value or 0
  return type(value) == "number" and value % 1 == 0 and value >= 0 and value <= most and value or nil
end

local function needs(what) return nil, nil, what end

--- Text (8300); `flags` 1: an emergency, 4: shown, 8: spoken.
function commands.command(message)
  local flags = whole(message.flags or 1, 255)
  if type(message.text) ~= "string" or message.text == "" then return needs "text must not be empty" end
  if not flags then return needs "flags must be a whole number from 0 to 255" end
  return 0x8300, string.char(flags) .. message.text
end

--- Terminal control (8105): `control` from table 15, such as 4 for a restart; f0 and f1 cut and restore fuel on many
-- trackers. `text`: its arguments.
function commands.control(message)
  local control = whole(message.control, 255)
  if not control then return needs "control must be a whole number from 0 to 255" end
  return 0x8105, string.char(control) .. (message.text or "")
end

--- Vehicle control (8500) of the editions before 2019: `flags` 1 locks the doors, 0 unlocks them.
function commands.vehicle_control(message)
  local flags = whole(message.flags, 255)
  if not flags then return needs "flags must be a whole number from 0 to 255" end
  return 0x8500, string.char(flags)
end

function commands.set_parameters(message)
  local body, err = parameters.encode(message.parameters)
  if not body then return needs(err) end
  return 0x8103, body
end

function commands.query_parameters() return 0x8104, "" end
function commands.query_attributes() return 0x8107, "" end
function commands.locate() return 0x8201, "" end

--- Reports every `interval` seconds for `duration` seconds (8202); 0 ends it.
function commands.track(message)
  local interval, duration = whole(message.interval, 0xffff), whole(message.duration, 0xffffffff)
  if not interval or not duration then return needs "interval and duration must be seconds" end
  if interval == 0 then return 0x8202, "\0\0" end
  return 0x8202, string.pack(">I2I4", interval, duration)
end

--- Transparent data (8900).
function commands.transparent(message)
  local kind = whole(message.transparent_type, 255)
  if not kind or type(message.data) ~= "string" then return needs "transparent_type and data are needed" end
  return 0x8900, string.char(kind) .. message.data
end

--- Any other message: `message_id` and `body`.
function commands.message(message)
  local id = whole(message.message_id, 0xffff)
  if not id or type(message.body or "") ~= "string" then return needs "message_id and body are needed" end
  return id, message.body or ""
end

return commands
