-- Who a telegram is from, and how that device is (EN 13757-3:2018, 5.5 to 5.10 and 5.12).

local header = {}

header.ADDRESS_SIZE = 8

local MEDIA = {
  [0x00] = "other", [0x01] = "oil", [0x02] = "electricity", [0x03] = "gas", [0x04] = "heat", [0x05] = "steam",
  [0x06] = "warm_water", [0x07] = "water", [0x08] = "heat_cost_allocator", [0x09] = "compressed_air",
  [0x0a] = "cooling", [0x0b] = "cooling_inlet", [0x0c] = "heat_inlet", [0x0d] = "heat_cooling", [0x0e] = "bus",
  [0x0f] = "unknown", [0x10] = "irrigation_water", [0x11] = "water_data_logger", [0x12] = "gas_data_logger",
  [0x13] = "gas_converter", [0x14] = "calorific_value", [0x15] = "hot_water", [0x16] = "cold_water",
  [0x17] = "dual_water", [0x18] = "pressure", [0x19] = "ad_converter", [0x1a] = "smoke_detector",
  [0x1b] = "room_sensor", [0x1c] = "gas_detector", [0x1d] = "carbon_monoxide_detector", [0x20] = "breaker",
  [0x21] = "valve", [0x25] = "customer_unit", [0x28] = "waste_water", [0x29] = "garbage", [0x2a] = "carbon_dioxide",
  [0x31] = "communication_controller", [0x32] = "unidirectional_repeater", [0x33] = "bidirectional_repeater",
  [0x36] = "radio_converter_system", [0x37] = "radio_converter_meter",
}

local APPLICATION = { "busy", "error", "abnormal" }

--- The identification number of four bytes at `at`: eight digits, as printed on the device.
function header.read_number(bytes, at)
  return mix.hex(bytes:sub(at, at + 3):reverse()):upper()
end

--- Three letters of two bytes at `at` (IEC 62056-21 flag, five bits a letter); nil when they are none.
local function manufacturer(bytes, at)
  local code = string.unpack("<I2", bytes, at)
  return string.char(64 + (code >> 10 & 31), 64 + (code >> 5 & 31), 64 + (code & 31)):match("^%u%u%u$")
end

--- The eight bytes of a secondary address at `at`, into `message`.
function header.read_address(bytes, at, message)
  message.device_id = header.read_number(bytes, at)
  message.manufacturer = manufacturer(bytes, at + 4)
  message.version, message.medium_code = bytes:byte(at + 6, at + 7)
  message.medium = MEDIA[message.medium_code] or "reserved"
end

--- The status byte, into `message`; what is as it should be is left out.
function header.read_status(status, message)
  message.status = status
  message.application = APPLICATION[status & 3]
  message.power_low = status & 4 ~= 0 or nil
  message.permanent_error = status & 8 ~= 0 or nil
  message.temporary_error = status & 16 ~= 0 or nil
end

-- Security modes whose data cannot be read without a key (EN 13757-7:2018, 7.5): DES, AES and TLS.
local ENCRYPTED = { [2] = true, [3] = true, [4] = true, [5] = true, [7] = true, [8] = true, [9] = true, [10] = true,
  [13] = true }

--- Access number, status and configuration of four bytes at `at`, into `message`.
function header.read_short(bytes, at, message)
  message.access_number = bytes:byte(at)
  header.read_status(bytes:byte(at + 1), message)
  message.configuration = string.unpack("<I2", bytes, at + 2)
end

--- Whether the data at `at` is encrypted, by the configuration. Two fillers in front mean that it is not, or no more.
function header.is_encrypted(configuration, bytes, at)
  return ENCRYPTED[configuration >> 8 & 31] and configuration & 0xf0 ~= 0 and bytes:sub(at, at + 1) ~= "\x2f\x2f"
end

return header
