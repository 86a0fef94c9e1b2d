-- The commands of TK103: what those of the device mean by themselves, and those that it understands.

local commands = {}

--- Alarms by the device's command.
commands.alarms = {}
--- Whether the ignition is on, by the device's command.
commands.ignition = {}

-- In threes: by GPS position in two families of devices, and by cells and WiFi.
for alarm, names in pairs {
  movement = { "ZC11", "DW31", "DW51" }, low_battery = { "ZC12", "DW32", "DW52" },
  power_cut = { "ZC13", "DW33", "DW53" }, removing = { "ZC17", "DW37", "DW57" }, sos = { "ZC25", "DW3E", "DW5E" },
  tampering = { "ZC26", "DW3F", "DW5F" }, low_power = { "ZC27", "DW40", "DW60" },
} do
  for _, name in ipairs(names) do commands.alarms[name] = alarm end
end
for _, name in ipairs { "ZC15", "DW35", "DW55", "ZC29", "DW42", "DW62" } do commands.ignition[name] = true end
for _, name in ipairs { "ZC16", "DW36", "DW56" } do commands.ignition[name] = false end

local PLAIN = {
  get_version = "AP07", reboot = "AT00", set_odometer = "AX01", position_single = "AP00", engine_stop = "AV010",
  engine_resume = "AV011", position_stop = "AR0000000000",
}
local ALTERNATIVE = {
  get_version = "*about*", power_off = "*turnoff*", reboot = "88888888", position_single = "*getposl*",
  position_periodic = "*routetrack*99*", position_stop = "*routetrackoff*", get_status = "*status*",
  identification = "999999", deep_sleep = "*sleep*2*", power_saving = "*sleepv*", wake = "*sleepoff*",
  sos_on = "*soson*", sos_off = "*sosoff*",
}

local function is_text(text) return type(text) == "string" and #text <= 500 and text:find("^[^%c()%[%]]+$") end

--- The parameters of a command that has some.
local function parametrized(message)
  local name = message.name
  if message.alternative then
    if name == "set_connection" then
      local port = math.tointeger(message.port)
      if not is_text(message.server) or not port or port < 1 or port > 65535 then
        return nil, "set_connection needs server and port"
      end
      return "*setip*" .. message.server:gsub("%.", "*") .. "*" .. port .. "*"
    end
    return ALTERNATIVE[name]
  end
  if name == "position_periodic" then
    local interval = math.tointeger(message.interval)
    if not interval or interval < 1 or interval > 0xffff then return nil, "interval must be 1 to 65535 seconds" end
    return string.format("AR00%04X0000", interval)
  end
  return PLAIN[name]
end

--- `name` (and `interval` in seconds for position_periodic), or `text`: what follows the device's id.
function commands.encode(message, session)
  if type(message) ~= "table" or message.type ~= "command" then
    return nil, "can encode { type = \"command\", name } or { type = \"command\", text }"
  end
  local text, err = message.text, nil
  if text == nil then text, err = parametrized(message) end
  if err then return nil, err end
  if not is_text(text) then
    return nil, "needs the name of a command, or text of 1 to 500 characters without brackets"
  end
  if message.alternative then return "[begin]sms2," .. text .. ",[end]" end
  local id = message.device_id or session.device_id
  if not id then return nil, "no device_id: the device has not said who it is" end
  return "(" .. id .. text .. ")"
end

return commands
