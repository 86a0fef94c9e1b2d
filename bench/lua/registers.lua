-- The server's side of Modbus TCP as a module that answers by itself: every register holds its own address.
local tcp = require("protocols.modbus_tcp").server

return {
  name = "registers",
  frame = tcp.frame,
  decode = tcp.decode,
  reply = function(request, session)
    local values = {}
    for i = 1, request.quantity do values[i] = request.address + i - 1 end
    return tcp.encode({ values = values }, session)
  end,
}
