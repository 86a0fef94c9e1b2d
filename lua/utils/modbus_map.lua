-- The points of a device template (`mix.template`) as Modbus requests and values: which registers to ask for, what
-- the answers mean, how a value is written. Pure: nothing here sends anything.

local map = {}

-- Function codes that read each table, and that write one or several of its registers.
local READ = { coil = 1, discrete = 2, holding = 3, input = 4 }
local WRITE_COIL, WRITE_REGISTER, WRITE_REGISTERS = 5, 6, 16
-- Most coils or discrete inputs of a request (V1.1b3, 6.1).
local MAX_BITS = 2000
-- Coils that pass in the time of one register.
local BITS_OF_REGISTER = 16

-- Format of each type, and the range of the whole numbers among them.
local FORMATS = {
  u16 = ">I2", s16 = ">i2", u32 = ">I4", s32 = ">i4", u64 = ">I8", s64 = ">i8", f32 = ">f", f64 = ">d",
}
local LIMITS = {
  u16 = { 0, 0xffff }, s16 = { -0x8000, 0x7fff }, u32 = { 0, 0xffffffff }, s32 = { -0x80000000, 0x7fffffff },
  u64 = { 0, 2 ^ 53 }, s64 = { -2 ^ 53, 2 ^ 53 },
}

-- Requests ---------------------------------------------------------------------------------------------------------

local function by_place(a, b)
  if a.table ~= b.table then return a.table < b.table end
  return a.register < b.register
end

--- The fewest requests that read `points`, a list of requests { function_code, address, quantity, points, gaps }.
-- `size`: most registers of one (default 125); `gap`: most registers that nobody asked for between two points
-- of one (default 8); coils and discrete inputs count sixteen to a register. `gaps` is true when some are read along.
-- Points that can only be written are left out.
function map.plan(points, limits)
  local size, gap = limits and limits.size or 125, limits and limits.gap or 8
  local sorted = {}
  for _, point in ipairs(points) do
    if point.access ~= "write" then sorted[#sorted + 1] = point end
  end
  table.sort(sorted, by_place)

  local requests, last = {}, nil
  for _, point in ipairs(sorted) do
    local bits = point.type == "bool"
    local unit = bits and BITS_OF_REGISTER or 1
    local most = bits and math.min(MAX_BITS, size * unit) or size
    local stop = point.register + point.count
    local hole = last and last.table == point.table and point.register - last.address - last.quantity
    if hole and hole <= gap * unit and stop - last.address <= most then
      last.quantity = stop - last.address
      last.gaps = last.gaps or hole > 0
      last.points[#last.points + 1] = point
    else
      last = {
        table = point.table, function_code = READ[point.table],
        address = point.register, quantity = point.count, points = { point }, gaps = false,
      }
      requests[#requests + 1] = last
    end
  end
  return requests
end

-- Reading ----------------------------------------------------------------------------------------------------------

--- The registers of a point in the order of significance, as bytes.
local function bytes_of(point, values, at)
  local count, words = point.count, values
  if point.wordOrder == "little" then
    words = {}
    for i = 1, count do words[i] = values[at + count - i] end
    at = 1
  end
  local format = (point.byteOrder == "little" and "<" or ">") .. ("I2"):rep(count)
  return string.pack(format, table.unpack(words, at, at + count - 1))
end

--- What stands in the registers, before any scale: a number or a string; nil for digits that are none.
local function raw_of(point, values, at)
  local bytes = bytes_of(point, values, at)
  if point.type == "string" then return (bytes:match("^[^\0]*"):gsub("%s+$", "")) end
  if point.type == "bcd" then return tonumber((mix.bcd(bytes))) end
  local raw = tonumber((string.unpack(FORMATS[point.type], bytes)))
  -- A float of 32 bits has no more than these digits; the rest is what its conversion makes up.
  if point.type == "f32" and raw - raw == 0 then raw = tonumber(string.format("%.8g", raw)) end
  return raw
end

--- What to divide by where the scale is a tenth, a hundredth, …: 3 / 10 is 0.3, 3 × 0.1 is not.
local function divisor_of(scale)
  local divisor = 1 / scale
  local whole = math.floor(divisor + 0.5)
  if math.abs(scale) < 1 and math.abs(divisor - whole) < 1e-9 * math.abs(divisor) then return whole end
end

local function scaled(raw, scale)
  local divisor = divisor_of(scale)
  return divisor and raw / divisor or raw * scale
end

local function unscaled(value, scale)
  local divisor = divisor_of(scale)
  return divisor and value * divisor or value / scale
end

local function is_invalid(point, raw)
  if raw == nil or raw ~= raw or raw == math.huge or raw == -math.huge then return true end
  for _, invalid in ipairs(point.invalid or {}) do
    if raw == invalid then return true end
  end
  return false
end

local function add(list, name, value, unit)
  list[#list + 1] = { name = name, value = value, unit = unit }
end

local function add_point(list, point, raw, raws)
  if point.type == "bool" or point.type == "string" then return add(list, point.name, raw) end
  if is_invalid(point, raw) then return end
  if point.bits then
    for _, field in ipairs(point.bits) do
      local value = raw >> field.first & (1 << field.count) - 1
      if field.count == 1 then value = value ~= 0 end
      add(list, point.name .. "_" .. field.name, value)
    end
  elseif point.enum then
    add(list, point.name, point.enum[string.format("%d", raw)] or raw)
  else
    local value = raw
    if point.scaleFrom then
      local exponent = raws[point.scaleFrom]
      -- SunSpec: powers from -10 to 10, 0x8000 where the value does not exist.
      if not exponent or math.abs(exponent) > 10 then return end
      value = exponent < 0 and value / 10 ^ -exponent or value * 10 ^ exponent
    end
    if point.scale then value = scaled(value, point.scale) end
    add(list, point.name, value + (point.offset or 0), point.unit)
  end
end

--- What the answers to the requests of one poll hold: a list of { name, value, unit } in the order of the requests.
-- `answers[i]` is the response to `requests[i]`, or nil. Fields of bits are `point_field`, true or false or a number;
-- what an enum does not know stays a number. Left out are invalid values, and the powers of ten of others.
function map.values(requests, answers)
  local raws, powers = {}, {}
  for i, request in ipairs(requests) do
    local answer = answers[i]
    for _, point in ipairs(answer and request.points or {}) do
      local at = point.register - request.address + 1
      if point.type == "bool" then raws[point.name] = answer.bits[at]
      else raws[point.name] = raw_of(point, answer.values, at) end
      if point.scaleFrom then powers[point.scaleFrom] = true end
    end
  end
  local list = {}
  for i, request in ipairs(requests) do
    for _, point in ipairs(answers[i] and request.points or {}) do
      if not powers[point.name] then add_point(list, point, raws[point.name], raws) end
    end
  end
  return list
end

-- Writing ----------------------------------------------------------------------------------------------------------

local function refuse(point, ...)
  return nil, string.format("invalid_argument: %s %s", point.name, string.format(...))
end

--- The number that stands for a text of an enum, or the text itself where it has none.
local function enum_number(point, value)
  for number, text in pairs(point.enum or {}) do
    if text == value then return tonumber(number) end
  end
  return value
end

--- The request that writes `value` to a point, without its unit; or nil and "invalid_argument: …".
function map.write(point, value)
  if point.access == "read" then return refuse(point, "cannot be written") end
  if point.scaleFrom then return refuse(point, "has a scale of its own and cannot be written") end
  if point.type == "bool" then
    if type(value) ~= "boolean" then return refuse(point, "takes true or false") end
    return { function_code = WRITE_COIL, address = point.register, value = value }
  end
  value = enum_number(point, value)
  if type(value) ~= "number" or value ~= value then return refuse(point, "takes a number") end
  local raw = unscaled(value - (point.offset or 0), point.scale or 1)
  local limits = LIMITS[point.type]
  if limits then
    raw = math.floor(raw + 0.5)
    if raw < limits[1] or raw > limits[2] then
      local ends = {}
      for i, limit in ipairs(limits) do ends[i] = scaled(limit, point.scale or 1) + (point.offset or 0) end
      return refuse(point, "takes a number from %.14g to %.14g", math.min(ends[1], ends[2]), math.max(ends[1], ends[2]))
    end
  end
  local words = { string.unpack(">" .. ("I2"):rep(point.count), string.pack(FORMATS[point.type], raw)) }
  words[point.count + 1] = nil -- where unpack stopped
  -- Reading and writing swap alike.
  local bytes = bytes_of(point, words, 1)
  words = { string.unpack(">" .. ("I2"):rep(point.count), bytes) }
  words[point.count + 1] = nil
  if point.count == 1 then
    return { function_code = WRITE_REGISTER, address = point.register, value = words[1] }
  end
  return { function_code = WRITE_REGISTERS, address = point.register, values = words }
end

--- Whether the response to reading a point back holds what a request of `map.write` wrote.
function map.wrote(request, answer)
  if request.function_code == WRITE_COIL then return answer.bits[1] == request.value end
  for i, word in ipairs(request.values or { request.value }) do
    if answer.values[i] ~= word then return false end
  end
  return true
end

return map
