local numbers = require "numbers"

function on_message(text, conn)
  local answer = numbers.answer(text, conn)
  if answer then conn:send(answer) end
end
