-- A report built by concatenation and format.
return function(n)
  local text
  for i = 1, n do
    text = ""
    for k = 1, 10 do text = text .. "field" .. k .. "=" .. string.format("%d", k * i) .. ";" end
  end
  return #text
end
