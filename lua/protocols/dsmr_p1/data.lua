-- The data objects of a P1 telegram: A-B:C.D.E(value*unit), some with several values in parentheses.

local clock = require "protocols.dsmr_p1.clock"
local names = require "protocols.dsmr_p1.names"
local obis = require "utils.obis"
local profiles = require "protocols.dsmr_p1.profiles"
local value_of = require "protocols.dsmr_p1.value"

--- The text in hexadecimal digits, as identifiers and messages are sent; nil when it is none.
local function hex_text(digits)
  local text = #digits >= 4 and mix.unhex(digits)
  return text and text:find("^[\x20-\x7e]+$") and text or nil
end

--- What is printed on a meter, of the value of its identifier: letters and digits, in hexadecimal digits or as they
-- are.
local function printed(value)
  local text = hex_text(value)
  return text and text:find("^%w+$") and text or value
end

local function device(message, channel)
  local devices = message.devices or {}
  message.devices = devices
  for _, each in ipairs(devices) do
    if each.channel == channel then return each end
  end
  local new = { channel = channel }
  devices[#devices + 1] = new
  return new
end

-- Identifiers of the meter itself, the most telling first.
local IDENTIFIERS = { ["96.1.1"] = 1, ["96.1.0"] = 2, ["42.0.0"] = 3, ["0.0.0"] = 4, ["96.1.255"] = 5 }

local function identify(message, line, context)
  local text = line.groups[1]
  if text == "" then return end
  if line.channel then
    device(message, line.channel).device_id = printed(text)
  elseif IDENTIFIERS[line.code] < (context.rank or math.huge) then
    context.rank, message.device_id = IDENTIFIERS[line.code], printed(text)
  end
end

--- A sub-meter's value in the form of versions 2 and 3:
-- (time)(status)(minutes between values)(number of values)(code)(unit)(value).
local function old_reading(message, line, context)
  local groups = line.groups
  local value = groups[7] and tonumber(groups[7]:match("^%d+%.?%d*$"))
  if not value then return end
  message.values[#message.values + 1] = {
    value = value, unit = groups[6], obis = line.obis, channel = line.channel, time = clock(groups[1], context.offset),
  }
end

local function set_time(message, line, context) message.time = clock(line.groups[1], context.offset) end

local function set_medium(message, line)
  local code = tonumber((line.groups[1]:match("^%d+$")))
  if not line.channel then return end
  local each = device(message, line.channel)
  each.medium_code, each.medium = code, names.media[code]
end

-- What becomes more than an element of `values`, by C.D.E.
local SPECIAL = {
  ["1.0.0"] = set_time, ["24.1.0"] = set_medium, ["24.3.0"] = old_reading, ["98.1.0"] = profiles.months,
  ["99.1.0"] = profiles.load, ["99.97.0"] = profiles.failures,
}

local function ordinary(message, line, context)
  local groups = line.groups
  -- A time may precede the value, be it an impossible one.
  local timed = groups[2] and #groups[1] >= 12 and groups[1]:find("^%d+[SW]?$")
  local text = groups[timed and 2 or 1]
  if text == "" then return end
  local name = names.codes[line.code] or obis.name(line.a, line.c, line.d, line.e)
  local value, unit = value_of(text, name)
  message.values[#message.values + 1] = {
    name = name, value = value, unit = unit, obis = line.obis, channel = line.channel,
    time = timed and clock(groups[1], context.offset) or nil, text = type(value) == "string" and hex_text(value) or nil,
  }
  if name == "version" then message.version = text end
end

--- Sub-meters' values are named by what they measure; codes without a name by themselves.
local function name_rest(message)
  for _, value in ipairs(message.values) do
    if not value.name then
      local each = value.channel and value.obis:find(":24.", 1, true) and device(message, value.channel)
      value.name = each and each.medium or value.obis
    end
  end
end

--- Adds to `message` what the lines of a telegram say. `offset`: see clock. Returns nil and an error when there is no
-- data object among them.
return function(message, lines, offset)
  local context = { offset = offset }
  message.values = {}
  local found = false
  -- A value may stand on the line after its object (versions 2 and 3).
  for text in lines:gsub("[\r\n]+%(", "("):gmatch("[^\r\n]+") do
    local code, rest = text:match("^%s*([%d%-:.*&]+)(%(.*)$")
    local a, b, c, d, e
    if code then a, b, c, d, e = obis.parse(code) end
    if a then
      local line = { a = a, c = c, d = d, e = e, obis = code, code = c .. "." .. d .. "." .. e, groups = {} }
      -- Sub-meters are the channels of the abstract objects.
      line.channel = a == 0 and b > 0 and b or nil
      for group in rest:gmatch("%(([^()]*)%)") do line.groups[#line.groups + 1] = group end
      if line.groups[1] then
        found = true
        if IDENTIFIERS[line.code] then identify(message, line, context) end
        (SPECIAL[line.code] or ordinary)(message, line, context)
      end
    end
  end
  if not found then return nil, "a telegram without data" end
  name_rest(message)
  return message
end
