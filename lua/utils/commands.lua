-- Commands to trackers that are text with the device's id beside it.

local commands = {}

--- The device and the text of `message` = { type = "command", name | text, device_id? }: `names` has the texts of
-- names; the text is nil for a name that is none of them. Returns nil and an error when the message is no command, or
-- neither it nor `session` tells the device.
function commands.addressed(message, session, names)
  if type(message) ~= "table" or message.type ~= "command" then
    return nil, "can encode { type = \"command\", name } or { type = \"command\", text }"
  end
  local id = message.device_id or session.device_id
  if not id then return nil, "no device_id: the device has not said who it is" end
  return id, message.text or names[message.name]
end

return commands
