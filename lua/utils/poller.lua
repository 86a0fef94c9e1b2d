-- Polls the points of one device and writes them.
--
--   local poller = require "utils.poller"
--   local device = poller.new {
--     template = mix.template("eastron_sdm120"), unit = 1,
--     request = function(message, options) return conn:request(message, options) end,
--     on_values = function(values) mix.report("meter-1", { values = values }) end,
--   }
--   device:start()
--
-- Options of `poller.new`:
--   template    a table of `mix.template`
--   unit        whom to ask: 1 to 247 on a serial line
--   request     function(message, options) that waits for the reply; returns it, or nil and "code: text"
--   period      seconds between two polls of points without a group (default 10)
--   periods     seconds by the name of a group, where they differ from those of the template
--   report      "always": every value of every poll (default); "change": what changed more than its dead-band
--   refresh     with "change": seconds after which a value is reported though it did not change (default never)
--   on_values   function(values, group): a list of { name, value, unit }; not called when there is nothing to tell
--   on_error    function(err, request): a request that failed; the poll goes on after an exception of the device,
--               and ends when there was no answer: a dead device costs one request a poll
--   on_silence  function(err): once when the device ceases to answer, and with nil once when it answers again
--   on_skip     function(count, group): turns that were missed since a poll took longer than its period
-- Such polls do not pile up; the turns missed are counted in `stats.skipped` too.

local map = require "utils.modbus_map"

local poller = {}
local Device = {}
Device.__index = Device

-- First polls are spread over at most so many seconds.
local STAGGER = 2
-- Exceptions of a device that has a hole where registers were read along: illegal data address, illegal data value.
local HOLE = { [2] = true, [3] = true }
local GOLDEN = 0.618034

local function group_of(groups, name, period)
  if not groups[name] then
    groups[name] = { name = name, period = period, points = {} }
    groups[#groups + 1] = groups[name]
  end
  return groups[name]
end

--- A device that is not polled yet. Raises when an option is missing or wrong.
function poller.new(options)
  local template = options.template
  if type(template) ~= "table" or type(options.request) ~= "function" then
    error("poller.new needs a template and a request function", 2)
  end
  if options.report ~= nil and options.report ~= "always" and options.report ~= "change" then
    error('report must be "always" or "change"', 2)
  end
  local device = setmetatable({
    unit = options.unit or template.unit or 1,
    groups = {},
    points = {},
    reported = {},
    silent = false,
    stats = { polls = 0, skipped = 0, requests = 0, errors = 0, exceptions = 0, values = 0 },
    options = options,
  }, Device)
  for _, point in ipairs(template.points) do
    local name = point.group or "default"
    local period = (options.periods or {})[name] or (template.groups or {})[name] or options.period or 10
    if not (period >= 0.1) then error("period of " .. name .. " must be at least 0.1 seconds", 2) end
    local points = group_of(device.groups, name, period).points
    points[#points + 1] = point
    device.points[point.name] = point
  end
  for _, group in ipairs(device.groups) do
    group.requests = map.plan(group.points, template.requests)
  end
  return device
end

-- Polling ----------------------------------------------------------------------------------------------------------

--- Notes whether the device answers; `err` when it does not. That the line is gone says nothing of the device.
function Device:heard(err)
  if err and err:find("^closed") then return end
  local silent = err ~= nil
  if silent == self.silent then return end
  self.silent = silent
  if self.options.on_silence then self.options.on_silence(err) end
end

--- Asks once; counts. Returns the response; or nil, the error, and the exception where the device refused.
function Device:ask(request, options)
  local stats = self.stats
  stats.requests = stats.requests + 1
  options.unit = self.unit
  local message = { unit = self.unit }
  for _, name in ipairs { "function_code", "address", "quantity", "value", "values" } do
    message[name] = request[name]
  end
  local reply, err = self.options.request(message, options)
  if not reply then
    stats.errors = stats.errors + 1
    self:heard(err)
    return nil, err
  end
  self:heard(nil)
  if reply.type == "exception" then
    stats.exceptions = stats.exceptions + 1
    return nil, "exception: " .. (reply.exception_name or "number " .. tostring(reply.exception)), reply.exception
  end
  return reply
end

--- Puts requests without holes in the place of one that the device refused.
local function split(group, index)
  local requests = group.requests
  local parts = map.plan(requests[index].points, { gap = 0 })
  table.remove(requests, index)
  for i, part in ipairs(parts) do table.insert(requests, index + i - 1, part) end
end

--- Whether a value is worth a report.
function Device:is_news(reading, now)
  local last, refresh = self.reported[reading.name], self.options.refresh
  local point = self.points[reading.name]
  local news = not last or refresh and now - last.at >= refresh
  if not news then
    local band = point and point.deadband
    if band and type(reading.value) == "number" and type(last.value) == "number" then
      news = math.abs(reading.value - last.value) > band
    else
      news = reading.value ~= last.value
    end
  end
  if news then self.reported[reading.name] = { value = reading.value, at = now } end
  return news
end

--- Polls a group once. Waits.
function Device:poll(group)
  local requests, answers = group.requests, {}
  local on_error, i = self.options.on_error, 1
  self.stats.polls = self.stats.polls + 1
  while i <= #requests do
    local request = requests[i]
    local answer, err, exception = self:ask(request, { priority = "poll" })
    if answer then
      answers[i] = answer
      i = i + 1
    elseif exception and HOLE[exception] and request.gaps then
      split(group, i)
    else
      if on_error then on_error(err, request) end
      if not exception then break end
      i = i + 1
    end
  end
  local values = map.values(requests, answers)
  if self.options.report == "change" then
    local news, now = {}, mix.monotonic()
    for _, reading in ipairs(values) do
      if self:is_news(reading, now) then news[#news + 1] = reading end
    end
    values = news
  end
  self.stats.values = self.stats.values + #values
  if #values > 0 and self.options.on_values then self.options.on_values(values, group.name) end
end

--- Polls a group when it is due, and sets the timer for the next time.
function Device:turn(group)
  local ok, err = pcall(self.poll, self, group)
  if not ok then mix.log(mix.ERROR, "poll of unit " .. self.unit .. ": " .. tostring(err)) end
  if not self.running then return end
  local now = mix.monotonic()
  local missed = math.max(0, math.floor((now - group.due) / group.period))
  self.stats.skipped = self.stats.skipped + missed
  if missed > 0 and self.options.on_skip then self.options.on_skip(missed, group.name) end
  group.due = group.due + (missed + 1) * group.period
  group.timer = mix.after(math.max(0, group.due - now), function() self:turn(group) end)
end

--- Begins to poll; devices and groups do not all begin at once. `old`: what `unload` returned, to go on with.
function Device:start(old)
  if self.running then return end
  self.running = true
  if old then self.reported, self.stats, self.silent = old.reported, old.stats, old.silent end
  for i, group in ipairs(self.groups) do
    if #group.requests > 0 then
      local now = mix.monotonic()
      local wait = (self.unit + 7 * (i - 1)) * GOLDEN % 1 * math.min(STAGGER, group.period)
      group.due = old and old.due[group.name] or now + wait
      group.timer = mix.after(math.max(0, group.due - now), function() self:turn(group) end)
    end
  end
end

--- Ends polling; a poll under way is the last one.
function Device:stop()
  self.running = false
  for _, group in ipairs(self.groups) do
    if group.timer then group.timer:cancel() end
  end
end

--- Ends polling; returns what the device of newer code goes on with.
function Device:unload()
  self:stop()
  local due = {}
  for _, group in ipairs(self.groups) do due[group.name] = group.due end
  return { due = due, reported = self.reported, stats = self.stats, silent = self.silent }
end

-- Writing ----------------------------------------------------------------------------------------------------------

--- Writes a point by its name and reads it back, unless it can only be written. Waits. Returns true; or nil and
-- "code: text": invalid_argument, not_found, an exception of the device, what `request` says, or conflict when the
-- device holds something else afterwards.
function Device:write(name, value)
  local point = self.points[name]
  if not point then return nil, "not_found: there is no point " .. tostring(name) end
  local request, err = map.write(point, value)
  if not request then return nil, err end
  local answer
  answer, err = self:ask(request, { priority = "command" })
  if not answer then return nil, err end
  if point.access == "write" then return true end
  answer, err = self:ask(map.plan({ point })[1], { priority = "command" })
  if not answer then return nil, err end
  if map.wrote(request, answer) then return true end
  return nil, "conflict: " .. name .. " was written, but reads back otherwise"
end

return poller
