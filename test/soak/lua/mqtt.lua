local numbers = require "numbers"

-- What raises is not acknowledged.
function on_message(msg, conn)
  local answer = numbers.answer(msg.payload, conn)
  if answer and not answer:find "^ok" then error(answer) end
end
