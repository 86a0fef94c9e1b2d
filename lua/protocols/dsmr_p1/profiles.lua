-- Data objects that hold a list: values of past months, load profiles, power failures. Each function adds to `message`
-- what the groups of a line (what stands in its parentheses) say.

local clock = require "protocols.dsmr_p1.clock"
local names = require "protocols.dsmr_p1.names"
local obis = require "utils.obis"
local value_of = require "protocols.dsmr_p1.value"

local profiles = {}

-- Value group D: energy from the begin on, and within one interval of a load profile.
local TOTAL, INTERVAL = 8, 29

--- A value of the object `code`.
local function element(code, text, time)
  local a, _, c, d, e = obis.parse(code)
  local name = obis.name(a, c, d == INTERVAL and TOTAL or d, e)
  if name and d == INTERVAL then name = name .. "_interval" end
  local value, unit = value_of(text, name)
  return { name = name or code, value = value, unit = unit, obis = code, time = time }
end

--- Belgium: the highest demand of each of the last months, as (end of month)(when)(value); Hungary: values at the end
-- of the month.
function profiles.months(message, line, context)
  local groups, values = line.groups, message.values
  if groups[2] and obis.parse(groups[2]) then
    for i = 4, #groups - 2, 3 do
      local value, unit = value_of(groups[i + 2])
      values[#values + 1] = {
        name = "power_import_maximum_month", value = value, unit = unit, obis = line.obis,
        time = clock(groups[i + 1], context.offset), period_end = clock(groups[i], context.offset),
      }
    end
    return
  end
  local time = clock(groups[1], context.offset)
  for i, code in ipairs(names.month_end) do
    if not groups[i + 1] then return end
    local value = element("1-0:" .. code, groups[i + 1], time)
    value.name = value.name .. "_month_end"
    values[#values + 1] = value
  end
end

local STATUS = "0-0:96.10.7"

--- A load profile: (count)(code) …, then (time) and a value of each code, `count` times. The status has no value of
-- its own.
function profiles.load(message, line, context)
  local groups, codes = line.groups, {}
  while groups[#codes + 2] and obis.parse(groups[#codes + 2]) do codes[#codes + 1] = groups[#codes + 2] end
  if #codes == 0 then return end
  for i = #codes + 2, #groups - #codes, #codes + 1 do
    local time = clock(groups[i], context.offset)
    for k, code in ipairs(codes) do
      local text = groups[i + k]
      if code ~= STATUS and text ~= "" then
        message.values[#message.values + 1] = element(code, text, time)
      end
    end
  end
end

--- The log of long power failures: (count)(0-0:96.7.19), then (end)(duration) of each.
function profiles.failures(message, line, context)
  local list = {}
  for i = 3, #line.groups - 1, 2 do
    local duration = line.groups[i + 1]:match("^(%d+)%*s$")
    list[#list + 1] = { time = clock(line.groups[i], context.offset), duration = tonumber(duration) }
  end
  message.power_failure_log = list
end

return profiles
