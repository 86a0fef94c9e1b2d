-- The walk over the records of an M-Bus telegram: DIF, DIFE, VIF, VIFE, value and unit of each.
local SIZES = { [0] = 0, 1, 2, 3, 4, 4, 6, 8, 0, 1, 2, 3, 4, -1, 6 }
local function quantity(name, unit, first, last, exponent)
  return { name = name, unit = unit, first = first, last = last, exponent = exponent }
end
local QUANTITIES = {
  quantity("energy", "Wh", 0, 7, -3), quantity("energy", "J", 8, 15, 0), quantity("volume", "m3", 16, 23, -6),
  quantity("mass", "kg", 24, 31, -3), quantity("power", "W", 40, 47, -3), quantity("volume_flow", "m3/h", 56, 63, -6),
  quantity("flow_temperature", "C", 88, 91, -3), quantity("return_temperature", "C", 92, 95, -3),
  quantity("temperature_difference", "K", 96, 99, -3), quantity("pressure", "bar", 104, 107, -3),
}
local BY_VIF = {}
for _, q in ipairs(QUANTITIES) do
  for vif = q.first, q.last do BY_VIF[vif] = { name = q.name, unit = q.unit, scale = 10 ^ (q.exponent + vif - q.first) } end
end
local function integer(s, at, size)
  local value = 0
  for i = at + size - 1, at, -1 do value = value * 256 + s:byte(i) end
  return value
end
local function bcd(s, at, size)
  local value = 0
  for i = at + size - 1, at, -1 do
    local b = s:byte(i)
    value = value * 100 + (b - b % 16) / 16 * 10 + b % 16
  end
  return value
end
local function decode(s)
  local values, at = {}, 1
  while at <= #s do
    local dif = s:byte(at)
    local storage, tariff, last = dif >= 64 and dif % 128 >= 64 and 1 or 0, 0, dif
    while last >= 128 do
      at = at + 1
      last = s:byte(at)
      storage = storage + last % 16 * 2
      tariff = tariff * 4 + (last % 64 - last % 16) / 16
    end
    at = at + 1
    local vif = s:byte(at)
    local extension = vif
    while extension >= 128 do at = at + 1 extension = s:byte(at) end
    at = at + 1
    local coding = dif % 16
    local size = SIZES[coding]
    if size == -1 then size = s:byte(at) at = at + 1 end
    local what = BY_VIF[vif % 128]
    local number = coding > 8 and bcd(s, at, size) or integer(s, at, size)
    local record = { name = what and what.name or "unknown", unit = what and what.unit or "", value = number * (what and what.scale or 1) }
    if storage > 0 then record.storage = storage end
    if tariff > 0 then record.tariff = tariff end
    values[#values + 1] = record
    at = at + size
  end
  return { type = "data", values = values }
end
local frames = {}
for i = 0, 3 do
  frames[i] = "\4\19\70\5\0" .. string.char(i) .. "\4\6\210\4\0\0\12\120\17\34\51\68\2\91\52\0\2\95\42\0\2\97\12\0\132\16\6\1\2\0\0"
    .. "\196\1\19\5\6\0\0\4\43\200\0\0\0\4\59\16\39\0\0\12\134\60\22\34\0\0\1\253\23\0"
end
return function(n)
  local sum = 0
  for i = 1, n do local m = decode(frames[i % 4]) sum = sum + #m.values + m.values[1].value end
  return sum
end
