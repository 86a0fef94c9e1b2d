-- A 21-byte sensor frame: its fields decoded into a table, the handler looks at them, the module acknowledges.
protocol = {
  name = "reading",
  frame = mix.frame.length { at = 1, size = 2, add = 2 },
  decode = function(frame)
    local _, kind, device, temperature, sequence = (">I2BI8i4I4"):unpack(frame)
    return { type = kind, device_id = device, temperature = temperature / 100, sequence = sequence }
  end,
  reply = function(message)
    return (">I2I2BI8I4I4"):pack(19, message.sequence % 65536, 1, message.device_id, message.sequence, 0)
  end,
}

local hottest = -1 / 0

function on_message(message)
  if message.temperature > hottest then hottest = message.temperature end
end
