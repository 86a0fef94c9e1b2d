-- A Modbus RTU meter that is asked: holding and input registers with the content of a real one.
--   moonwire simulate --serial /dev/ttyUSB1:9600 --script lua/devices/meter.lua --option unit=17
--
-- Asked for the registers 107 to 109 of unit 17 it answers as the captured exchange did, byte for byte:
--   11 03 00 6b 00 03 76 87  →  11 03 06 ae 41 56 52 43 40 49 ad
-- (yaacov/node-modbus-serial, test/ports/rtubufferedport.test.js, commit 5ef4fde3650595c68409755e3d2843cb31006da5,
-- licence ISC)

protocol = require("protocols.modbus_rtu").server

local UNIT = tonumber(mix.server.option("unit") or 17)
local READ_HOLDING, READ_INPUT = 3, 4
local ILLEGAL_FUNCTION, ILLEGAL_ADDRESS = 1, 2

local registers = { [107] = 0xae41, [108] = 0x5652, [109] = 0x4340 }

local function read(request)
  local values = {}
  for i = 1, request.quantity do
    local value = registers[request.address + i - 1]
    if not value then return { exception = ILLEGAL_ADDRESS } end
    values[i] = value
  end
  return { values = values }
end

function on_message(request, conn)
  -- The line is shared: what others are asked is not answered.
  if request.unit ~= UNIT then return end
  local code = request.function_code
  local response
  if request.exception then
    response = {}
  elseif code == READ_HOLDING or code == READ_INPUT then
    response = read(request)
  else
    response = { exception = ILLEGAL_FUNCTION }
  end
  local err = conn:send(response)
  if err then mix.log(mix.WARN, err) end
end
