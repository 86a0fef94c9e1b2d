-- Modbus messages without their framing: function code and data (MODBUS Application Protocol V1.1b3, 4.1 and 7).

local fields = require "protocols.modbus.fields"
local functions = require "protocols.modbus.functions"

local pdu = {}

-- Set in the function code of an exception.
local EXCEPTION = 0x80
-- A PDU has 253 bytes at most, its function code among them (4.1).
local MAX_DATA = 252
local ILLEGAL_FUNCTION, ILLEGAL_VALUE = 1, 3

--- What exception codes mean (7).
pdu.exceptions = {
  [1] = "illegal function",
  [2] = "illegal data address",
  [3] = "illegal data value",
  [4] = "server device failure",
  [5] = "acknowledge",
  [6] = "server device busy",
  [7] = "negative acknowledge",
  [8] = "memory parity error",
  [10] = "gateway path unavailable",
  [11] = "gateway target device failed to respond",
}

--- Reads a request: its fields and the type "request". `exception` is set when a server must answer with it, since
-- the function is unknown or the content breaks its rules. Returns nil and an error for what is no request.
function pdu.read_request(bytes)
  local code = bytes:byte(1)
  if not code or code == 0 or code >= EXCEPTION then return nil, "no function code of a request" end
  local row = functions[code]
  local message
  if row then
    message = row.request.read(bytes) or { exception = ILLEGAL_VALUE }
  else
    message = { exception = ILLEGAL_FUNCTION, data_hex = mix.hex(bytes:sub(2)) }
  end
  message.type, message.function_code = "request", code
  message.exception_name = pdu.exceptions[message.exception]
  return message
end

local function read_exception(bytes, code)
  if #bytes ~= 2 then return nil, "malformed exception" end
  local exception = bytes:byte(2)
  return { type = "exception", function_code = code, exception = exception, exception_name = pdu.exceptions[exception] }
end

--- Completes a response by its request, or returns nil and why the two do not belong together.
local function match(message, request)
  local quantity = request.read_quantity or request.quantity
  local values, bits = message.values, message.bits
  local count = bits and 8 * ((quantity + 7) // 8) or quantity
  if message.address and message.address ~= request.address
    or message.quantity and message.quantity ~= quantity
    or quantity and (values or bits) and #(values or bits) ~= count then
    return nil, "the response answers another request"
  end
  if bits then
    for i = #bits, quantity + 1, -1 do bits[i] = nil end -- what fills the last byte
  end
  message.address = request.read_address or request.address
  return message
end

--- Reads a response (type "response") or an exception (type "exception"). With the `request` it answers, its address
-- is added and padding bits are left out. Returns nil and an error when it is malformed or answers another request.
function pdu.read_response(bytes, request)
  local code = bytes:byte(1)
  if not code or code & 0x7f == 0 then return nil, "no function code" end
  if request and request.function_code ~= code & 0x7f then
    return nil, string.format("function %d answers function %d", code & 0x7f, request.function_code)
  end
  if code >= EXCEPTION then return read_exception(bytes, code & 0x7f) end
  local row = functions[code]
  local message = { data_hex = mix.hex(bytes:sub(2)) }
  if row then message = row.response.read(bytes) end
  if not message or message.exception then return nil, string.format("malformed response to function %d", code) end
  message.type, message.function_code = "response", code
  if request then return match(message, request) end
  return message
end

local function write(message, side)
  local code = fields.whole(message, "function_code", 1, 127)
  if side == "response" and message.exception ~= nil then
    return string.char(code | EXCEPTION, fields.whole(message, "exception", 1, 255))
  end
  local row = functions[code]
  if not row then error("function_code must be one of 1 to 8, 11, 12, 15 to 17, 20 to 24, 43", 0) end
  local data = row[side].write(message)
  if #data > MAX_DATA then error(string.format("%d bytes of data do not fit: at most %d", #data, MAX_DATA), 0) end
  return string.char(code) .. data
end

local function try(...)
  local ok, result = pcall(write, ...)
  if ok then return result end
  return nil, result
end

--- The bytes of a request, or nil and what is wrong with which field.
function pdu.write_request(message) return try(message, "request") end

--- The bytes of a response, or of an exception when `exception` is set; or nil and what is wrong with which field.
function pdu.write_response(message) return try(message, "response") end

return pdu
