-- The two sides of Modbus over any framing.
--
-- `adu` is a framing: `unwrap(frame)` returns a header { unit, transaction? } and the PDU, or nil and an error;
-- `wrap(header, bytes)` is the way back; `units` the largest unit; `transactions` whether requests are numbered;
-- `broadcast` whether unit 0 means everyone, who then does not answer.

local fields = require "protocols.modbus.fields"
local pdu = require "protocols.modbus.pdu"

local exchange = {}

-- Requests that may be waiting at once (MODBUS Messaging on TCP/IP V1.0b, 4.2: NumberMaxOfClientTransaction).
local MAX_TRANSACTIONS = 16

local function add_header(message, header)
  message.unit, message.transaction = header.unit, header.transaction
  return message
end

local function header_of(message, adu)
  local ok, header = pcall(function()
    return {
      unit = fields.whole(message, "unit", 0, adu.units),
      transaction = adu.transactions and fields.whole(message, "transaction", 0, 0xffff),
    }
  end)
  if ok then return header end
  return nil, header
end

--- Keeps a request that was sent, so that the response can be read by it.
local function remember(session, adu, header, bytes)
  local requests = session.requests or {}
  session.requests = requests
  if header.transaction then requests[(header.transaction - MAX_TRANSACTIONS) % 0x10000] = nil end
  if adu.broadcast and header.unit == 0 then return end
  requests[header.transaction or 0] = add_header(pdu.read_request(bytes), header)
end

--- The client's (master's) side: encodes requests, decodes the responses to them.
-- A frame that answers no request of ours is read as a response or, where it cannot be one, as a request: so what
-- others say on the same line can be watched.
function exchange.client(adu)
  local function decode(frame, session)
    local header, bytes = adu.unwrap(frame)
    if not header then return nil, bytes end
    local key = header.transaction or 0
    local request = session.requests and session.requests[key]
    if request and request.unit ~= header.unit then
      return nil, string.format("unit %d answers unit %d", header.unit, request.unit)
    end
    local message, err = pdu.read_response(bytes, request)
    if not message and not request then
      local overheard = pdu.read_request(bytes)
      if overheard and not overheard.exception then message = overheard end
    end
    if not message then return nil, err end
    if request then session.requests[key] = nil end
    return add_header(message, header)
  end

  local function encode(message, session)
    if type(message) ~= "table" then return nil, "a request is a table" end
    local bytes, err = pdu.write_request(message)
    if not bytes then return nil, err end
    local transaction = adu.transactions and ((session.transaction or 0) + 1) % 0x10000
    local header
    header, err = header_of({ unit = message.unit, transaction = transaction }, adu)
    if not header then return nil, err end
    session.transaction = transaction
    remember(session, adu, header, bytes)
    return adu.wrap(header, bytes)
  end

  return decode, encode
end

--- For the `matches` of a client: whether a response answers a request, a message or its bytes on the wire (of which
-- `head(bytes)` returns unit and function code). Responses do not repeat the address of a read.
function exchange.matcher(head)
  return function(request, message)
    local unit, code, transaction
    if type(request) == "string" then unit, code = head(request)
    else unit, code, transaction = request.unit, request.function_code, request.transaction end
    if message.type ~= "response" and message.type ~= "exception" then return false end
    if message.unit ~= unit then return false, "wrong_unit" end
    if message.function_code ~= code then return false, "wrong_function" end
    return not transaction or transaction == message.transaction
  end
end

--- The server's (slave's) side: decodes requests, encodes responses. What a response does not say (unit,
-- function_code, transaction, an echoed address …) is that of the request decoded last, so that `conn:send {}`
-- acknowledges a write, and answers a refused request with its exception.
function exchange.server(adu)
  local function decode(frame, session)
    local header, bytes = adu.unwrap(frame)
    if not header then return nil, bytes end
    local message, err = pdu.read_request(bytes)
    if not message then return nil, err end
    session.request = add_header(message, header)
    return message
  end

  local function encode(message, session)
    if type(message) ~= "table" then return nil, "a response is a table" end
    local response = {}
    for name, value in pairs(session.request or {}) do response[name] = value end
    for name, value in pairs(message) do response[name] = value end
    local header, err = header_of(response, adu)
    if not header then return nil, err end
    if adu.broadcast and header.unit == 0 then return nil, "a broadcast is not answered" end
    local bytes
    bytes, err = pdu.write_response(response)
    if not bytes then return nil, err end
    return adu.wrap(header, bytes)
  end

  return decode, encode
end

return exchange
