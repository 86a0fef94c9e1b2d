local numbers = require "numbers"

function on_message(msg, conn)
  local answer = numbers.answer(msg.data, conn)
  if answer then conn:send(answer) end
end
