-- Weather instruments that send NMEA 0183 sentences, one a datagram or line. The demonstration's UDP sensor.
--   $WIMWV,12.1,T,10.1,N,A*27      "WI" is the talker, "MWV" the sentence; 27 is the XOR of what stands between $ and *

local DEVICE = mix.server.option("device_id") or "weather"
local KNOT = 1.852 -- km/h

local function rounded(number) return number and math.floor(number * 10 + 0.5) / 10 end

-- Each sentence's values from its fields; those that a sentence leaves empty are nil.
local sentences = {
  -- Composite: pressure in bar, temperatures in °C, humidity in %, true wind direction in degrees, speed in m/s.
  MDA = function(f)
    return {
      pressure = rounded(f[3] and f[3] * 1000), -- hPa
      air_temperature = f[5],
      water_temperature = f[7],
      humidity = f[9],
      dew_point = f[11],
      wind_direction = f[13],
      wind_speed = rounded(f[19] and f[19] * 3.6), -- km/h
    }
  end,
  -- Wind relative to the bow (R) or true (T), in knots, km/h or m/s.
  MWV = function(f, text)
    local to_kmh = { N = KNOT, K = 1, M = 3.6 }
    local factor = to_kmh[text[4]]
    if text[5] ~= "A" or not factor then return nil, "no valid wind" end
    return { wind_angle = f[1], wind_true = text[2] == "T", wind_speed = rounded(f[3] and f[3] * factor) }
  end,
  MTW = function(f) return { water_temperature = f[1] } end,
  -- Transducers: type, value, unit and name of each.
  XDR = function(f, text)
    local values = {}
    for i = 1, #text - 3, 4 do
      values[#values + 1] = { name = text[i] .. text[i + 3], value = f[i + 1], unit = text[i + 2] }
    end
    return { values = values }
  end,
}

function protocol_input(buf) return buf:find("\n") or 0 end

function protocol_decode(line)
  local body, sum = line:match("^%$([^*]+)%*(%x%x)%s*$")
  if not body then return nil, "no NMEA 0183 sentence" end
  if mix.checksum.xor(body) ~= tonumber(sum, 16) then return nil, "checksum error" end
  local text = mix.str_split(body, ",")
  local address = table.remove(text, 1)
  local read = sentences[address:sub(-3)]
  if not read then return nil, "unknown sentence " .. address end
  local numbers = {}
  for i, field in ipairs(text) do numbers[i] = tonumber(field) end
  return read(numbers, text)
end

function on_message(values)
  local ok, err = mix.report(DEVICE, values)
  if not ok then mix.log(mix.WARN, err) end
end
