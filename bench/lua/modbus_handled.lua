-- A Modbus TCP device that answers reads of its registers in its handler: the request crosses into the script, and its
-- answer back.
protocol = require("protocols.modbus_tcp").server

function on_message(request, conn)
  local values = {}
  for i = 1, request.quantity do values[i] = request.address + i - 1 end
  conn:send { values = values }
end
