-- The functions of Modbus: what their requests and responses hold (MODBUS Application Protocol V1.1b3, 6).
--
-- A message is a table of fields. `address` counts from 0 as on the wire; `values` are registers (0…65535), `bits`
-- are booleans, the lowest bit of the first byte first.

local fields = require "protocols.modbus.fields"

local whole, word, list = fields.whole, fields.word, fields.list
local pack_words, pack_bits, words, bits = fields.pack_words, fields.pack_bits, fields.words, fields.bits
local counted = fields.counted

-- Exceptions that a server answers a request with, before any handler has seen it (7).
local ILLEGAL_ADDRESS, ILLEGAL_VALUE = 2, 3
local COIL_ON, COIL_OFF = 0xff00, 0
local RECORD_REFERENCE = 6
local DEVICE_IDENTIFICATION = 14

-- Shapes that several functions share ------------------------------------------------------------------------------
-- Each has `read(bytes)`, which returns the fields, or nil when the bytes cannot be this message, or fields with
-- `exception` when a server must refuse them; and `write(message)`, which raises what is wrong with a field.

local function refuse(message, exception)
  message.exception = exception
  return message
end

local function check_range(message, address, quantity, most)
  if quantity < 1 or quantity > most then return refuse(message, ILLEGAL_VALUE) end
  if address + quantity > 0x10000 then return refuse(message, ILLEGAL_ADDRESS) end
  return message
end

local function range(most)
  return {
    read = function(bytes)
      if #bytes ~= 5 then return nil end
      local address, quantity = string.unpack(">I2I2", bytes, 2)
      return check_range({ address = address, quantity = quantity }, address, quantity, most)
    end,
    write = function(message)
      return string.pack(">I2I2", word(message, "address"), whole(message, "quantity", 1, most))
    end,
  }
end

local empty = {
  read = function(bytes) return #bytes == 1 and {} or nil end,
  write = function() return "" end,
}

--- Numbers of two bytes each, by their names in wire order.
local function named_words(...)
  local names = { ... }
  return {
    read = function(bytes)
      if #bytes ~= 1 + 2 * #names then return nil end
      local message = {}
      for i, value in ipairs(words(bytes, 2, #names)) do message[names[i]] = value end
      return message
    end,
    write = function(message)
      local values = {}
      for i, name in ipairs(names) do values[i] = word(message, name) end
      return string.pack(">" .. ("I2"):rep(#names), table.unpack(values))
    end,
  }
end

local counted_bits = {
  read = function(bytes)
    local count = counted(bytes, 2)
    return count and count > 0 and { bits = bits(bytes, 3, 8 * count) } or nil
  end,
  write = function(message) return string.pack("s1", (pack_bits(message, 1, 2000))) end,
}

local counted_words = {
  read = function(bytes)
    local count = counted(bytes, 2)
    return count and count > 0 and count % 2 == 0 and { values = words(bytes, 3, count // 2) } or nil
  end,
  write = function(message) return string.pack("s1", (pack_words(message, "values", 1, 125))) end,
}

local coil = {
  read = function(bytes)
    if #bytes ~= 5 then return nil end
    local address, value = string.unpack(">I2I2", bytes, 2)
    local message = { address = address }
    if value ~= COIL_ON and value ~= COIL_OFF then return refuse(message, ILLEGAL_VALUE) end
    message.value = value == COIL_ON
    return message
  end,
  write = function(message)
    if type(message.value) ~= "boolean" then error("value must be true or false", 0) end
    return string.pack(">I2I2", word(message, "address"), message.value and COIL_ON or COIL_OFF)
  end,
}

local diagnostics = {
  read = function(bytes)
    if #bytes < 3 or #bytes % 2 == 0 then return nil end
    return { sub_function = string.unpack(">I2", bytes, 2), values = words(bytes, 4, (#bytes - 3) // 2) }
  end,
  write = function(message)
    return string.pack(">I2", word(message, "sub_function")) .. (pack_words(message, "values", 0, 125))
  end,
}

-- Sub-requests of the file functions: reference type, file, record, length.
local RECORD = ">BI2I2I2"

local file_records = {
  read = function(bytes)
    local count = counted(bytes, 2)
    if not count or count == 0 or count % 7 ~= 0 then return nil end
    local records = {}
    for at = 3, #bytes, 7 do
      local reference, file, record, length = string.unpack(RECORD, bytes, at)
      if reference ~= RECORD_REFERENCE then return nil end
      records[#records + 1] = { file_number = file, record_number = record, record_length = length }
    end
    return { records = records }
  end,
  write = function(message)
    local parts = {}
    for i, record in ipairs(list(message, "records", 1, 35)) do
      parts[i] = string.pack(RECORD, RECORD_REFERENCE, whole(record, "file_number", 1, 0xffff),
        whole(record, "record_number", 0, 9999), whole(record, "record_length", 1, 124))
    end
    return string.pack("s1", table.concat(parts))
  end,
}

local file_data = {
  read = function(bytes)
    if not counted(bytes, 2) or #bytes == 2 then return nil end
    local records, at = {}, 3
    while at <= #bytes do
      local length, reference = bytes:byte(at, at + 1)
      if reference ~= RECORD_REFERENCE or length % 2 == 0 or at + length > #bytes then return nil end
      records[#records + 1] = { values = words(bytes, at + 2, length // 2) }
      at = at + 1 + length
    end
    return { records = records }
  end,
  write = function(message)
    local parts = {}
    for i, record in ipairs(list(message, "records", 1, 61)) do
      local data = pack_words(record, "values", 1, 121)
      parts[i] = string.char(#data + 1, RECORD_REFERENCE) .. data
    end
    return string.pack("s1", table.concat(parts))
  end,
}

local file_write = {
  read = function(bytes)
    if not counted(bytes, 2) or #bytes == 2 then return nil end
    local records, at = {}, 3
    while at <= #bytes do
      if at + 6 > #bytes then return nil end
      local reference, file, record, length, data = string.unpack(RECORD, bytes, at)
      if reference ~= RECORD_REFERENCE or data + 2 * length - 1 > #bytes then return nil end
      records[#records + 1] =
        { file_number = file, record_number = record, record_length = length, values = words(bytes, data, length) }
      at = data + 2 * length
    end
    return { records = records }
  end,
  write = function(message)
    local parts = {}
    for i, record in ipairs(list(message, "records", 1, 35)) do
      local data, length = pack_words(record, "values", 1, 121)
      parts[i] = string.pack(RECORD, RECORD_REFERENCE, whole(record, "file_number", 1, 0xffff),
        whole(record, "record_number", 0, 9999), length) .. data
    end
    return string.pack("s1", table.concat(parts))
  end,
}

local identification_request = {
  read = function(bytes)
    if #bytes ~= 4 or bytes:byte(2) ~= DEVICE_IDENTIFICATION then return nil end
    local code, object = bytes:byte(3, 4)
    return { mei_type = DEVICE_IDENTIFICATION, read_code = code, object_id = object }
  end,
  write = function(message)
    return string.char(DEVICE_IDENTIFICATION, whole(message, "read_code", 1, 4), whole(message, "object_id", 0, 255, 0))
  end,
}

local identification = {
  read = function(bytes)
    if #bytes < 7 or bytes:byte(2) ~= DEVICE_IDENTIFICATION then return nil end
    local code, conformity, more, next_object, count = bytes:byte(3, 7)
    local objects, at = {}, 8
    for i = 1, count do
      if at + 1 > #bytes or at + 1 + bytes:byte(at + 1) > #bytes then return nil end
      local id, value, after = string.unpack("Bs1", bytes, at)
      objects[i], at = { id = id, value = value }, after
    end
    if at ~= #bytes + 1 then return nil end
    return {
      mei_type = DEVICE_IDENTIFICATION, read_code = code, conformity = conformity,
      more_follows = more == 0xff, next_object = next_object, objects = objects,
    }
  end,
  write = function(message)
    local parts = {}
    for i, object in ipairs(list(message, "objects", 0, 255)) do
      if type(object.value) ~= "string" or #object.value > 245 then
        error(string.format("objects[%d].value must be a string of up to 245 bytes", i), 0)
      end
      parts[i] = string.pack("Bs1", whole(object, "id", 0, 255), object.value)
    end
    local code, conformity = whole(message, "read_code", 1, 4), whole(message, "conformity", 0, 255)
    local next_object = whole(message, "next_object", 0, 255, 0)
    local more = message.more_follows and 0xff or 0
    return string.char(DEVICE_IDENTIFICATION, code, conformity, more, next_object, #parts) .. table.concat(parts)
  end,
}

-- The functions (6) --------------------------------------------------------------------------------------------------

return {
  [1] = { request = range(2000), response = counted_bits },
  [2] = { request = range(2000), response = counted_bits },
  [3] = { request = range(125), response = counted_words },
  [4] = { request = range(125), response = counted_words },
  [5] = { request = coil, response = coil },
  [6] = { request = named_words("address", "value"), response = named_words("address", "value") },
  [7] = {
    request = empty,
    response = {
      read = function(bytes) return #bytes == 2 and { status = bytes:byte(2) } or nil end,
      write = function(message) return string.char(whole(message, "status", 0, 255)) end,
    },
  },
  [8] = { request = diagnostics, response = diagnostics },
  [11] = { request = empty, response = named_words("status", "event_count") },
  [12] = {
    request = empty,
    response = {
      read = function(bytes)
        local count = counted(bytes, 2)
        if not count or count < 6 then return nil end
        local status, event_count, message_count = string.unpack(">I2I2I2", bytes, 3)
        return {
          status = status, event_count = event_count, message_count = message_count,
          events = { bytes:byte(9, -1) },
        }
      end,
      write = function(message)
        local events = string.char(table.unpack(list(message, "events", 0, 64)))
        return string.pack(">s1", string.pack(">I2I2I2", word(message, "status"), word(message, "event_count"),
          word(message, "message_count")) .. events)
      end,
    },
  },
  [15] = {
    request = {
      read = function(bytes)
        if not counted(bytes, 6) then return nil end
        local address, quantity, count = string.unpack(">I2I2B", bytes, 2)
        local message = { address = address, quantity = quantity }
        if count ~= (quantity + 7) // 8 then return refuse(message, ILLEGAL_VALUE) end
        message.bits = bits(bytes, 7, quantity)
        return check_range(message, address, quantity, 1968)
      end,
      write = function(message)
        local data, quantity = pack_bits(message, 1, 1968)
        return string.pack(">I2I2s1", word(message, "address"), quantity, data)
      end,
    },
    response = range(1968),
  },
  [16] = {
    request = {
      read = function(bytes)
        if not counted(bytes, 6) then return nil end
        local address, quantity, count = string.unpack(">I2I2B", bytes, 2)
        local message = { address = address, quantity = quantity }
        if count ~= 2 * quantity then return refuse(message, ILLEGAL_VALUE) end
        message.values = words(bytes, 7, quantity)
        return check_range(message, address, quantity, 123)
      end,
      write = function(message)
        local data, quantity = pack_words(message, "values", 1, 123)
        return string.pack(">I2I2s1", word(message, "address"), quantity, data)
      end,
    },
    response = range(123),
  },
  [17] = {
    request = empty,
    response = {
      -- What precedes the run indicator is the device's own; most have one byte there.
      read = function(bytes)
        if not counted(bytes, 2) or #bytes < 3 then return nil end
        local id, run = bytes:byte(3, 4)
        return { server_id = id, run_indicator = run, data_hex = mix.hex(bytes:sub(3)) }
      end,
      write = function(message)
        local data = mix.unhex(type(message.data_hex) == "string" and message.data_hex or "-")
        if not data or #data < 1 or #data > 251 then error("data_hex must be the digits of 1 to 251 bytes", 0) end
        return string.pack("s1", data)
      end,
    },
  },
  [20] = { request = file_records, response = file_data },
  [21] = { request = file_write, response = file_write },
  [22] = {
    request = named_words("address", "and_mask", "or_mask"),
    response = named_words("address", "and_mask", "or_mask"),
  },
  [23] = {
    request = {
      read = function(bytes)
        if #bytes < 10 then return nil end
        local read_address, read_quantity, address, quantity, count = string.unpack(">I2I2I2I2B", bytes, 2)
        local message = {
          read_address = read_address, read_quantity = read_quantity,
          write_address = address, write_quantity = quantity,
        }
        if #bytes ~= 10 + count or count ~= 2 * quantity then return refuse(message, ILLEGAL_VALUE) end
        message.write_values = words(bytes, 11, quantity)
        check_range(message, address, quantity, 121)
        return check_range(message, read_address, read_quantity, 125)
      end,
      write = function(message)
        local data, quantity = pack_words(message, "write_values", 1, 121)
        return string.pack(">I2I2I2I2s1", word(message, "read_address"), whole(message, "read_quantity", 1, 125),
          word(message, "write_address"), quantity, data)
      end,
    },
    response = counted_words,
  },
  [24] = {
    request = named_words("address"),
    response = {
      read = function(bytes)
        if #bytes < 5 then return nil end
        local size, count = string.unpack(">I2I2", bytes, 2)
        if size ~= 2 + 2 * count or #bytes ~= 3 + size then return nil end
        return { values = words(bytes, 6, count) }
      end,
      write = function(message)
        local data, count = pack_words(message, "values", 0, 31)
        return string.pack(">I2I2", 2 + #data, count) .. data
      end,
    },
  },
  [43] = { request = identification_request, response = identification },
}
